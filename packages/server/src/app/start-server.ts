import type { AddressInfo } from "node:net";
import { hostname } from "node:os";
import { usableCores } from "../base/cgroup.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import { ServeError } from "../base/errors.ts";
import { type Logger, silentLogger } from "../base/logger.ts";
import type { Metrics } from "../base/metrics.ts";
import { createPrometheusMetrics } from "../base/prometheus-metrics.ts";
import type { TensorSpec } from "../base/signature.ts";
import { edgeCount } from "../config/edge-count.ts";
import { parseHealthAddress } from "../config/health-address.ts";
import { hostAddress } from "../config/host-address.ts";
import { type Config, loadConfig } from "../config/load-config.ts";
import { modelCaps } from "../config/model-caps.ts";
import { readinessOf } from "../config/readiness-option.ts";
import { checkSafeBinding } from "../config/safe-binding.ts";
import type { ServerConfig } from "../config/server-options.ts";
import { type DeclaredMetric, readDeclaredMetrics } from "../config/torchserve/declared-metrics.ts";
import { countSlowTransfers } from "../edge/client-metrics.ts";
import { createInferenceObserver, type InferenceObserver } from "../edge/inference-metrics.ts";
import type { Listener } from "../edge/listener.ts";
import { createTimeSlicer } from "../edge/time-slicer.ts";
import type { WorkflowStore } from "../edge/torchserve/workflows.ts";
import { type ByteBudget, createByteBudget } from "../gate/byte-budget.ts";
import {
  createSlowClientGuard,
  DEFAULT_SLOW_CLIENT_LIMITS,
  type SlowClientGuard,
} from "../gate/slow-client-guard.ts";
import { tenantHeaderName } from "../gate/tenant.ts";
import { createWebGate } from "../gate/web-gate.ts";
import { type HealthServer, type HealthServerOptions, startHealthServer } from "../health/health-server.ts";
import { createInference } from "../infer/create-inference.ts";
import { createHandlerMetrics } from "../models/handler-metrics.ts";
import { readModelGauges } from "../models/model-gauges.ts";
import type { IndexEntry } from "../models/registry.ts";
import { readTorchserveMetrics } from "../models/torchserve-metrics.ts";
import { readTritonMetrics } from "../models/triton-metrics.ts";
import { createQuota, type Quota } from "../queue/quota.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { SpanTracer } from "../tracing/tracer.ts";
import { workerEnv } from "../worker/worker-env.ts";
import {
  type BuiltEdges,
  budgetOptions,
  buildEdges,
  memoryBytes,
  notReadyStatusOf,
  webGateOptions,
} from "./build-edges.ts";
import type { CacheSharing } from "./cache-sharing.ts";
import { checkOptions } from "./check-options.ts";
import { createBothRuntimes, type RuntimeOptions } from "./create-both-runtimes.ts";
import type { EdgeProcesses } from "./edges/edge-processes.ts";
import { type EventLoop, watchEventLoop } from "./event-loop.ts";
import { listenError } from "./listen-error.ts";
import { createLiveSettings, type LiveSettings } from "./live-settings.ts";
import { createManagedModels } from "./managed-models.ts";
import { createModelLoader } from "./model-loader.ts";
import { closeSources, type ModelSources, openModelSources } from "./model-sources.ts";
import { type OpenAuthentication, openAuthentication } from "./open-authentication.ts";
import { openCacheStore } from "./open-cache-store.ts";
import { openRollouts } from "./open-rollouts.ts";
import { type OpenSandbox, openSandbox } from "./open-sandbox.ts";
import { type OpenTls, openTls } from "./open-tls.ts";
import { openTraces } from "./open-traces.ts";
import { createPredict, type Predict } from "./predict-in-process.ts";
import { createReloader, type Reloadable, type Reloader } from "./reloader.ts";
import { openRolloutFile, type RolloutFile } from "./rollout-file.ts";
import { type RunningParts, stopServer } from "./stop-server.ts";
import type { TorchserveAddresses } from "./torchserve-ports.ts";
import { hasTranslations, translationCacheOf } from "./translation-cache.ts";
import { VERSION } from "./version.ts";
import type { workflowStoreOf } from "./workflow-store.ts";

