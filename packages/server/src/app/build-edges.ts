import { totalmem } from "node:os";
import type { Clock } from "../base/clock.ts";
import { ServeError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { Metrics } from "../base/metrics.ts";
import type { Tracer } from "../base/request-trace.ts";
import type { TenantUsage } from "../base/tenant-usage.ts";
import { hostAddress, isLoopback } from "../config/host-address.ts";
import { isAuthenticating } from "../config/safe-binding.ts";
import type { ServerConfig } from "../config/server-options.ts";
import { traceRatioOf } from "../config/trace-options.ts";
import type { Audit } from "../edge/authentication.ts";
import { countConnections, countRejections, measureCompression } from "../edge/client-metrics.ts";
import type { ReadLoadConfig } from "../edge/control-parameters.ts";
import type { CpuProfiler } from "../edge/cpu-profiler.ts";
import type { ForwardedStreams, GrpcEdge } from "../edge/grpc/grpc-edge.ts";
import type { InferenceObserver } from "../edge/inference-metrics.ts";
import { createListener, type Listener, LOOPBACK } from "../edge/listener.ts";
import type { MemoryRegions } from "../edge/memory-regions.ts";
import { createRequestLog } from "../edge/request-log.ts";
import type { RequestRecorder } from "../edge/rest/call/request-recorder.ts";
import type { ForwardedCalls } from "../edge/rest/rest-edge.ts";
import type { TimeSlicer } from "../edge/time-slicer.ts";
import type { WorkflowStore } from "../edge/torchserve/workflows.ts";
import type { TraceSampler, TraceSettings } from "../edge/trace-settings.ts";
import { createAdminGate } from "../gate/admin-gate.ts";
import type { ByteBudget, ByteBudgetOptions } from "../gate/byte-budget.ts";
import type { SlowClientGuard } from "../gate/slow-client-guard.ts";
import { rolloutHeaderName } from "../gate/tenant.ts";
import type { WebGate, WebGateOptions } from "../gate/web-gate.ts";
import type { Administration } from "../infer/administration.ts";
import type { Inference } from "../infer/inference.ts";
import { auditedAdministration } from "./audited-administration.ts";
import { createDenialLog } from "./denial-log.ts";
import { grpcLimits, listenerLimits, mostRegions, restLimits } from "./edge-limits.ts";
import type { EventLoop } from "./event-loop.ts";
import type { LiveSettings } from "./live-settings.ts";
import type { OpenAuthentication } from "./open-authentication.ts";
import type { OpenTls } from "./open-tls.ts";
import type { Front, FrontMakers, TorchserveFronts } from "./torchserve-fronts.ts";

/** What the edges of a process are built from. */
export interface EdgeSurroundings {
  readonly config: ServerConfig;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly metrics: Metrics;
  readonly loop: EventLoop;
  readonly observer: InferenceObserver;
  /** Undefined: nothing is traced. */
  readonly tracer: (Tracer & TraceSampler) | undefined;
  readonly inference: Inference;
  readonly control: Administration;
  /** Undefined: everybody may come in. */
  readonly authentication: OpenAuthentication | undefined;
  readonly live: Pick<LiveSettings, "logLevel">;
  readonly slicer: TimeSlicer;
  readonly webGate: WebGate;
  readonly tenantHeader: string | undefined;
  /** What each tenant asked; default: nobody counts. */
  readonly tenantUsage?: (() => readonly TenantUsage[]) | undefined;
  readonly tls: OpenTls | undefined;
  readonly slowClients: SlowClientGuard;
  /** What requests in flight may hold. */
  readonly budget: ByteBudget;
  /** Makes the listener of the port in place of one of this process. */
  readonly createMainListener?: ((edges: Pick<Front, "rest" | "grpc">) => Listener) | undefined;
  /** Where workflows come from, with `--compat torchserve`. Default: there is no such place. */
  readonly workflowStore?: WorkflowStore | undefined;
  /** What another process answers; default: this one answers everything. */
  readonly forwarded?: { readonly rest: ForwardedCalls; readonly grpc: ForwardedStreams } | undefined;
}

export interface BuiltEdges extends Front {
  /** Shared memory that clients have registered; undefined: none may be. */
  readonly regions: MemoryRegions | undefined;
  /** Undefined: requests are not kept. */
  readonly recorder: RequestRecorder | undefined;
  /** Opens further ports; undefined: there are none. */
  readonly listenMore: TorchserveFronts["listen"] | undefined;
}

/** How many requests may be in flight, however small: each costs a few KiB of this process. */
const MAX_REQUESTS_IN_FLIGHT = 65_536;
const MEMORY_SHARE = 0.25;

/** Of the machine, or of the container it runs in. */
export function memoryBytes(): number {
  return Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
}

/** What requests in flight may hold, whoever counts it. */
export function budgetOptions(
  { maxInFlightBytes }: ServerConfig,
  slowClients: SlowClientGuard,
): ByteBudgetOptions {
  return {
    maxBytes: maxInFlightBytes ?? Math.floor(memoryBytes() * MEMORY_SHARE),
    maxRequests: MAX_REQUESTS_IN_FLIGHT,
    reclaim: (bytes) => slowClients.reclaim(bytes),
  };
}

/**
 * What speaks with clients. All edges share what requests may hold, and whose turn it is. Their code is loaded here, while the first
 * workers start on other cores.
 */
export async function buildEdges(surroundings: EdgeSurroundings): Promise<BuiltEdges> {
  const { config, clock, logger, random, metrics, loop, observer, inference, slicer, tls, live } =
    surroundings;
  const [{ createRestEdge }, { createGrpcEdge }] = await Promise.all([
    import("../edge/rest/rest-edge.ts"),
    import("../edge/grpc/grpc-edge.ts"),
  ]);
  const { regions, readLoadConfig, cpuProfiler } = await allowedExtensions(config, clock);
  const recorder = await openRecorder(surroundings);
  const shared = {
    inference,
    ...openControlPlane(surroundings),
    regions,
    readLoadConfig,
    cpuProfiler,
    webGate: surroundings.webGate,
    adminGate: createAdminGate({ isOn: config.modelControl === "explicit", token: config.adminToken }),
    rolloutGate: createAdminGate({
      isOn: config.modelControl === "explicit" || isAuthenticating(config) || config.adminToken !== undefined,
      token: config.adminToken,
      whenOff:
        "there is no administrator here: start the server with an admin token, --api-keys or --jwt-keys",
    }),
    clock,
    logger,
    requestLog: createRequestLog({ logger, clock, isComplete: config.accessLog }),
    logLevel: () => live.logLevel,
    traceSettings: await traceSettingsOf(surroundings),
    defaultModel: config.defaultModel,
    observer,
    tracer: surroundings.tracer,
    budget: surroundings.budget,
    slowClients: surroundings.slowClients,
    slicer,
    tenantHeader: surroundings.tenantHeader,
    rolloutHeader: config.rolloutHeader === undefined ? undefined : rolloutHeaderName(config.rolloutHeader),
  };
  const { forwarded } = surroundings;
  const onRejected = countRejections(metrics);
  const onOpened = countConnections(metrics);
  const makers: FrontMakers = {
    rest: (torchserve, grpcOf) =>
      createRestEdge({
        ...shared,
        openCall: (call) => grpcOf().openForeign(call),
        metrics,
        onCompressed: measureCompression(metrics),
        recorder,
        tenantUsage: surroundings.tenantUsage,
        limits: restLimits(config),
        notReadyStatus: notReadyStatusOf(config),
        fastLane: config.fastLane === "on",
        torchserve,
        forwarded: forwarded?.rest,
      }),
    grpc: (torchserve, rest) =>
      createGrpcEdge({
        ...shared,
        onRest: (request) => rest.acceptRequest(request),
        limits: grpcLimits(config),
        typedResponses: config.grpcTypedAnswers,
        streamResponses: config.grpcStreamAnswers,
        activeClock: loop.activeClock,
        random,
        torchserve,
        forwarded: forwarded?.grpc,
      }),
    listener: (onHttp1, onHttp2) =>
      createListener({
        onHttp1,
        onHttp2,
        tls: tls?.door,
        clock: loop.activeClock,
        limits: listenerLimits(config),
        onOpened,
        onRejected,
        unlimited: [...LOOPBACK, ...config.trustedProxies],
      }),
  };
  const fronts =
    config.compat === "torchserve" && forwarded === undefined && surroundings.workflowStore !== undefined
      ? (await import("./torchserve-fronts.ts")).createTorchserveFronts(config, {
          ...shared,
          renewToken: surroundings.authentication?.renewToken,
          workflowStore: surroundings.workflowStore,
        })
      : undefined;
  const rest = makers.rest(fronts?.main, () => grpc);
  const grpc: GrpcEdge = makers.grpc(fronts?.main, rest);
  const listener =
    surroundings.createMainListener?.({ rest, grpc }) ??
    makers.listener(
      (socket) => rest.accept(socket),
      (socket) => grpc.injectConnection(socket),
    );
  const front: Front = { rest, grpc, listener };
  return { ...(fronts?.join(front, makers) ?? front), regions, recorder, listenMore: fronts?.listen };
}

export function webGateOptions({ corsOrigins, allowedHosts }: ServerConfig, host: string): WebGateOptions {
  return { boundHost: hostAddress(host), isLoopback: isLoopback(host), corsOrigins, allowedHosts };
}

/** Where the server knows its callers, the log names each; else whoever loads and unloads holds the administrator's token. */
function openControlPlane({ control, logger, clock, authentication }: EdgeSurroundings) {
  const audit: Audit = (administration, by) => auditedAdministration(administration, { logger, by });
  return authentication === undefined
    ? { administration: audit(control, "the administrator") }
    : {
        administration: control,
        authentication: {
          authenticator: authentication.authenticator,
          audit,
          denied: createDenialLog(logger, clock),
        },
      };
}

/** What only some operators allow, whose code nobody else's server loads. */
async function allowedExtensions(
  { sharedMemory, allowLoadConfig, allowModelUpload, allowProfile }: ServerConfig,
  clock: Clock,
): Promise<{
  readonly regions: MemoryRegions | undefined;
  readonly readLoadConfig: ReadLoadConfig | undefined;
  readonly cpuProfiler: CpuProfiler | undefined;
}> {
  return {
    regions:
      sharedMemory === "system"
        ? (await import("../edge/memory-regions.ts")).createMemoryRegions({ maxRegions: mostRegions() })
        : undefined,
    cpuProfiler: allowProfile
      ? (await import("../edge/cpu-profiler.ts")).createCpuProfiler(clock)
      : undefined,
    readLoadConfig:
      allowLoadConfig || allowModelUpload
        ? (await import("../config/triton-settings.ts")).readTritonJson
        : undefined,
  };
}

async function openRecorder({
  config: { record, recordLimitBytes },
  logger,
  createMainListener,
  forwarded,
}: EdgeSurroundings): Promise<RequestRecorder | undefined> {
  if (record === undefined) return undefined;
  if (createMainListener !== undefined || forwarded !== undefined)
    throw new ServeError("invalid_argument", "--record is for a server without --edges", {
      reason: "bad_option",
    });
  const { recordRequests } = await import("../edge/rest/call/request-recorder.ts");
  return await recordRequests(record, { maxBytes: recordLimitBytes, logger });
}

/** What requests may say of traces. Loaded by the edges in any case. */
async function traceSettingsOf({ config, tracer }: EdgeSurroundings): Promise<TraceSettings> {
  const { adjustableTraceSettings, FIXED_TRACE_SETTINGS } = await import("../edge/trace-settings.ts");
  if (tracer === undefined || !config.allowTraceSettings) return FIXED_TRACE_SETTINGS;
  return adjustableTraceSettings(traceRatioOf(config), tracer);
}

export function notReadyStatusOf({ notReadyStatus }: ServerConfig): 400 | 503 {
  return notReadyStatus === "400" ? 400 : 503;
}
