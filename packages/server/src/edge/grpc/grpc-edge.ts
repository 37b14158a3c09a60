import type { Socket } from "node:net";
import type { Server } from "@grpc/grpc-js";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { Inference } from "../../infer/inference.ts";
import type { InferenceObserver } from "../inference-metrics.ts";
import { callInterceptor, type GrpcMethod } from "./grpc-call.ts";
import { DEFAULT_GRPC_LIMITS, type GrpcLimits } from "./grpc-limits.ts";
import { createHardenedServer, type HardenedServer } from "./hardened-server.ts";
import { inferMethods } from "./infer-methods.ts";

export interface GrpcEdgeOptions {
  readonly inference: Inference;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly observer: InferenceObserver;
  readonly limits?: GrpcLimits;
}

/** The gRPC side of the server. It has no port: sockets that speak HTTP/2 are given to it. */
export interface GrpcEdge {
  /** Serves a socket whose first bytes are the HTTP/2 preface, still unread. */
  injectConnection(socket: Socket): void;
  /** Open connections. */
  connectionCount(): number;
  /** Asks every client to leave (GOAWAY), lets calls in progress finish, resolves when the last connection is closed. Idempotent. */
  close(): Promise<void>;
  /** Cuts every connection; calls in progress are cancelled. */
  destroy(reason: string): void;
}

export function createGrpcEdge(options: GrpcEdgeOptions): GrpcEdge {
  const limits = options.limits ?? DEFAULT_GRPC_LIMITS;
  const methods = new Map<string, GrpcMethod>();
  for (const method of inferMethods(options, limits)) methods.set(method.path, method);
  const hardened = createHardenedServer(limits, callInterceptor(methods, options.clock));
  for (const method of methods.values()) register(hardened.server, method);
  let closed: Promise<void> | undefined;
  return {
    injectConnection: (socket) => hardened.injector.injectConnection(socket),
    connectionCount: () => hardened.sessions.size,
    close() {
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

/** Tells grpc-js that the path exists; the interceptor takes the call before this handler would run. */
function register(server: Server, method: GrpcMethod): void {
  const type = method.requestStream ? "bidi" : method.responseStream ? "serverStream" : "unary";
  server.register(method.path, unreachable, identity, identity, type);
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
