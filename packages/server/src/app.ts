import type { AddressInfo, Socket } from "node:net";
import { totalmem } from "node:os";
import type { Clock } from "./base/clock.ts";
import type { Logger } from "./base/logger.ts";
import { createPrometheusMetrics } from "./base/prometheus-metrics.ts";
import type { TensorSpec } from "./base/signature.ts";
import type { Config } from "./config/load-config.ts";
import { refuseUnsafeStart } from "./config/safe-binding.ts";
import type { ServerConfig } from "./config/server-options.ts";
import { drain, type Parts } from "./drain.ts";
import { createGrpcEdge } from "./edge/grpc/grpc-edge.ts";
import { createInferenceObserver } from "./edge/inference-metrics.ts";
import { createListener, type Listener, LOOPBACK } from "./edge/listener.ts";
import { countRefusals, countSlowTransfers } from "./edge/refusal-metrics.ts";
import { createRestEdge } from "./edge/rest/rest-edge.ts";
import { grpcLimits, listenerLimits, probeLimits, restLimits } from "./edge-limits.ts";
import { createAdminGate } from "./gate/admin-gate.ts";
import { type ByteBudget, createByteBudget } from "./gate/byte-budget.ts";
import { tenantHeaderName } from "./gate/tenant.ts";
import { createTransferPace, DEFAULT_PACE_LIMITS, type TransferPace } from "./gate/transfer-pace.ts";
import { createInference } from "./infer/create-inference.ts";
import { createModelLoader } from "./model-loader.ts";
import { createModelStore } from "./model-store.ts";
import type { IndexEntry } from "./models/registry.ts";
import { createQuota, type Quota } from "./queue/quota.ts";
import { createOnnxRuntime } from "./runtime/onnx/onnx-runtime.ts";
import type { Runtime } from "./runtime/runtime.ts";
import { VERSION } from "./version.ts";
import { workerEnv } from "./worker/worker-env.ts";

export interface ServerOptions {
  readonly config: Config;
  /** Model files and folders. */
  readonly paths: readonly string[];
  readonly logger: Logger;
  readonly clock: Clock;
  /** Uniform in [0, 1): jitter and ids. */
  readonly random: () => number;
  /** What runs the models; default: ONNX Runtime in worker processes. */
  readonly runtime?: Runtime;
}

/** A server that listens. */
export interface RunningServer {
  /** `http://host:port` without a trailing slash. */
  readonly url: string;
  /** The same for the port for probes, if there is one. */
  readonly probeUrl: string | undefined;
  /** Resolves when every model was tried once. */
  readonly settled: Promise<void>;
  models(): readonly IndexEntry[];
  /** Inputs of a model's serving version; empty while it is not ready. */
  inputsOf(name: string): readonly TensorSpec[];
  /** Drains: not ready at once, requests in flight finish, then everything ends. Idempotent. */
  stop(): Promise<void>;
}

/** Builds all parts, opens the port, and begins to load the models. Rejects when the port cannot be had or the options are unsafe. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { clock, logger } = options;
  const { server: config, modelDefaults } = options.config;
  refuseUnsafeStart(config);
  const tenantHeader = config.tenantHeader === undefined ? undefined : tenantHeaderName(config.tenantHeader);
  const metrics = createPrometheusMetrics({ processMetrics: true });
  // First of all: worker processes start while this process still builds its own parts.
  const runtime =
    options.runtime ??
    createOnnxRuntime({ ...options, spares: config.spareWorkers, env: workerEnv(process.env) });
  const load = createModelLoader({
    ...options,
    runtime,
    defaults: modelDefaults,
    metrics,
    quota: tenantQuota(config),
  });
  const { registry, control } = createModelStore({ ...options, load });
  let isDraining = false;
  const inference = createInference({
    registry,
    clock,
    serverInfo: { name: "sconce", version: VERSION, extensions: EXTENSIONS },
    isDraining: () => isDraining,
  });
  const observer = createInferenceObserver(metrics);
  const pace = createTransferPace(clock, DEFAULT_PACE_LIMITS, countSlowTransfers(metrics));
  const budget = byteBudget(config, pace);
  const adminGate = createAdminGate({ isOn: config.modelControl === "explicit", token: config.adminToken });
  const shared = {
    inference,
    administration: control,
    adminGate,
    clock,
    logger,
    observer,
    budget,
    pace,
    tenantHeader,
  };
  const notReadyStatus = config.notReadyStatus === "400" ? 400 : 503;
  const rest = createRestEdge({ ...shared, metrics, limits: restLimits(config), notReadyStatus });
  const grpc = createGrpcEdge({ ...shared, limits: grpcLimits(config) });
  const handOver = {
    onHttp1: (socket: Socket) => rest.server.emit("connection", socket),
    onHttp2: (socket: Socket) => grpc.injectConnection(socket),
    clock,
    onRefused: countRefusals(metrics),
  };
  const unlimited = [...LOOPBACK, ...config.trustedProxies];
  const listener = createListener({ ...handOver, limits: listenerLimits(config), unlimited });
  const probes = createListener({ ...handOver, limits: probeLimits(config) });
  await rest.ready();
  const address = await listener.listen(config.host, config.port);
  const probeAddress = await listenForProbes(config, { listener, probes });
  const started = control.start();
  const parts: Parts = { config, clock, logger, rest, grpc, listener, probes, control, registry, runtime };
  let stopped: Promise<void> | undefined;
  return {
    url: urlOf(address),
    probeUrl: probeAddress === undefined ? undefined : urlOf(probeAddress),
    settled: started.then(() => registry.settled()),
    models: () => registry.index(),
    inputsOf: (name) => registry.lookup(name, undefined)?.description.signature.inputs ?? [],
    stop() {
      isDraining = true;
      stopped ??= drain(parts);
      return stopped;
    },
  };
}

/** Triton's names for what both protocols serve beyond the core of v2. */
const EXTENSIONS: readonly string[] = [
  "binary_tensor_data",
  "parameters",
  "schedule_policy",
  "model_repository",
  "model_repository(unload_dependents)",
  "model_configuration",
  "statistics",
];

/** How many requests may be in flight, however small: each costs a few KiB of this process. */
const MAX_REQUESTS_IN_FLIGHT = 65_536;
const MEMORY_SHARE = 0.25;

function byteBudget(config: ServerConfig, pace: TransferPace): ByteBudget {
  const memoryBytes = Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
  return createByteBudget({
    maxBytes: config.maxInFlightBytes ?? Math.floor(memoryBytes * MEMORY_SHARE),
    maxRequests: MAX_REQUESTS_IN_FLIGHT,
    reclaim: (bytes) => pace.reclaim(bytes),
  });
}

function tenantQuota({ tenantQuota: perSecond, tenantQuotaBurst: burst }: ServerConfig): Quota | undefined {
  return perSecond === undefined ? undefined : createQuota(() => ({ perSecond, burst }));
}

/** Undefined: no such port is wanted. Rejects when it cannot be had, with the other one closed again. */
async function listenForProbes(
  { host, probePort }: ServerConfig,
  { listener, probes }: { readonly listener: Listener; readonly probes: Listener },
): Promise<AddressInfo | undefined> {
  if (probePort === undefined) return undefined;
  try {
    return await probes.listen(host, probePort);
  } catch (error) {
    listener.destroy();
    throw error;
  }
}

function urlOf({ address, family, port }: AddressInfo): string {
  return `http://${family === "IPv6" ? `[${address}]` : address}:${port}`;
}
