import type { Socket } from "node:net";
import type { Server } from "@grpc/grpc-js";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { AdminGate } from "../../gate/admin-gate.ts";
import type { ByteBudget } from "../../gate/byte-budget.ts";
import type { SlowClientGuard } from "../../gate/slow-client-guard.ts";
import type { Administration } from "../../infer/administration.ts";
import type { Inference } from "../../infer/inference.ts";
import type { InferenceObserver } from "../inference-metrics.ts";
import { createTimeSlicer, type TimeSlicer } from "../time-slicer.ts";
import { createDrainSignal, type DrainSignal } from "./drain-signal.ts";
import { callInterceptor, type GrpcMethod } from "./grpc-call.ts";
import { DEFAULT_GRPC_LIMITS, type GrpcLimits } from "./grpc-limits.ts";
import { createHardenedServer, type HardenedServer } from "./hardened-server.ts";
import { createHealthStates, type HealthStates, healthMethods } from "./health.ts";
import { inferMethods } from "./infer-methods.ts";
import { reflectionMethods } from "./reflection.ts";
import { repositoryMethods } from "./repository-methods.ts";
import { serverMethods } from "./server-methods.ts";
import { streamMethods } from "./stream-methods.ts";

/** The names under which health knows the server as a whole. */
const SERVICES = ["inference.GRPCInferenceService", "sconce.v1.ModelServing"];

export interface GrpcEdgeOptions {
  readonly inference: Inference;
  /** Load and unload; the gate says for whom. */
  readonly administration: Administration;
  readonly adminGate: AdminGate;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly observer: InferenceObserver;
  /** What requests of all edges may hold together. */
  readonly budget: ByteBudget;
  /** Shared as well: ends clients that trickle. */
  readonly slowClients: SlowClientGuard;
  /** Shared with the other edges: whose turn it is. Default: its own. */
  readonly slicer?: TimeSlicer;
  readonly limits?: GrpcLimits;
  /** The metadata key that names whose request it is, in lower case. Default: none does. */
  readonly tenantHeader?: string | undefined;
}

/** The gRPC side of the server. It has no port: sockets that speak HTTP/2 are given to it. */
export interface GrpcEdge {
  /** Serves a socket whose first bytes are the HTTP/2 preface, still unread. */
  injectConnection(socket: Socket): void;
  /** Open connections. */
  connectionCount(): number;
  /** False: health answers NOT_SERVING for every service from now on, before the drain begins. */
  setServing(isServing: boolean): void;
  /** Asks every client to leave (GOAWAY), lets calls in progress finish, resolves when the last connection is closed. Idempotent. */
  close(): Promise<void>;
  /** Cuts every connection; calls in progress are cancelled. */
  destroy(reason: string): void;
}

export function createGrpcEdge(options: GrpcEdgeOptions): GrpcEdge {
  const limits = options.limits ?? DEFAULT_GRPC_LIMITS;
  const drain = createDrainSignal();
  const health = createHealthStates(options.inference, SERVICES);
  const slicer = options.slicer ?? createTimeSlicer(options.clock);
  const sliced = { ...options, slicer };
  const methods = new Map(
    allMethods(sliced, { limits, health, drain }).map((method) => [method.path, method]),
  );
  const inflateLimits = { maxBytes: limits.maxReceiveBytes, maxRatio: limits.maxInflateRatio };
  const hardened = createHardenedServer(limits, callInterceptor(methods, { ...sliced, inflateLimits }));
  for (const method of methods.values()) register(hardened.server, method);
  let closed: Promise<void> | undefined;
  return {
    injectConnection: (socket) => hardened.injector.injectConnection(socket),
    connectionCount: () => hardened.sessions.size,
    setServing: (isServing) => health.setServing(isServing),
    close() {
      drain.start();
      closed ??= closeAll(hardened);
      return closed;
    },
    destroy(reason) {
      options.logger.warn({ reason, connections: hardened.sessions.size }, "gRPC connections are cut");
      for (const session of hardened.sessions) session.destroy();
      hardened.server.forceShutdown();
    },
  };
}

interface Parts {
  readonly limits: GrpcLimits;
  readonly health: HealthStates;
  readonly drain: DrainSignal;
}

function allMethods(
  options: GrpcEdgeOptions & { readonly slicer: TimeSlicer },
  { limits, health, drain }: Parts,
): GrpcMethod[] {
  return [
    ...inferMethods(options, limits),
    ...streamMethods(options, limits, drain),
    ...serverMethods(options.inference),
    ...repositoryMethods(options),
    ...healthMethods(health, options.clock, drain),
    ...reflectionMethods(),
  ];
}

/** Tells grpc-js that the path exists; the interceptor takes the call before this handler would run. */
function register(server: Server, method: GrpcMethod): void {
  const type = method.requestStream ? "bidi" : method.responseStream ? "serverStream" : "unary";
  server.register(method.path, unreachable, asBuffer, identity, type);
}

/** grpc-js copies a response behind its frame header, and does so with Buffer's own method. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function identity(bytes: Buffer): Buffer {
  return bytes;
}

function unreachable(): void {}

function closeAll({ server, sessions }: HardenedServer): Promise<void> {
  const gone = [...sessions].map((session) => new Promise<void>((resolve) => session.once("close", resolve)));
  return new Promise((resolve) => {
    server.tryShutdown(() => {});
    void Promise.all(gone).then(() => resolve());
  });
}
