import { dirname, isAbsolute, join, resolve } from "node:path";
import { usableCores } from "../base/cgroup.ts";
import type { Clock } from "../base/clock.ts";
import { ServeError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { Metrics } from "../base/metrics.ts";
import type { RunSettings } from "../base/run-settings.ts";
import { loadModelConfig } from "../config/load-config.ts";
import { checkCaps, type ModelCaps } from "../config/model-caps.ts";
import type { ModelConfig } from "../config/model-options.ts";
import { readRollout } from "../config/rollout-settings.ts";
import { readShadow, type ShadowSettings } from "../config/shadow-settings.ts";
import type { TensorLedger } from "../infer/pipelines/step-models.ts";
import { createLoadLimit, type LoadLimit } from "../models/load-limit.ts";
import type { ManagedRegistry } from "../models/managed-registry.ts";
import type { ModelCandidate } from "../models/model-candidate.ts";
import { isCodeArchive, isCodeNeeded } from "../models/model-file.ts";
import { countRestarts, createQueueMetrics } from "../models/queue-metrics.ts";
import { createServedModel } from "../models/served-model.ts";
import type { LoadModel, ServedModelHandle } from "../models/served-model-handle.ts";
import { parseVersionPolicy } from "../models/version-policy.ts";
import { completeQueueConfig, type QueueConfig } from "../queue/queue-config.ts";
import type { Quota } from "../queue/quota.ts";
import { createScheduler } from "../queue/scheduler.ts";
import type {
  LoadedModel,
  LoadOptions,
  LoadSpec,
  PythonOptions,
  Runtime,
  TranslationCacheOptions,
} from "../runtime/runtime.ts";
import type { SpanTracer } from "../tracing/tracer.ts";
import { cacheModel } from "./cache-model.ts";
import type { CacheSharing } from "./cache-sharing.ts";
import { checkDigest } from "./check-digest.ts";
import { modelLabels } from "./model-labels.ts";
import { modelState } from "./model-state.ts";
import { mayAsk, ownExecutionTimeoutMs, ownQueueSettings } from "./own-settings.ts";
import { pythonSettingsWithoutEffect } from "./python-settings-without-effect.ts";
import { type WantedTask, wantedTask } from "./wanted-task.ts";
import { withSequences } from "./with-sequences.ts";

export interface ModelLoaderOptions {
  readonly runtime: Runtime;
  readonly defaults: ModelConfig;
  /** What a model may choose for itself. */
  readonly caps: ModelCaps;
  readonly clock: Clock;
  /** Time without what this process slept through. */
  readonly activeClock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
  readonly metrics: Metrics;
  /** Undefined: nothing is traced. */
  readonly tracer?: SpanTracer | undefined;
  /** Where translations are kept; undefined: nowhere. */
  readonly translationCache?: TranslationCacheOptions | undefined;
  /** Requests per tenant, over all models. */
  readonly quota?: Quota | undefined;
  /** Shares cached answers with other servers. Default: they are not shared. */
  readonly cacheSharing?: CacheSharing | undefined;
  /** The models of this server, for pipelines; made after this loader. */
  readonly registry: () => ManagedRegistry;
  /** What tensors between the steps of pipelines cost. */
  readonly ledger: TensorLedger;
}

/** How long a load may take before the log says what it is doing. */
const SLOW_LOAD_MS = 1000;

/** Loads a candidate into the runtime and puts a queue before it. */
export function createModelLoader(options: ModelLoaderOptions): LoadModel {
  const { runtime, defaults, clock } = options;
  const limit = createLoadLimit(1);
  return async (candidate, signal) => {
    const config = loadModelConfig(candidate.settings, defaults);
    checkCaps(config, defaults, options.caps);
    const shadow = readShadow(config.shadow);
    readRollout(config.rollout);
    parseVersionPolicy(config.versionPolicy);
    const handlers = options.caps.allowsHandlers && defaults.runtime !== "onnx";
    const task = wantedTask(config, candidate, { handlers });
    if (candidate.format === "pipeline") {
      const { loadPipeline } = await import("./load-pipeline.ts");
      const { name: model, version } = candidate;
      const parts = { ...options, logger: options.logger.child({ model, version }) };
      const pipeline = await loadPipeline({
        ...parts,
        registry: options.registry(),
        candidate,
        config,
        signal,
      });
      return task === undefined
        ? pipeline
        : await withTask(pipeline, task, { config, candidate, options, signal });
    }
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
      const { description } = loaded;
      if (candidate.remark !== "") logger.warn({}, candidate.remark);
      for (const warning of description.warnings) logger.warn({}, warning);
      for (const warning of pythonSettingsWithoutEffect(description, config, defaults))
        logger.warn({}, warning);
      logger.info(
        {
          runtime: description.runtime,
          loadMs: description.loadMs,
          elapsedMs: Math.round(clock.nowMs() - startedMs),
        },
        `ready: ${description.runtimeReason}`,
      );
      observeLoad(options.metrics, { model: name, version }, clock.nowMs() - startedMs);
      let served: ServedModelHandle;
      try {
        served = serve(loaded, {
          ...options,
          config,
          candidate,
          spec,
          logger,
          ...(shadow !== undefined && { around: await shadowing(options, { shadow, spec, limit, logger }) }),
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
  };
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

interface ServeParts extends ModelLoaderOptions {
  readonly config: ModelConfig;
  readonly spec: LoadSpec;
  readonly candidate: ModelCandidate;
  /** Puts something around the model itself, behind its cache and its states. Default: nothing. */
  readonly around?: (served: ServedModelHandle) => ServedModelHandle;
}

/** Puts a queue, and a cache where the model has one, before a loaded model. Throws when its settings do not fit the signature. */
function serve(loaded: LoadedModel, parts: ServeParts): ServedModelHandle {
  const { config, candidate, clock, logger, random, tracer } = parts;
  const { name, version } = candidate;
  const instances = loaded.instances.length;
  const labels = modelLabels(config, candidate, loaded.description.signature);
  const state = modelState(config, candidate, loaded.description.signature);
  const queue = completeQueueConfig(
    { ...queueConfig(config), ...ownQueueSettings(loaded.description, candidate, parts.caps) },
    loaded.description.signature,
    instances,
  );
  const queued = createServedModel({
    name,
    version,
    loaded,
    logger,
    settings: {
      ...runSettings(queue, config, instances),
      executionTimeoutMs:
        ownExecutionTimeoutMs(loaded.description, candidate, parts.caps) ?? config.executionTimeoutMs,
      labels,
    },
    wallNowMs: Date.now,
    observer: createQueueMetrics(parts.metrics, { model: name, version }),
    onRestart: countRestarts(parts.metrics, { model: name, version }),
    createQueue: (queueParts) =>
      createScheduler({
        ...queueParts,
        config: queue,
        clock,
        activeClock: parts.activeClock,
        random,
        defer: setImmediate,
        traceRun: tracer && ((run) => tracer.ran({ name, version }, run)),
        ...(parts.quota !== undefined && { quota: parts.quota }),
      }),
  });
  const served = parts.around?.(queued) ?? queued;
  const { turns } = loaded.description;
  if (state !== undefined || turns !== undefined) return withSequences(served, { ...parts, state, turns });
  return config.cacheBytes === undefined ? served : cacheModel(served, { ...parts, loaded });
}

function runSettings(queue: QueueConfig, config: ModelConfig, instances: number): RunSettings {
  const { maxBatchSize, maxQueueDelayMs, preferredBatchSizes, priorityLevels, defaultPriority } = queue;
  return {
    maxQueueSize: queue.maxQueueSize,
    executionTimeoutMs: config.executionTimeoutMs,
    loadTimeoutMs: config.loadTimeoutMs,
    maxBatchSize,
    maxQueueDelayMs,
    preferredBatchSizes,
    priorityLevels,
    defaultPriority,
    instances,
    cached: false,
  };
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

function loadSpec(
  config: ModelConfig,
  candidate: ModelCandidate,
  { caps, defaults, translationCache }: Pick<ModelLoaderOptions, "caps" | "defaults" | "translationCache">,
): LoadSpec {
  const { name, version, file, root, codeFile, format } = candidate;
  const options = {
    ...loadOptions(config, candidate, caps),
    translationCache,
    runtime: config.runtime,
    python: pythonOptions(config, candidate, { caps, defaults }),
    mayAsk: mayAsk(candidate, caps),
  };
  // Beside a program the code is not what is served.
  const code = isCodeNeeded(format) ? codeFile : undefined;
  return { name, version, file, root, codeFile: isCodeArchive(format) ? file : code, options };
}

function pythonOptions(
  config: ModelConfig,
  candidate: ModelCandidate,
  { caps, defaults }: Pick<ModelLoaderOptions, "caps" | "defaults">,
): PythonOptions {
  const { configFile, codeFile, file } = candidate;
  const homes = [configFile, file, codeFile].flatMap((path) => (path === undefined ? [] : [dirname(path)]));
  const isModels = config.python !== defaults.python;
  return {
    interpreter:
      config.python === undefined
        ? undefined
        : interpreterPath(config.python, isModels ? homes[0] : undefined),
    folders: [...new Set(homes)],
    class: config.class,
    arguments: config.arguments,
    outputs: config.outputs,
    compile: config.compile,
    envelope: config.envelope === "none" ? undefined : config.envelope,
    // The default is for models that say nothing.
    maxBatchSize:
      candidate.settings?.values["max_batch_size"] === undefined ? undefined : config.maxBatchSize,
    allowsPickle: caps.allowsPickle,
  };
}

/** A path that a model.yaml has begins where the model.yaml lies; an operator's may also be the name of a program. */
function interpreterPath(path: string, home: string | undefined): string {
  if (isAbsolute(path)) return path;
  if (home !== undefined) return join(home, path);
  return /[/\\]/.test(path) ? resolve(path) : path;
}

function loadOptions(config: ModelConfig, candidate: ModelCandidate, caps: ModelCaps): LoadOptions {
  const cores = usableCores();
  const instances = config.instances === "auto" ? Math.min(cores, caps.instances) : config.instances;
  return {
    instances,
    threadsPerInstance:
      config.threads === "auto" ? Math.max(1, Math.floor(cores / instances)) : config.threads,
    mayUseFewerThreads: config.threads === "auto",
    isolation: config.isolation,
    loadTimeoutMs: config.loadTimeoutMs,
    executionTimeoutMs: config.executionTimeoutMs,
    memoryLimitBytes: config.memoryLimitBytes,
    memory: config.memory,
    precision: config.precision,
    mayMixRows: config.inexactBatching,
    weightsFile: config.weights === undefined ? undefined : weightsPath(config.weights, candidate),
    inputs: config.inputs,
    rename: config.rename,
    ports: candidate.settings?.ports,
    state: config.state,
    device: config.device,
    deviceFallback: config.deviceFallback,
    warmupRuns: config.warmupRuns,
  };
}

/** A file beside model.yaml: a bare name, so that a model cannot reach out of its folder. */
function weightsPath(name: string, candidate: ModelCandidate): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) {
    throw new ServeError(
      "invalid_argument",
      `weights in model.yaml: expected the name of a file beside it, got ${JSON.stringify(name.slice(0, 80))}`,
    );
  }
  return join(dirname(candidate.configFile ?? candidate.file), name);
}

function queueConfig(config: ModelConfig): Partial<QueueConfig> {
  return {
    maxBatchSize: config.batching ? config.maxBatchSize : 1,
    maxQueueDelayMs: config.maxQueueDelayMs,
    preferredBatchSizes: config.preferredBatchSize,
    maxQueueBytes: config.maxQueueBytes,
    queueTimeoutMs: config.queueTimeoutMs,
    priorityLevels: config.priorityLevels,
    pipelineDepth: config.pipelineDepth,
    ...(config.maxQueueSize === undefined ? {} : { maxQueueSize: config.maxQueueSize }),
    ...(config.defaultPriority === undefined ? {} : { defaultPriority: config.defaultPriority }),
    pad:
      config.padSymbol === undefined
        ? undefined
        : { symbol: config.padSymbol, value: config.padValue, buckets: config.padBuckets },
  };
}