/** What a server is built from. Only `paths` must be given. */
export interface ServerOptions {
  /**
   * Model files, and folders of models; `NAME=PATH` serves one model under a name of your choice. In place of a path an address may stand: `s3://BUCKET/PREFIX`,
   * `gs://BUCKET/PREFIX` or `https://HOST/FILE`.
   */
  readonly paths: readonly string[];
  /** From `loadConfig`. Default: the defaults of docs/configuration.md, on a free port; neither the environment nor a file is read. */
  readonly config?: Config;
  /**
   * Reads the configuration again, when its file changed and on `reload`: the log level (of what is asked about it) and the quota of tenants change, what
   * else differs waits for a restart. Default: nothing of it changes.
   */
  readonly readConfig?: () => Config;
  /** Takes what the command line writes to standard error; a pino logger fits. Default: nothing is logged. */
  readonly logger?: Logger;
  /** Default: the system's. */
  readonly clock?: Clock;
  /** Uniform in [0, 1), for jitter and ids. Default: `Math.random`. */
  readonly random?: () => number;
  /** Makes what runs the models; default: ONNX Runtime and PyTorch in worker processes. */
  readonly createRuntime?: (options: RuntimeOptions) => Runtime;
}

type CompleteOptions = ServerOptions & Required<Omit<ServerOptions, "createRuntime" | "readConfig">>;

