import type {
  Http2Server,
  IncomingHttpHeaders,
  ServerHttp2Session,
  ServerHttp2Stream,
  ServerOptions,
} from "node:http2";
import {
  type ConnectionInjector,
  Server,
  ServerCredentials,
  type ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
} from "@grpc/grpc-js";
import { invariant } from "../../base/errors.ts";
import { channelOptions, type GrpcLimits, http2Options } from "./grpc-limits.ts";
import type { Coding } from "./inflate-message.ts";
import { frameInPlace } from "./message-block.ts";
import { MessageDecoder, PREFIX_BYTES } from "./message-decoder.ts";

/** Metadata key under which a call finds its `grpc-timeout`. No client can set it. */
export const TIMEOUT_KEY = "sconce-grpc-timeout";

/**
 * What grpc-js has no option for. It offers neither Node's HTTP/2 limits nor the raw `grpc-timeout` (its own parser truncates to
 * 32 bits: `2147484S` would expire at once), so this file reaches for private fields. The version of grpc-js is pinned, and a
 * missing field stops the start.
 */
interface Internals {
  readonly commonServerOptions: ServerOptions;
  readonly http2Servers: ReadonlyMap<Http2Server, unknown>;
}

/** What it has no option for in a call: how messages are taken out of the stream's bytes, and put into them. */
interface CallInternals {
  decoder: { write(data: Buffer): Buffer[] };
  serializeMessage(message: Uint8Array): Buffer;
  readonly incomingEncoding: string;
  decompressMessage(frame: Buffer, encoding: string): Buffer | Promise<Buffer>;
}

export interface HardenedServer {
  readonly server: Server;
  readonly injector: ConnectionInjector;
  /** Connections that are open now. */
  readonly sessions: ReadonlySet<ServerHttp2Session>;
}

/** An interceptor that is also told which stream of HTTP/2 carries the call. */
export type StreamInterceptor = (
  ...args: [...Parameters<ServerInterceptor>, stream: ServerHttp2Stream]
) => ServerInterceptingCall;

/** A grpc-js server with every limit set, fed with sockets through `injector`. */
export function createHardenedServer(limits: GrpcLimits, interceptor: StreamInterceptor): HardenedServer {
  // grpc-js sets up a call within the event that announces its stream.
  let latest: ServerHttp2Stream | undefined;
  const intercept: ServerInterceptor = (definition, next) => {
    invariant(latest, "a call comes with a stream");
    return interceptor(definition, next, latest);
  };
  const server = new Server({ ...channelOptions(limits), interceptors: [intercept] });
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
  http2.prependListener("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    latest = stream;
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

/** Spares a call the copies of large messages, each of which would stop the event loop. For calls that have not read anything yet. */
export function hardenCall(call: ServerInterceptingCallInterface, maxReceiveBytes: number): void {
  const internals = call as unknown as CallInternals;
  invariant(internals.decoder?.write, "grpc-js keeps a call's decoder");
  internals.decoder = new MessageDecoder(maxReceiveBytes);
  const { serializeMessage } = internals;
  invariant(serializeMessage, "grpc-js frames messages");
  internals.serializeMessage = (message) => frameInPlace(message) ?? serializeMessage.call(call, message);
}

/**
 * Has a call's compressed messages inflated by `inflate`: grpc-js counts nothing that it inflates, and keeps it for as long as the client likes.
 * Calls without compression are left alone.
 */
export function inflateBy(
  call: ServerInterceptingCallInterface,
  inflate: (contents: Buffer, coding: Coding) => Promise<Buffer>,
): void {
  const internals = call as unknown as CallInternals;
  const { incomingEncoding, decompressMessage } = internals;
  invariant(incomingEncoding, "grpc-js keeps a call's encoding");
  invariant(decompressMessage, "grpc-js inflates messages");
  internals.decompressMessage = (frame, encoding) =>
    encoding === "gzip" || encoding === "deflate"
      ? inflate(frame.subarray(PREFIX_BYTES), encoding)
      : decompressMessage.call(call, frame, encoding);
}

/** Whether a call says that its messages may be compressed. */
export function isCompressed(call: ServerInterceptingCallInterface): boolean {
  return (call as unknown as CallInternals).incomingEncoding !== "identity";
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
