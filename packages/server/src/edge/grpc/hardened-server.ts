import type {
  Http2Server,
  IncomingHttpHeaders,
  ServerHttp2Session,
  ServerHttp2Stream,
  ServerOptions,
} from "node:http2";
import { type ConnectionInjector, Server, ServerCredentials, type ServerInterceptor } from "@grpc/grpc-js";
import { invariant } from "../../base/errors.ts";
import { channelOptions, type GrpcLimits, http2Options } from "./grpc-limits.ts";

/** Metadata key under which a call finds its `grpc-timeout`. No client can set it. */
export const TIMEOUT_KEY = "sconce-grpc-timeout";

/**
 * What grpc-js has no option for. It offers neither Node's HTTP/2 limits nor the raw `grpc-timeout` (its own parser truncates to
 * 32 bits: `2147484S` would expire at once), so this file reaches for two private fields. The version of grpc-js is pinned, and a
 * missing field stops the start.
 */
interface Internals {
  readonly commonServerOptions: ServerOptions;
  readonly http2Servers: ReadonlyMap<Http2Server, unknown>;
}

export interface HardenedServer {
  readonly server: Server;
  readonly injector: ConnectionInjector;
  /** Connections that are open now. */
  readonly sessions: ReadonlySet<ServerHttp2Session>;
}

/**
 * A grpc-js server with every limit set, fed with sockets through `injector`. `intercept` makes its interceptor; while that takes a call,
 * `opening` says which stream the call came on, which grpc-js shows to nobody.
 */
export function createHardenedServer(
  limits: GrpcLimits,
  intercept: (opening: () => ServerHttp2Stream) => ServerInterceptor,
): HardenedServer {
  let opening: ServerHttp2Stream | undefined;
  const interceptor = intercept(() => {
    invariant(opening, "grpc-js opens a call while its stream is announced");
    return opening;
  });
  const server = new Server({ ...channelOptions(limits), interceptors: [interceptor] });
  const internals = server as unknown as Internals;
  invariant(internals.commonServerOptions, "grpc-js keeps its HTTP/2 options");
  Object.assign(internals.commonServerOptions, http2Options(limits));
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const [http2] = internals.http2Servers?.keys() ?? [];
  invariant(http2, "grpc-js keeps its HTTP/2 server");
  const sessions = new Set<ServerHttp2Session>();
  http2.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  });
  // A broken connection ends its own calls; nobody else has to know.
  http2.on("sessionError", () => {});
  http2.prependListener("stream", (stream, headers: IncomingHttpHeaders) => {
    opening = stream;
    takeTimeout(headers);
    dropIgnored(headers);
  });
  return { server, injector, sessions };
}

/**
 * Takes away what every client sends and grpc-js never reads, but checks, copies into its metadata and removes from there: 3 of the 8 µs
 * that a call's headers cost.
 */
function dropIgnored(headers: IncomingHttpHeaders): void {
  delete headers["te"];
  delete headers["accept-encoding"];
  delete headers["grpc-accept-encoding"];
}

/** Hides `grpc-timeout` from grpc-js and keeps it for us. */
function takeTimeout(headers: IncomingHttpHeaders): void {
  const timeout = headers["grpc-timeout"];
  if (timeout === undefined) {
    if (headers[TIMEOUT_KEY] !== undefined) delete headers[TIMEOUT_KEY];
    return;
  }
  delete headers["grpc-timeout"];
  headers[TIMEOUT_KEY] = timeout;
}