/** A server that listens. */
export interface RunningServer {
  /** `http://host:port`, or `https:`, without a trailing slash; gRPC clients use the same host and port. */
  readonly url: string;
  /** The same for the health port; undefined without one. */
  readonly healthUrl: string | undefined;
  /** Where TorchServe's clients find its other APIs; undefined without `--compat torchserve`. */
  readonly torchserve: TorchserveAddresses | undefined;
  /** Resolves when every model has been loaded, or has failed to load. Never rejects because of a model. */
  readonly settled: Promise<void>;
  /** Every version of every model with its state, and with the reason when it is not ready. */
  models(): readonly IndexEntry[];
  /** Requests that a stop waits for: inferences that wait for their turn or run, and requests over HTTP/1.1 that still come in. */
  requestsInFlight(): number;
  /** Inputs of a model's serving version; empty while it is not ready. */
  inputsOf(name: string): readonly TensorSpec[];
  /**
   * Asks a model as `POST /predict/{model}` does, without the network: nested arrays (or an object of them, by input) in, the prediction out,
   * batched with everybody else's. Waits for a model that loads on first use. Rejects with ServeError.
   */
  readonly predict: Predict;
  /** Reads certificates, keys and the configuration again, as happens by itself when their files change. What cannot be read stays as it was; the log says so. Never rejects. */
  reload(): Promise<void>;
  /** Drains: not ready at once, requests in flight finish, then everything ends. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Serves models over REST and gRPC on one port, as `sconce serve` does. Resolves when the port is open; models go on loading
 * (`settled`). Installs no signal handlers: call `stop` to end the server and its worker processes. Several servers may run in one
 * process.
 *
 * Rejects with ServeError: `failed_precondition`/`cannot_listen` when a port cannot be opened, `invalid_argument`/`missing_path` or
 * `failed_precondition`/`unreadable_path` when a path cannot be served from, `failed_precondition`/`unsafe_binding` or
 * `missing_admin_token` when the configuration is open to a network by mistake, `failed_precondition`/`bad_certificate` when a certificate cannot
 * be used, `invalid_argument`/`bad_option` for options that do not exist. Nothing of the server is left then.
 */
export async function startServer(given: ServerOptions): Promise<RunningServer> {
  checkOptions(given, Object.keys(KNOWN_OPTIONS));
  const options = withDefaults(given);
  const { clock, logger } = options;
  const { server: config } = options.config;
  checkSafeBinding(config);
  readinessOf(config.readiness);
  const declaredMetrics = readDeclaredMetrics(config.torchserveMetrics);
  const tls = await openTls(config, logger);
  const { stateDir } = config;
  const rolloutFile = stateDir === undefined ? undefined : await openRolloutFile(stateDir, logger);
  const tenantHeader = config.tenantHeader === undefined ? undefined : tenantHeaderName(config.tenantHeader);
  const webGate = createWebGate(webGateOptions(config, config.host));
  const metrics = createPrometheusMetrics({ processMetrics: true });
  const authentication = await openAuthentication(config, { metrics, logger });
  const traces = await openTraces(config, { ...options, metrics });
  const cacheSharing = await openCacheStore(config, { ...options, metrics });
  const sources = await openModelSources(options, metrics);
  const sandbox = sandboxFor(sources, config, logger);
  const loop = watchEventLoop({ clock, logger, metrics });
  const live = createLiveSettings(config);
  const slowClients = createSlowClientGuard(
    loop.activeClock,
    DEFAULT_SLOW_CLIENT_LIMITS,
    countSlowTransfers(metrics),
  );
  const edgeProcesses = await openEdgeProcesses(options, metrics);
  const budget = (edgeProcesses?.createBudget ?? createByteBudget)(budgetOptions(config, slowClients));
  const tracer = traces?.tracer;
  const parts = { metrics, tracer, loop, authentication, live, sandbox, sources, slowClients, budget };
  const shared = { ...parts, cacheSharing, rolloutFile, declaredMetrics };
  const { runtime, registry, control, observer, quota } = buildModels(options, {
    ...shared,
    onGone: (model) => edgeProcesses?.look(model),
  });
  let isDraining = false;
  const rollouts = openRollouts({ ...options, metrics, registry });
  const inference = createInference({
    registry,
    clock,
    serverInfo: { name: "sconce", version: VERSION, extensions: extensionsOf(config) },
    isDraining: () => isDraining,
    rollouts,
  });
  const slicer = createTimeSlicer(clock);
  let built: BuiltEdges | undefined;
  let health: HealthServer | undefined;
  let address: AddressInfo;
  let torchserve: TorchserveAddresses | undefined;
  try {
    edgeProcesses?.attach({ inference, registry });
    built = await buildEdges({
      ...shared,
      ...options,
      config,
      metrics: edgeProcesses?.metrics ?? metrics,
      observer,
      inference,
      control: rollouts.administration(control),
      tenantHeader,
      tenantUsage: () => quota.usage(clock.nowMs()),
      webGate,
      slicer,
      tls,
      createMainListener: edgeProcesses?.createListener,
      workflowStore: await openWorkflowStore(config, { sources, registry, clock, control }),
    });
    await edgeProcesses?.start();
    health = await openHealth(config, { isReady: () => inference.isReady(), logger });
    address = await listen(built.listener, config);
    torchserve = await built.listenMore?.(address);
  } catch (error) {
    await health?.close();
    built?.rest.destroy();
    built?.listener.destroy();
    edgeProcesses?.destroy();
    built?.regions?.unregister("");
    control.close();
    rollouts.close();
    loop.stop();
    runtime.destroy(NOT_STARTED);
    await runtime.close();
    sandbox?.close();
    closeSources(sources);
    void traces?.close(0);
    throw ServeError.from(error);
  }
  loop.onBeat(() => health?.beat());
  loop.begin();
  cacheSharing?.start();
  const started = control.start();
  const reloader = await openReloader(options, { tls, authentication, live, edgeProcesses });
  const edges = { health, reloader, edgeProcesses, ...built };
  const running: RunningParts = {
    config,
    clock,
    logger,
    loop,
    ...edges,
    control,
    rollouts,
    registry,
    runtime,
    sources,
    traces,
    cacheSharing,
    rolloutFile,
  };
  let stopped: Promise<void> | undefined;
  return {
    url: urlOf(address, tls === undefined ? "http" : "https"),
    healthUrl: health && urlOf(health.address, "http"),
    torchserve,
    settled: started.then(() => registry.settled()),
    models: () => registry.index(),
    requestsInFlight() {
      const queued = registry.versions().reduce((sum, { handle }) => sum + (handle?.inFlight() ?? 0), 0);
      return Math.max(queued, edges.rest.busyCount());
    },
    inputsOf: (name) => registry.lookup(name, undefined)?.description.signature.inputs ?? [],
    predict: createPredict({ inference, clock, slicer }),
    reload: () => reloader.reloadAll(),
    stop() {
      isDraining = true;
      health?.refresh();
      stopped ??= stopServer(running).finally(() => sandbox?.close());
      return stopped;
    },
  };
}

async function openWorkflowStore(
  config: ServerConfig,
  parts: Parameters<typeof workflowStoreOf>[1],
): Promise<WorkflowStore | undefined> {
  if (config.compat !== "torchserve") return undefined;
  const { workflowStoreOf: open } = await import("./workflow-store.ts");
  return open(config, parts);
}

function sandboxFor(sources: ModelSources, config: ServerConfig, logger: Logger): OpenSandbox | undefined {
  try {
    const { paths, uploadsFolder, workflowsFolder } = sources;
    const own = [uploadsFolder, workflowsFolder].flatMap((path) => (path === undefined ? [] : [{ path }]));
    return openSandbox(config, [...paths, ...own], logger);
  } catch (error) {
    closeSources(sources);
    throw error;
  }
}

const KNOWN_OPTIONS: Readonly<Record<keyof ServerOptions, true>> = {
  paths: true,
  config: true,
  logger: true,
  clock: true,
  random: true,
  createRuntime: true,
  readConfig: true,
};
const NOT_STARTED = "the server did not start";

function withDefaults({ config, logger, clock, random, ...others }: ServerOptions): CompleteOptions {
  return {
    ...others,
    config: config ?? loadConfig({ flags: new Map([["--port", "0"]]) }),
    logger: logger ?? silentLogger,
    clock: clock ?? systemClock,
    random: random ?? Math.random,
  };
}

/** Triton's names for what both protocols serve beyond the core of v2. */
const EXTENSIONS: readonly string[] = [
  "binary_tensor_data",
  "classification",
  "parameters",
  "schedule_policy",
  "sequence",
  "model_repository",
  "model_repository(unload_dependents)",
  "model_configuration",
  "statistics",
];

function extensionsOf({ sharedMemory }: ServerConfig): readonly string[] {
  return sharedMemory === "system" ? [...EXTENSIONS, "system_shared_memory"] : EXTENSIONS;
}

interface Instruments {
  readonly metrics: Metrics;
  /** Undefined: nothing is traced. */
  readonly tracer: SpanTracer | undefined;
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
}

/** What holds and runs the models. Before the rest: worker processes start while this process still builds its own parts. */
function buildModels(
  options: CompleteOptions,
  {
    metrics,
    tracer,
    loop,
    authentication,
    live,
    sandbox,
    sources,
    budget,
    cacheSharing,
    rolloutFile,
    declaredMetrics,
    onGone,
  }: Instruments & { onGone(model: string): void },
): Pick<RunningParts, "runtime" | "registry" | "control"> & {
  readonly observer: InferenceObserver;
  readonly quota: Quota;
} {
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
  const quota = createQuota((tenant) => authentication?.authenticator.rateOf(tenant) ?? live.tenantRate);
  const load = createModelLoader({
    ...options,
    activeClock: loop.activeClock,
    runtime,
    translationCache,
    defaults,
    caps: modelCaps(config, { cores: usableCores(), memoryBytes: memoryBytes() }),
    metrics,
    tracer,
    quota,
    cacheSharing,
    registry: () => managed.registry,
    ledger: budget,
  });
  const onForgotten = (model: string, version: string): void => {
    observer.forget(model, version);
    onGone(model);
    metrics.drop(managed.registry.isKnown(model) ? { model, version } : { model });
  };
  const managed = createManagedModels({ ...options, sources, load, onForgotten, rolloutFile });
  const observer = createInferenceObserver(metrics, (model) => managed.registry.isKnown(model));
  metrics.collect(() => readModelGauges(managed.registry.versions()));
  if (config.compat === "torchserve")
    metrics.collect(async () => readTorchserveMetrics(managed.registry.versions(), hostname()));
  if (config.tritonMetrics) metrics.collect(() => readTritonMetrics(managed.registry.versions()));
  return { runtime, observer, quota, ...managed };
}

interface Renewed extends Pick<Instruments, "authentication" | "live"> {
  readonly tls: OpenTls | undefined;
  readonly edgeProcesses: EdgeProcesses | undefined;
}

function openReloader(
  { config: { server }, readConfig, clock, logger }: CompleteOptions,
  { tls, authentication, live, edgeProcesses }: Renewed,
): Promise<Reloader> {
  const files: Reloadable[] = [...(authentication?.reloadables ?? [])];
  if (tls !== undefined) files.push(tls.reloadable);
  const things = edgeProcesses === undefined ? files : files.map((file) => alsoIn(edgeProcesses, file));
  if (readConfig !== undefined) {
    things.push({
      what: "the configuration",
      paths: server.config === undefined ? [] : [server.config],
      async reload() {
        const waiting = live.apply(readConfig().server);
        edgeProcesses?.setLogLevel(live.logLevel);
        if (waiting.length > 0) logger.warn({}, `a restart is needed for ${waiting.join(", ")}`);
      },
    });
  }
  return createReloader(things, { clock, logger, intervalMs: server.reloadIntervalMs });
}

/** What this process could read, edge processes read as well. */
function alsoIn(edgeProcesses: EdgeProcesses, { reload, ...thing }: Reloadable): Reloadable {
  return {
    ...thing,
    async reload() {
      await reload();
      await edgeProcesses.reload();
    },
  };
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

async function listen(listener: Listener, config: ServerConfig): Promise<AddressInfo> {
  const [host, port] = [hostAddress(config.host), config.port];
  try {
    return await listener.listen(host, port);
  } catch (error) {
    throw listenError(error, { host, port, hostOption: "--host", portOption: "--port" });
  }
}

async function openHealth(
  config: ServerConfig,
  parts: Pick<HealthServerOptions, "isReady" | "logger">,
): Promise<HealthServer | undefined> {
  if (config.healthAddress === undefined) return undefined;
  const notReadyStatus = notReadyStatusOf(config);
  const wanted = parseHealthAddress(config.healthAddress);
  try {
    const webGate = webGateOptions(config, wanted.host);
    return await startHealthServer({ ...wanted, notReadyStatus, webGate, ...parts });
  } catch (error) {
    const option = "--health-address";
    throw listenError(error, { ...wanted, hostOption: option, portOption: option });
  }
}

function urlOf({ address, family, port }: AddressInfo, scheme: "http" | "https"): string {
  return `${scheme}://${family === "IPv6" ? `[${address}]` : address}:${port}`;
}
