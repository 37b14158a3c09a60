import type { Clock } from "../base/clock.ts";
import { ServeError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { Metrics } from "../base/metrics.ts";
import { loadModelConfig } from "../config/load-config.ts";
import { checkCaps } from "../config/model-caps.ts";
import type { ModelConfig } from "../config/model-options.ts";
import { readRollout } from "../config/rollout-settings.ts";
import { readShadow, type ShadowSettings } from "../config/shadow-settings.ts";
import { createLoadLimit, type LoadLimit } from "../models/load-limit.ts";
import type { ModelCandidate } from "../models/model-candidate.ts";
import type { LoadModel, ServedModelHandle } from "../models/served-model-handle.ts";
import { parseVersionPolicy } from "../models/version-policy.ts";
import type { LoadedModel, LoadSpec } from "../runtime/runtime.ts";
import { checkDigest } from "./check-digest.ts";
import { loadOptions, loadSpec } from "./model-load-spec.ts";
import type { ModelLoaderOptions } from "./model-loader-options.ts";
import { pythonSettingsWithoutEffect } from "./python-settings-without-effect.ts";
import { serveLoaded } from "./serve-loaded.ts";
import { type WantedTask, wantedTask } from "./wanted-task.ts";

/** How long a load may take before the log says what it is doing. */
const SLOW_LOAD_MS = 1000;

/** What one load is about. */
interface Loading {
  readonly candidate: ModelCandidate;
  readonly config: ModelConfig;
  /** Undefined: the model is asked with tensors. */
  readonly task: WantedTask | undefined;
  readonly signal: AbortSignal;
}

/** Loads a candidate into the runtime and puts a queue before it. */
export function createModelLoader(options: ModelLoaderOptions): LoadModel {
  const { defaults, caps } = options;
  const limit = createLoadLimit(1);
  return async (candidate, signal) => {
    const config = loadModelConfig(candidate.settings, defaults);
    checkCaps(config, defaults, caps);
    const shadow = readShadow(config.shadow);
    readRollout(config.rollout);
    parseVersionPolicy(config.versionPolicy);
    const handlers = caps.allowsHandlers && defaults.runtime !== "onnx";
    const task = wantedTask(config, candidate, { handlers });
    const loading: Loading = { candidate, config, task, signal };
    return candidate.format === "pipeline"
      ? loadPipeline(loading, options)
      : loadFile(loading, { options, shadow, limit });
  };
}

async function loadPipeline(loading: Loading, options: ModelLoaderOptions): Promise<ServedModelHandle> {
  const pipelines = await import("./load-pipeline.ts");
  const { candidate, config, task, signal } = loading;
  const { name: model, version } = candidate;
  const pipeline = await pipelines.loadPipeline({
    ...options,
    logger: options.logger.child({ model, version }),
    registry: options.registry(),
    candidate,
    config,
    signal,
  });
  return task === undefined
    ? pipeline
    : await withTask(pipeline, task, { config, candidate, options, signal });
}

interface FileParts {
  readonly options: ModelLoaderOptions;
  readonly shadow: ShadowSettings | undefined;
  /** Of shadows. */
  readonly limit: LoadLimit;
}

async function loadFile(
  { candidate, config, task, signal }: Loading,
  { options, shadow, limit }: FileParts,
): Promise<ServedModelHandle> {
  const { runtime, clock, defaults } = options;
  const { name, version } = candidate;
  const logger = options.logger.child({ model: name, version });
  const startedMs = clock.nowMs();
  const progress = slowProgress(clock, (stage) => logger.info({ stage }, `still loading: ${stage}`));
  try {
    if (config.sha256 !== undefined) await checkDigest(candidate, config.sha256, signal);
    const isTransform = candidate.format === "transform";
    const plain = loadSpec(config, candidate, options);
    const spec = isTransform
      ? (await import("./transform-spec.ts")).transformSpec(plain, { config, candidate, task })
      : plain;
    const loaded = await runtime.load(spec, { signal, onProgress: progress.report });
    const elapsedMs = clock.nowMs() - startedMs;
    const { description } = loaded;
    const warnings = [
      ...(candidate.remark === "" ? [] : [candidate.remark]),
      ...description.warnings,
      ...pythonSettingsWithoutEffect(description, config, defaults),
    ];
    for (const warning of warnings) logger.warn({}, warning);
    logReady(logger, loaded, elapsedMs);
    observeLoad(options.metrics, { model: name, version }, elapsedMs);
    let served: ServedModelHandle;
    try {
      const around = shadow && (await shadowing(options, { shadow, spec, limit, logger }));
      served = serveLoaded(loaded, {
        ...options,
        config,
        candidate,
        spec,
        logger,
        ...(around && { around }),
      });
    } catch (error) {
      // Settings that do not fit the model are known only now, when its workers run.
      loaded.destroy("its settings do not fit");
      throw error;
    }
    if (task === undefined || isTransform) return served;
    progress.report("its task");
    const { loadTask } = await import("./load-task.ts");
    const parts = { runtime, config, candidate, task, clock, signal };
    return await loadTask(served, { ...parts, options: loadOptions(config, candidate, options.caps) });
  } finally {
    progress.end();
  }
}

function logReady(logger: Logger, { description }: LoadedModel, elapsedMs: number): void {
  const { runtime, loadMs, runtimeReason } = description;
  logger.info({ runtime, loadMs, elapsedMs: Math.round(elapsedMs) }, `ready: ${runtimeReason}`);
}

/** The model with its shadow. */
async function shadowing(
  options: ModelLoaderOptions,
  {
    shadow,
    ...parts
  }: {
    readonly shadow: ShadowSettings;
    readonly spec: LoadSpec;
    readonly limit: LoadLimit;
    readonly logger: Logger;
  },
): Promise<(served: ServedModelHandle) => ServedModelHandle> {
  const { loadShadow } = await import("./load-shadow.ts");
  return (served) => loadShadow(served, { ...options, ...parts, settings: shadow });
}

/** The ends of a task, or a handler, are made for what a pipeline takes and gives, so that has to be known. */
async function withTask(
  pipeline: ServedModelHandle,
  task: WantedTask,
  parts: {
    readonly config: ModelConfig;
    readonly candidate: ModelCandidate;
    readonly options: ModelLoaderOptions;
    readonly signal: AbortSignal;
  },
): Promise<ServedModelHandle> {
  const failure = pipeline.failure();
  if (failure !== undefined) {
    pipeline.destroy("a model of its steps is not ready");
    throw new ServeError("unavailable", failure, { reason: "model_not_ready" });
  }
  const { loadTask } = await import("./load-task.ts");
  const { config, candidate, options, signal } = parts;
  const { runtime, clock } = options;
  const own = loadOptions(config, candidate, options.caps);
  return loadTask(pipeline, { task, runtime, config, candidate, options: own, clock, signal });
}

/** Upper bounds in seconds. */
const LOAD_BUCKETS: readonly number[] = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

function observeLoad(
  metrics: Metrics,
  labels: { readonly model: string; readonly version: string },
  ms: number,
): void {
  metrics
    .histogram("sconce_model_load_seconds", "Time from the file to a model that can run.", {
      labels,
      buckets: LOAD_BUCKETS,
    })
    .observe(ms / 1000);
}

/** Says the current stage once a load has been slow, and every stage after that. */
function slowProgress(
  clock: Clock,
  say: (stage: string) => void,
): { report(stage: string): void; end(): void } {
  let stage = "starting a worker";
  let isSlow = false;
  const cancel = clock.after(SLOW_LOAD_MS, () => {
    isSlow = true;
    say(stage);
  });
  return {
    report(next) {
      stage = next;
      if (isSlow) say(stage);
    },
    end: cancel,
  };
}
