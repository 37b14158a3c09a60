import type { RunSettings } from "../base/run-settings.ts";
import type { ModelConfig } from "../config/model-options.ts";
import type { ModelCandidate } from "../models/model-candidate.ts";
import { countRestarts, createQueueMetrics } from "../models/queue-metrics.ts";
import { createServedModel } from "../models/served-model.ts";
import type { ServedModelHandle } from "../models/served-model-handle.ts";
import { completeQueueConfig, type QueueConfig } from "../queue/queue-config.ts";
import { createScheduler } from "../queue/scheduler.ts";
import type { LoadedModel, LoadSpec } from "../runtime/runtime.ts";
import { cacheModel } from "./cache-model.ts";
import { modelLabels } from "./model-labels.ts";
import type { ModelLoaderOptions } from "./model-loader-options.ts";
import { modelState } from "./model-state.ts";
import { ownExecutionTimeoutMs, ownQueueSettings } from "./own-settings.ts";
import { withSequences } from "./with-sequences.ts";

/** A loaded model's settings, and what its queue needs. */
export interface ServeParts extends ModelLoaderOptions {
  readonly config: ModelConfig;
  readonly spec: LoadSpec;
  readonly candidate: ModelCandidate;
  /** Puts something around the model itself, behind its cache and its states. Default: nothing. */
  readonly around?: (served: ServedModelHandle) => ServedModelHandle;
}

/** Puts a queue, and a cache where the model has one, before a loaded model. Throws when its settings do not fit the signature. */
export function serveLoaded(loaded: LoadedModel, parts: ServeParts): ServedModelHandle {
  const { config, candidate, clock, logger, random, tracer } = parts;
  const { name, version } = candidate;
  const { runsAtOnce } = loaded.description;
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
      ...(runsAtOnce !== undefined && { runsAtOnce }),
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
