import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { AdminGate } from "../../gate/admin-gate.ts";
import { notPermitted } from "../../gate/authenticator.ts";
import type { ByteBudget } from "../../gate/byte-budget.ts";
import type { SlowClientGuard } from "../../gate/slow-client-guard.ts";
import { createWebGate, NO_ADDRESS, type WebGate } from "../../gate/web-gate.ts";
import type { Administration } from "../../infer/administration.ts";
import type { Inference } from "../../infer/inference.ts";
import { permittedAdministration, permittedInference } from "../../infer/permitted-inference.ts";
import type { Authentication } from "../authentication.ts";
import type { OpenForeignCall } from "../call-stream.ts";
import { createCallerViews } from "../caller-views.ts";
import type { ReadLoadConfig } from "../control-parameters.ts";
import { type Http2Request, REST_SCHEME } from "../http2-request.ts";
import type { InferenceObserver } from "../inference-metrics.ts";
import type { MemoryRegions } from "../memory-regions.ts";
import type { RequestLog } from "../request-log.ts";
import { createTimeSlicer, type TimeSlicer } from "../time-slicer.ts";
import type { TorchserveApis } from "../torchserve/torchserve-apis.ts";
import { FIXED_TRACE_SETTINGS, type TraceSettings } from "../trace-settings.ts";
import { createDrainSignal, type DrainSignal } from "./drain-signal.ts";
import type { GrpcMethod } from "./grpc-call.ts";
import { GrpcConnection } from "./grpc-connection.ts";
import { DEFAULT_GRPC_LIMITS, type GrpcLimits } from "./grpc-limits.ts";
import { createHealthStates, type HealthStates, healthMethods } from "./health.ts";
import { inferMethods } from "./infer-methods.ts";
import type { InferenceDeps, StreamResponses, TypedResponses } from "./inquiry.ts";
import { callOpener, isGrpc, type MethodTable } from "./open-call.ts";
import { reflectionMethods } from "./reflection.ts";
import { repositoryMethods } from "./repository-methods.ts";
import { serverMethods } from "./server-methods.ts";
import { settingMethods } from "./setting-methods.ts";
import { streamMethods } from "./stream-methods.ts";
import { tensorflowMethods } from "./tensorflow-methods.ts";
import { torchserveInferenceMethods } from "./torchserve-inference.ts";
import { torchserveManagementMethods } from "./torchserve-management.ts";

/** The names under which health knows the server as a whole. */
const SERVICES = ["inference.GRPCInferenceService", "sconce.v1.ModelServing"];

export interface GrpcEdgeOptions {
  readonly inference: Inference;
  /** Load and unload; the gate says for whom. */
  readonly administration: Administration;
  readonly adminGate: AdminGate;
  /** Default: everybody may come in. */
  readonly authentication?: Authentication | undefined;
  /** Which web pages may come in, and under which names the server is known. Default: under any, and its own pages only. */
  readonly webGate?: WebGate;
  readonly clock: Clock;
  /** Stands still while this process does, for what judges connections by their silence and age. Default: `clock`. */
  readonly activeClock?: Clock;
  /** Uniform in [0, 1). Default: `Math.random`. */
  readonly random?: () => number;
  readonly logger: Logger;
  readonly requestLog?: RequestLog | undefined;
  readonly observer: InferenceObserver;
  /** What requests of all edges may hold together. */
  readonly budget: ByteBudget;
  /** Shared as well: ends clients that trickle. */
  readonly slowClients: SlowClientGuard;
  /** Shared with the other edges: whose turn it is. Default: its own. */
  readonly slicer?: TimeSlicer;
  readonly limits?: GrpcLimits;
  /** Takes over streams of HTTP/2 that do not ask for gRPC. Default: they are rejected. */
  readonly onRest?: (request: Http2Request) => void;
  /** The metadata key that names whose request it is, in lower case. Default: none does. */
  readonly tenantHeader?: string | undefined;
  /** The one that says which version of a rollout a request goes to. Default: none does. */
  readonly rolloutHeader?: string | undefined;
  /** Whether answers of the Open Inference Protocol hold typed contents. Default: never. */
  readonly typedResponses?: TypedResponses;
  readonly streamResponses?: StreamResponses;
  /** The model of requests that name none. Default: the only one there is. */
  readonly defaultModel?: string | undefined;
  /** Reads the configuration of a load request. Default: the operator does not allow it. */
  readonly readLoadConfig?: ReadLoadConfig | undefined;
  /** Shared memory that clients have registered; the edges share it. Default: none may be. */
  readonly regions?: MemoryRegions | undefined;
  /** `--log-level`, for who asks about it. Default: info. */
  readonly logLevel?: () => string;
  /** Default: requests change none. */
  readonly traceSettings?: TraceSettings;
  /** What of TorchServe's services is answered as well, or alone; default: nothing. */
  readonly torchserve?: TorchserveApis | undefined;
  /** Who answers some of the calls; default: this edge answers all. */
  readonly forwarded?: ForwardedStreams | undefined;
}

/** What an edge process has answered by the server process. */
export interface ForwardedStreams {
  forward(call: Omit<Http2Request, "rawHeaders">): void;
  /** Whether this process answers calls of a path itself. */
  isOurs(path: string): boolean;
}

