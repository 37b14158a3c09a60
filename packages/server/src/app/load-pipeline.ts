import type { Clock } from "../base/clock.ts";
import { ServeError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { Metrics } from "../base/metrics.ts";
import { nearestWord } from "../base/nearest-word.ts";
import type { Pipeline } from "../base/pipeline.ts";
import type { ModelConfig } from "../config/model-options.ts";
import { pipelineModels, readPipeline } from "../config/pipeline-settings.ts";
import { createCheckedSubmit } from "../infer/checked-submit.ts";
import { openPipeline } from "../infer/pipelines/open-pipeline.ts";
import { createPipelineObserver } from "../infer/pipelines/pipeline-observer.ts";
import type { StepModels, TensorLedger } from "../infer/pipelines/step-models.ts";
import type { SequenceEnd } from "../infer/sequences/live-sequences.ts";
import type { ManagedRegistry } from "../models/managed-registry.ts";
import type { ModelCandidate } from "../models/model-candidate.ts";
import type { ServedModelHandle } from "../models/served-model-handle.ts";
import { countSequenceEnds } from "./count-sequence-ends.ts";
import { modelLabels } from "./model-labels.ts";

export interface PipelineParts {
  readonly candidate: ModelCandidate;
  readonly config: ModelConfig;
  readonly registry: ManagedRegistry;
  readonly ledger: TensorLedger;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly signal: AbortSignal;
}

/**
 * Puts a pipeline together once the loads of its models are done, however they ended. Rejects with `invalid_argument`/`bad_config_file` or
 * `invalid_config` when it cannot work with the models that there are, and with `unavailable` when there is no such model. While the model of a
 * step is only not ready, so is the pipeline.
 */
export async function loadPipeline(parts: PipelineParts): Promise<ServedModelHandle> {
  const { candidate, config, registry, clock, logger, signal } = parts;
  const { name, version, settings } = candidate;
  const pipeline = readPipeline(settings!); // what makes it a pipeline stands there
  refuseUnknown(pipeline, registry);
  refuseRing(name, registry);
  refuseGrowth(name, registry);
  const known: (ServedModelHandle | undefined)[] = [];
  for (const { model, version } of pipeline.steps) {
    await registry.prepare(model, version, signal);
    // Loading the next one may take its place.
    known.push(registry.lookup(model, version));
  }
  if (signal.aborted) throw ServeError.from(signal.reason);
  // Most pipelines have no sequences, and no metrics of them.
  let countEnd = (why: SequenceEnd): void => {
    countEnd = countSequenceEnds({ name, version }, parts.metrics);
    countEnd(why);
  };
  const { handle, problem } = openPipeline({
    name,
    version,
    pipeline,
    ports: settings?.ports,
    maxBatchSize: ownBatchSize(config, candidate),
    loadTimeoutMs: config.loadTimeoutMs,
    known,
    models: stepModels(registry),
    submit: createCheckedSubmit(clock),
    ledger: parts.ledger,
    observer: createPipelineObserver({ metrics: parts.metrics, model: name, version, wallNowMs: Date.now }),
    labelsOf: (signature) => modelLabels(config, candidate, signature),
    onSequenceEnd: (why) => countEnd(why),
    clock,
    logger,
    wallNowMs: Date.now,
  });
  if (problem === undefined) {
    report(handle, candidate, logger);
    return handle;
  }
  handle.destroy("it does not fit together");
  throw problem;
}

function report(handle: ServedModelHandle, { remark }: ModelCandidate, logger: Logger): void {
  const { warnings, runtimeReason } = handle.description;
  if (remark !== "") logger.warn({}, remark);
  for (const warning of warnings) logger.warn({}, warning);
  const failure = handle.failure();
  if (failure === undefined) logger.info({}, `ready: ${runtimeReason}`);
  else logger.warn({ reason: failure }, "the pipeline waits for a model of its steps");
}

/** Undefined: its files do not say. */
function ownBatchSize(config: ModelConfig, { settings }: ModelCandidate): number | undefined {
  if (!config.batching) return 1;
  return settings?.values["max_batch_size"] === undefined ? undefined : config.maxBatchSize;
}

function refuseUnknown({ steps }: Pipeline, registry: ManagedRegistry): void {
  for (const { name, model } of steps) {
    if (registry.isKnown(model)) continue;
    const near = nearestWord(model, registry.names());
    const hint = near === undefined ? "" : `; did you mean "${near}"?`;
    throw new ServeError(
      "unavailable",
      `pipeline: step "${name}": there is no model "${model}" on this server${hint}`,
      { reason: "model_not_ready" },
    );
  }
}

/** Throws when a pipeline is a step of itself, through whichever others. */
function refuseRing(name: string, registry: ManagedRegistry): void {
  const seen = new Set<string>();
  const visit = (model: string, path: readonly string[]): void => {
    for (const next of pipelineModels(registry.candidate(model, undefined)?.settings)) {
      if (next === name)
        throw new ServeError(
          "invalid_argument",
          `pipeline: it is a step of itself: ${[...path, name].join(" → ")}`,
          {
            reason: "invalid_config",
          },
        );
      if (seen.has(next)) continue;
      seen.add(next);
      visit(next, [...path, next]);
    }
  };
  visit(name, [name]);
}

/** Pipelines of pipelines multiply. */
const MAX_MODELS_RUN = 256;

/** Throws when one request would run more models than that. Rings that others are in are those others' problem. */
function refuseGrowth(name: string, registry: ManagedRegistry): void {
  const known = new Map<string, number>();
  const count = (model: string): number => {
    const before = known.get(model);
    if (before !== undefined) return before;
    known.set(model, 0);
    const steps = pipelineModels(registry.candidate(model, undefined)?.settings);
    const runs = steps.length === 0 ? 1 : steps.reduce((sum, step) => sum + count(step), 0);
    known.set(model, runs);
    return runs;
  };
  const runs = count(name);
  if (runs <= MAX_MODELS_RUN) return;
  throw new ServeError(
    "invalid_argument",
    `pipeline: with the pipelines in it, a request would run ${runs} models, and ${MAX_MODELS_RUN} are allowed`,
    { reason: "invalid_config" },
  );
}

function stepModels(registry: ManagedRegistry): StepModels {
  return {
    find: (model, version) => registry.lookup(model, version),
    isReady: (model, version) => registry.isKnown(model) && isModelReady(registry, model, version),
    whyNot(model, version) {
      try {
        registry.resolve(model, version);
        return "it is ready";
      } catch (error) {
        return ServeError.from(error).message;
      }
    },
    waitForLoad: (model, version, signal) => registry.waitForLoad(model, version, signal),
    onChange: (listener) => registry.subscribe(({ name }) => listener(name)),
  };
}

/** Of a version that does not exist: false. */
function isModelReady(registry: ManagedRegistry, model: string, version: string | undefined): boolean {
  try {
    return registry.isModelReady(model, version);
  } catch {
    return false;
  }
}
