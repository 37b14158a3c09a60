import { hostname } from "node:os";
import { usableCores } from "../base/cgroup.ts";
import { modelCaps } from "../config/model-caps.ts";
import { createInferenceObserver, type InferenceObserver } from "../edge/inference-metrics.ts";
import { createHandlerMetrics } from "../models/handler-metrics.ts";
import { readModelGauges } from "../models/model-gauges.ts";
import { readTorchserveMetrics } from "../models/torchserve-metrics.ts";
import { readTritonMetrics } from "../models/triton-metrics.ts";
import { createQuota, type Quota } from "../queue/quota.ts";
import { workerEnv } from "../worker/worker-env.ts";
import { memoryBytes } from "./build-edges.ts";
import type { CleanupStack } from "./cleanup-stack.ts";
import type { CompleteOptions } from "./complete-options.ts";
import { createBothRuntimes } from "./create-both-runtimes.ts";
import { createManagedModels } from "./managed-models.ts";
import { createModelLoader } from "./model-loader.ts";
import type { Instruments } from "./open-instruments.ts";
import { openRollouts } from "./open-rollouts.ts";
import type { RunningParts } from "./stop-server.ts";
import { hasTranslations, translationCacheOf } from "./translation-cache.ts";

const NOT_STARTED = "the server did not start";

/** What holds and runs the models. */
export interface BuiltModels extends Pick<RunningParts, "runtime" | "registry" | "control" | "rollouts"> {
  readonly observer: InferenceObserver;
  readonly quota: Quota;
}

/** Before the rest is built: worker processes start while this process goes on. No model is loaded yet. */
export function buildModels(
  options: CompleteOptions,
  instruments: Instruments,
  cleanup: CleanupStack,
): BuiltModels {
  const { authentication, budget, cacheSharing, edgeProcesses, live, loop, metrics } = instruments;
  const { declaredMetrics, rolloutFile, sandbox, sources, traces } = instruments;
  const { server: config, modelDefaults: defaults } = options.config;
  // A worker that may write where others read could change what they load.
  const translationCache = sandbox === undefined ? translationCacheOf(config, options.logger) : undefined;
  const runtime = (options.createRuntime ?? createBothRuntimes)({
    ...options,
    isTranslatorIdle: () => translationCache !== undefined && hasTranslations(translationCache),
    clock: loop.activeClock,
    spares: config.spareWorkers,
    sandbox: sandbox?.sandbox,
    env: workerEnv(process.env),
    onReports: createHandlerMetrics({ metrics, logger: options.logger, hostname: hostname() }),
    declaredMetrics,
  });
  cleanup.defer(() => {
    runtime.destroy(NOT_STARTED);
    return runtime.close();
  });
  const quota = createQuota((tenant) => authentication?.authenticator.rateOf(tenant) ?? live.tenantRate);
  const load = createModelLoader({
    ...options,
    activeClock: loop.activeClock,
    runtime,
    translationCache,
    defaults,
    caps: modelCaps(config, { cores: usableCores(), memoryBytes: memoryBytes() }),
    metrics,
    tracer: traces?.tracer,
    quota,
    cacheSharing,
    registry: () => managed.registry,
    ledger: budget,
  });
  const onForgotten = (model: string, version: string): void => {
    observer.forget(model, version);
    edgeProcesses?.look(model);
    metrics.drop(managed.registry.isKnown(model) ? { model, version } : { model });
  };
  const managed = createManagedModels({ ...options, sources, load, onForgotten, rolloutFile });
  cleanup.defer(() => managed.control.close());
  const observer = createInferenceObserver(metrics, (model) => managed.registry.isKnown(model));
  metrics.collect(() => readModelGauges(managed.registry.versions()));
  if (config.compat === "torchserve")
    metrics.collect(async () => readTorchserveMetrics(managed.registry.versions(), hostname()));
  if (config.tritonMetrics) metrics.collect(() => readTritonMetrics(managed.registry.versions()));
  const rollouts = openRollouts({ ...options, metrics, registry: managed.registry });
  cleanup.defer(() => rollouts.close());
  return { runtime, observer, quota, rollouts, ...managed };
}