/** The gRPC side of the server. It has no port: sockets that speak HTTP/2 are given to it. */
export interface GrpcEdge {
  /** Has a call answered that came in another protocol. */
  readonly openForeign: OpenForeignCall;
  /** Serves a socket whose first bytes are the HTTP/2 preface, still unread. `limits`: for this connection; default: those of the edge. */
  injectConnection(socket: Socket, limits?: GrpcLimits): void;
  /** Open connections. */
  connectionCount(): number;
  /** False: health answers NOT_SERVING for every service from now on, before the drain begins. */
  setServing(isServing: boolean): void;
  /** Ends calls without an end of their own: streams, watches of health. */
  endStreams(): void;
  /** Asks every client to leave (GOAWAY), lets calls in progress finish, resolves when the last connection is closed. Idempotent. */
  close(): Promise<void>;
  /** Cuts every connection; calls in progress are cancelled. */
  destroy(reason: string): void;
}

export function createGrpcEdge(options: GrpcEdgeOptions): GrpcEdge {
  const limits = options.limits ?? DEFAULT_GRPC_LIMITS;
  const drain = createDrainSignal();
  const health = createHealthStates(options.inference, SERVICES);
  const deps = {
    ...options,
    authenticator: options.authentication?.authenticator,
    webGate: options.webGate ?? createWebGate(NO_ADDRESS),
    slicer: options.slicer ?? createTimeSlicer(options.clock),
    inflateLimits: { maxBytes: limits.maxReceiveBytes, maxRatio: limits.maxInflateRatio },
    maxSendBytes: limits.maxSendBytes,
    maxReceiveBytes: limits.maxReceiveBytes,
  };
  const parts = { limits, health, drain };
  const all = allMethods(deps, parts);
  const of = createCallerViews(all, ({ includes }) => {
    const inference = permittedInference(deps.inference, includes, notPermitted);
    const administration = permittedAdministration(deps.administration, includes, notPermitted);
    return allMethods({ ...deps, inference, administration }, { ...parts, health: health.as(inference) });
  });
  const openCall = callOpener({ all, of }, deps);
  const { activeClock = options.clock, random = Math.random, onRest, forwarded } = options;
  const connections = new Set<GrpcConnection>();
  let whenEmpty = (): void => {};
  let closed: Promise<void> | undefined;
  return {
    openForeign: openCall,
    injectConnection(socket, own = limits) {
      const connection = new GrpcConnection(socket, { clock: activeClock, random, limits: own });
      connections.add(connection);
      connection.session.once("close", () => {
        connections.delete(connection);
        if (connections.size === 0) whenEmpty();
      });
      // Node gives the headers as they came as well, which its types do not know.
      const onStream = (
        stream: ServerHttp2Stream,
        headers: IncomingHttpHeaders,
        _flags: number,
        rawHeaders: readonly string[] = [],
      ): void => {
        connection.openedCall();
        if (onRest === undefined || (isGrpc(headers) && headers[":scheme"] !== REST_SCHEME)) {
          if (forwarded === undefined || forwarded.isOurs(headers[":path"] ?? ""))
            openCall({ stream, headers, peer: connection });
          else forwarded.forward({ stream, headers, peer: connection });
        } else onRest({ stream, headers, rawHeaders, peer: connection });
      };
      connection.session.on("stream", onStream);
      if (closed !== undefined) connection.leave();
    },
    connectionCount: () => connections.size,
    setServing: (isServing) => health.setServing(isServing),
    endStreams: () => drain.start(),
    close() {
      if (closed !== undefined) return closed;
      closed = new Promise((resolve) => {
        whenEmpty = resolve;
      });
      drain.start();
      for (const connection of connections) connection.leave();
      if (connections.size === 0) whenEmpty();
      return closed;
    },
    destroy(reason) {
      options.logger.warn({ reason, connections: connections.size }, "gRPC connections are cut");
      for (const connection of connections) connection.destroy();
    },
  };
}

function torchserveMethods(
  deps: GrpcEdgeOptions & InferenceDeps,
  { apis, drain }: { readonly apis: TorchserveApis | undefined; readonly drain: DrainSignal },
): GrpcMethod[] {
  if (apis === undefined) return [];
  const managing = apis.withManagement ? torchserveManagementMethods(deps, apis) : [];
  return [...torchserveInferenceMethods(deps, drain), ...managing];
}

interface Parts {
  readonly limits: GrpcLimits;
  readonly health: HealthStates;
  readonly drain: DrainSignal;
}

function allMethods(options: GrpcEdgeOptions & InferenceDeps, { limits, health, drain }: Parts): MethodTable {
  const { torchserve } = options;
  const own = (): readonly GrpcMethod[] => [
    ...inferMethods(options, limits),
    ...streamMethods(options, limits, drain),
    ...torchserveMethods(options, { apis: torchserve, drain }),
    ...tensorflowMethods(options, limits),
    ...settingMethods({
      logLevel: options.logLevel ?? (() => "info"),
      traceSettings: options.traceSettings ?? FIXED_TRACE_SETTINGS,
      isKnownModel: (name) => options.inference.isModelReady(name, undefined),
      regions: options.regions,
    }),
    ...serverMethods(options.inference, options.clock),
    ...repositoryMethods(options),
  ];
  const methods = [
    ...(torchserve?.only === undefined ? own() : torchserveManagementMethods(options, torchserve)),
    ...healthMethods(health, options.clock, drain),
    ...reflectionMethods(),
  ];
  return new Map(methods.map((method) => [method.path, method]));
}
