import { usableCores } from "../base/cgroup.ts";
import type { Logger } from "../base/logger.ts";
import type { Metrics } from "../base/metrics.ts";
import { createPrometheusMetrics } from "../base/prometheus-metrics.ts";
import { edgeCount } from "../config/edge-count.ts";
import type { ServerConfig } from "../config/server-options.ts";
import { type DeclaredMetric, readDeclaredMetrics } from "../config/torchserve/declared-metrics.ts";
import { countSlowTransfers } from "../edge/client-metrics.ts";
import { type ByteBudget, createByteBudget } from "../gate/byte-budget.ts";
import {
  createSlowClientGuard,
  DEFAULT_SLOW_CLIENT_LIMITS,
  type SlowClientGuard,
} from "../gate/slow-client-guard.ts";
import type { Tracing } from "../tracing/open-tracing.ts";
import { budgetOptions } from "./build-edges.ts";
import type { CacheSharing } from "./cache-sharing.ts";
import type { CleanupStack } from "./cleanup-stack.ts";
import type { CompleteOptions } from "./complete-options.ts";
import type { EdgeProcesses } from "./edges/edge-processes.ts";
import { type EventLoop, watchEventLoop } from "./event-loop.ts";
import { createLiveSettings, type LiveSettings } from "./live-settings.ts";
import { closeSources, type ModelSources, openModelSources } from "./model-sources.ts";
import { type OpenAuthentication, openAuthentication } from "./open-authentication.ts";
import { openCacheStore } from "./open-cache-store.ts";
import { type OpenSandbox, openSandbox } from "./open-sandbox.ts";
import { type OpenTls, openTls } from "./open-tls.ts";
import { openTraces } from "./open-traces.ts";
import { openRolloutFile, type RolloutFile } from "./rollout-file.ts";

/** What the parts of a server share, none of which knows a model or a client yet. */
export interface Instruments {
  readonly metrics: Metrics;
  /** Undefined: nothing is traced. */
  readonly traces: Tracing | undefined;
  readonly loop: EventLoop;
  /** Undefined: everybody may come in. */
  readonly authentication: OpenAuthentication | undefined;
  readonly live: LiveSettings;
  /** Undefined: workers may do what the server's user may. */
  readonly sandbox: OpenSandbox | undefined;
  readonly sources: ModelSources;
  readonly slowClients: SlowClientGuard;
  /** What requests in flight may hold. */
  readonly budget: ByteBudget;
  /** Undefined: every server has its own answers. */
  readonly cacheSharing: CacheSharing | undefined;
  /** Undefined: what becomes of rollouts is not kept. */
  readonly rolloutFile: RolloutFile | undefined;
  /** What handlers find in their `context.metrics`. */
  readonly declaredMetrics: readonly DeclaredMetric[];
  /** Undefined: clients speak in the clear. */
  readonly tls: OpenTls | undefined;
  /** Undefined: this process speaks with all clients. */
  readonly edgeProcesses: EdgeProcesses | undefined;
}

/** Opens what the configuration names, in the order in which an operator should hear of what is wrong. Rejects with ServeError; `cleanup` then ends what was opened. */
export async function openInstruments(options: CompleteOptions, cleanup: CleanupStack): Promise<Instruments> {
  const { clock, logger } = options;
  const { server: config } = options.config;
  const declaredMetrics = readDeclaredMetrics(config.torchserveMetrics);
  const tls = await openTls(config, logger);
  const { stateDir } = config;
  const rolloutFile = stateDir === undefined ? undefined : await openRolloutFile(stateDir, logger);
  cleanup.defer(() => rolloutFile?.close());
  const metrics = createPrometheusMetrics({ processMetrics: true });
  const authentication = await openAuthentication(config, { metrics, logger });
  const traces = await openTraces(config, { ...options, metrics });
  // Nobody waits for a collector.
  cleanup.defer(() => void traces?.close(0));
  const cacheSharing = await openCacheStore(config, { ...options, metrics });
  cleanup.defer(() => cacheSharing?.close());
  const sources = await openModelSources(options, metrics);
  cleanup.defer(() => closeSources(sources));
  const sandbox = sandboxFor(sources, config, logger);
  cleanup.defer(() => sandbox?.close());
  const loop = watchEventLoop({ clock, logger, metrics });
  cleanup.defer(() => loop.stop());
  const counter = countSlowTransfers(metrics);
  const slowClients = createSlowClientGuard(loop.activeClock, DEFAULT_SLOW_CLIENT_LIMITS, counter);
  const edgeProcesses = await openEdgeProcesses(options, metrics);
  cleanup.defer(() => edgeProcesses?.destroy());
  const budget = (edgeProcesses?.createBudget ?? createByteBudget)(budgetOptions(config, slowClients));
  return {
    tls,
    rolloutFile,
    declaredMetrics,
    metrics,
    authentication,
    traces,
    cacheSharing,
    sources,
    sandbox,
    loop,
    slowClients,
    edgeProcesses,
    budget,
    live: createLiveSettings(config),
  };
}

function sandboxFor(
  { paths, uploadsFolder, workflowsFolder }: ModelSources,
  config: ServerConfig,
  logger: Logger,
): OpenSandbox | undefined {
  const own = [uploadsFolder, workflowsFolder].flatMap((path) => (path === undefined ? [] : [{ path }]));
  return openSandbox(config, [...paths, ...own], logger);
}

/** Undefined: one process is enough. Their code is loaded where there are some. */
async function openEdgeProcesses(
  options: CompleteOptions,
  metrics: Metrics,
): Promise<EdgeProcesses | undefined> {
  const size = edgeCount(options.config.server, usableCores());
  if (size === 1) return undefined;
  const { createEdgeProcesses } = await import("./edges/edge-processes.ts");
  return createEdgeProcesses({ ...options, metrics, size });
}
