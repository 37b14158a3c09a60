import type { Clock } from "../base/clock.ts";
import { ServeError } from "../base/errors.ts";
import type { InferRequest, InferResponse } from "../base/infer-request.ts";
import { type ResultReceiver, submitTo } from "../base/result-receiver.ts";
import type { ModelStatistics } from "../models/model-statistics.ts";
import type { ModelRegistry, ServedModel } from "../models/registry.ts";
import { createCheckedSubmit } from "./checked-submit.ts";
import type { Inference, ModelConfiguration, ModelMetadata, ServerMetadata } from "./inference.ts";
import type { Rollouts } from "./rollout/rollouts.ts";

export interface InferenceOptions {
  readonly registry: ModelRegistry;
  readonly clock: Clock;
  readonly serverInfo: ServerMetadata;
  /** True once the server was asked to stop: it still answers, but is not ready any more. */
  readonly isDraining: () => boolean;
  /** What is rolled out; undefined as long as nothing ever was. Default: nothing is. */
  readonly rollouts?: { readonly current: Rollouts | undefined };
}

/** The one use case that every edge calls. */
export function createInference(options: InferenceOptions): Inference {
  const { registry, clock, serverInfo, isDraining, rollouts = NO_ROLLOUTS } = options;
  const submitChecked = createCheckedSubmit(clock);

  const submitWhenLoaded = async (
    request: InferRequest,
    receiver: ResultReceiver<InferResponse>,
  ): Promise<void> => {
    const { model, version, signal } = request;
    let served: ServedModel | undefined;
    do {
      await registry.waitForLoad(model, version, signal);
      served = registry.lookup(model, version);
    } while (served === undefined);
    submitChecked(served, request, receiver);
  };

  return {
    serverMetadata: () => serverInfo,
    isLive: () => true,
    isReady: () => !isDraining() && registry.isReady(),
    isModelReady: (name, version) => registry.isModelReady(name, version),
    presence: (name) => registry.presence(name),
    door(name, version) {
      const served = registry.lookup(name, version);
      // Throws for an unknown model.
      if (served === undefined) registry.isModelReady(name, version);
      if (version !== undefined || served?.task === undefined || rollouts.current?.isAny !== true)
        return served;
      return rollouts.current.door(name, served);
    },
    modelMetadata: (name, version) => metadataOf(registry, registry.resolve(name, version)),
    async acquireInputs(name, version, signal) {
      let served = registry.lookup(name, version);
      while (served === undefined) {
        await registry.waitForLoad(name, version, signal);
        served = registry.lookup(name, version);
      }
      return served.description.signature.inputs;
    },
    modelConfiguration: (name, version) => configurationOf(registry.resolve(name, version)),
    modelWorkers: async (name, version) => registry.resolve(name, version).workers(),
    rolloutStatus(name) {
      // Throws for an unknown model.
      registry.isModelReady(name, undefined);
      return rollouts.current?.status(name);
    },
    index: () => registry.index(),
    modelNames: () => registry.names(),
    modelStatistics: (name, version) => statisticsOf(registry, name, version),
    loadedInputs: (name, version) => registry.lookup(name, version)?.description.signature.inputs,
    infer(request) {
      return submitTo(this, request);
    },
    submit(request, receiver) {
      if (request.version === undefined && rollouts.current?.isAny === true) {
        if (rollouts.current.of(request.model)?.submit(request, receiver) === true) return;
      }
      const served = registry.lookup(request.model, request.version);
      if (served === undefined) {
        submitWhenLoaded(request, receiver).catch((error: unknown) =>
          receiver.reject(ServeError.from(error)),
        );
        return;
      }
      try {
        submitChecked(served, request, receiver);
      } catch (error) {
        receiver.reject(ServeError.from(error));
      }
    },
  };
}

const NO_ROLLOUTS: NonNullable<InferenceOptions["rollouts"]> = { current: undefined };

function metadataOf(registry: ModelRegistry, served: ServedModel): ModelMetadata {
  const { signature, platform } = served.description;
  return {
    name: served.name,
    versions: registry.readyVersions(served.name),
    platform,
    inputs: signature.inputs,
    outputs: signature.outputs,
    hasSequences: served.settings.sequences !== undefined,
  };
}

const SINGLE_ROWS = "the model is set up so, by batching: false or max_batch_size: 1";

function configurationOf({ name, version, description, settings, task }: ServedModel): ModelConfiguration {
  const { platform, runtime, signature } = description;
  const { inputs, outputs, batching } = signature;
  const isBatching = batching.kind === "on" && settings.maxBatchSize > 1;
  const batchingReason = batching.kind === "off" ? batching.reason : isBatching ? undefined : SINGLE_ROWS;
  const known = { name, version, platform, runtime, inputs, outputs, settings };
  return { ...known, isBatching, batchingReason, task: task?.name };
}

function statisticsOf(
  registry: ModelRegistry,
  name: string | undefined,
  version: string | undefined,
): ModelStatistics[] {
  // Refuses what does not exist; what exists but is not in memory has no statistics.
  if (name !== undefined) registry.isModelReady(name, version);
  return registry
    .loaded()
    .filter((served) => name === undefined || served.name === name)
    .filter((served) => version === undefined || served.version === version)
    .map((served) => served.statistics());
}
