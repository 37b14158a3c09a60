import type { Clock } from "../base/clock.ts";
import { ServeError } from "../base/errors.ts";
import type { InferRequest, InferResponse } from "../base/infer-request.ts";
import type { Signature } from "../base/signature.ts";
import type { ModelRegistry, ServedModel } from "../models/registry.ts";
import type { Inference, ModelMetadata, ServerMetadata } from "./inference.ts";
import { compileInputCheck, type InputCheck } from "./input-check.ts";
import { chooseOutputs, compileOutputChoice, type OutputChoice } from "./output-choice.ts";

export interface InferenceOptions {
  readonly registry: ModelRegistry;
  readonly clock: Clock;
  readonly serverInfo: ServerMetadata;
  /** True once the server was asked to stop: it still answers, but is not ready any more. */
  readonly isDraining: () => boolean;
}

/** What is compiled once per signature. */
interface Checks {
  readonly inputs: InputCheck;
  readonly outputs: OutputChoice;
}

/** The one use case that every edge calls. */
export function createInference(options: InferenceOptions): Inference {
  const { registry, clock, serverInfo, isDraining } = options;
  const compiled = new WeakMap<Signature, Checks>();

  const checksOf = (signature: Signature): Checks => {
    const known = compiled.get(signature);
    if (known !== undefined) return known;
    const checks = { inputs: compileInputCheck(signature), outputs: compileOutputChoice(signature) };
    compiled.set(signature, checks);
    return checks;
  };

  const submit = async (served: ServedModel, request: InferRequest): Promise<InferResponse> => {
    const checks = checksOf(served.description.signature);
    const inputs = checks.inputs(request.inputs);
    const outputs = checks.outputs(request.outputs);
    if (request.signal.aborted) throw leftError(request.signal);
    request.timeline.enqueuedMs = clock.nowMs();
    const checked = inputs === request.inputs ? request : { ...request, inputs };
    return chooseOutputs(await served.submit(checked), outputs);
  };

  return {
    serverMetadata: () => serverInfo,
    isLive: () => true,
    isReady: () => !isDraining() && registry.isReady(),
    isModelReady: (name, version) => registry.isModelReady(name, version),
    modelMetadata: (name, version) => metadataOf(registry, registry.resolve(name, version)),
    index: () => registry.index(),
    async infer(request) {
      const { model, version, signal } = request;
      const served = registry.lookup(model, version) ?? (await registry.acquire(model, version, signal));
      return submit(served, request);
    },
  };
}

function metadataOf(registry: ModelRegistry, served: ServedModel): ModelMetadata {
  const { signature, platform } = served.description;
  return {
    name: served.name,
    versions: registry.readyVersions(served.name),
    platform,
    inputs: signature.inputs,
    outputs: signature.outputs,
  };
}

function leftError(signal: AbortSignal): ServeError {
  if (signal.reason instanceof ServeError) return signal.reason;
  return new ServeError("cancelled", "the request was cancelled", { cause: signal.reason });
}
