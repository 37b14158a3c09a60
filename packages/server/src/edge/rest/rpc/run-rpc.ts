import type { IncomingHttpHeaders } from "node:http2";
import { Readable } from "node:stream";
import type { DescMethod } from "@bufbuild/protobuf";
import { ServeError } from "../../../base/errors.ts";
import { readBody } from "../call/body.ts";
import type { RestCall } from "../call/rest-call.ts";
import { spellConnectError } from "./connect-status.ts";
import { framed } from "./envelopes.ts";
import { binaryOf, jsonOf } from "./message-json.ts";
import { type MethodName, methodOf } from "./rpc-method.ts";
import { streamingSink, unarySink } from "./rpc-sinks.ts";
import { type RpcSink, type RpcSource, RpcStream } from "./rpc-stream.ts";
import { connectWire, grpcWebTextWire, grpcWebWire, type RpcWire } from "./rpc-wire.ts";

const CONNECT_TIMEOUT = /^[0-9]{1,10}$/;
/** Digits of gRPC's own header. */
const MAX_DIGITS = 8;
const NOTHING: Buffer = Buffer.alloc(0);

/** Answers a call of gRPC-Web or Connect. Throws, and rejects with, ServeError. */
export async function runRpc(call: RestCall, name: MethodName): Promise<void> {
  const method = methodOf(name);
  const type = mediaType(call.request.headers["content-type"]);
  switch (type) {
    case "application/grpc-web":
    case "application/grpc-web+proto":
      return openStream(call, name, grpcWebWire("application/grpc-web+proto"));
    case "application/grpc-web-text":
    case "application/grpc-web-text+proto":
      return openStream(call, name, grpcWebTextWire("application/grpc-web-text+proto"));
    case "application/connect+proto":
    case "application/connect+json": {
      checkConnect(call);
      if (method?.methodKind === "unary") throw wrongKind(type, "application/proto or application/json");
      const isJson = type.endsWith("json");
      return openStream(call, name, connectWire(type, isJson ? method : undefined));
    }
    case "application/proto":
    case "application/json":
      call.spellError = spellConnectError;
      checkConnect(call);
      if (method !== undefined && method.methodKind !== "unary")
        throw wrongKind(type, "application/connect+proto or application/connect+json");
      return await openUnary(call, { name, method, type });
    default:
      throw unknownType(type);
  }
}

/** What a header says without its parameters. */
function mediaType(header: string | undefined): string {
  return (header ?? "").split(";", 1)[0]!.trim().toLowerCase();
}

function openStream(call: RestCall, name: MethodName, wire: RpcWire): void {
  refuseWholeCoding(call);
  if (call.request.headers.expect !== undefined) call.continue();
  const { "connect-content-encoding": coding } = call.request.headers;
  const source = {
    body: call.transport.message,
    read: (bytes: Buffer) => wire.read(bytes),
    readRest: () => wire.readRest(),
  };
  open(call, name, {
    source,
    sink: streamingSink(call, wire),
    headers: coding === undefined ? {} : { "grpc-encoding": String(coding) },
  });
}

interface UnaryCall {
  readonly name: MethodName;
  /** Undefined: there is none, which gRPC's code says. */
  readonly method: DescMethod | undefined;
  readonly type: string;
}

async function openUnary(call: RestCall, { name, method, type }: UnaryCall): Promise<void> {
  const isJson = type === "application/json" && method !== undefined;
  const body = await readBody(call);
  const frame = framed(isJson ? binaryOf(method.input, body) : body);
  // From here on gRPC's code pays for the message.
  call.release();
  const spell = (message: Buffer): Buffer => (isJson ? jsonOf(method.output, message) : message);
  const source = { body: Readable.from([frame]), read: (bytes: Buffer) => bytes, readRest: () => NOTHING };
  open(call, name, { source, sink: unarySink(call, { contentType: type, spell }), headers: {} });
}

interface CallEnds {
  readonly source: RpcSource;
  readonly sink: RpcSink;
  /** As gRPC has them, beside those that came. */
  readonly headers: IncomingHttpHeaders;
}

function open(call: RestCall, { service, method }: MethodName, { source, sink, headers }: CallEnds): void {
  const { openCall } = call.context;
  if (openCall === undefined) throw new ServeError("unimplemented", "there is no gRPC here");
  const stream = new RpcStream(source, sink, call.transport.connection);
  call.onEnd(() => stream.finish());
  const opened = openCall({
    stream,
    headers: {
      ...call.request.headers,
      ...headers,
      ...deadlineOf(call),
      ":method": "POST",
      ":path": `/${service}/${method}`,
      "content-type": "application/grpc",
    },
    peer: { leftCall() {} },
    receivedMs: call.timeline.receivedMs,
  });
  stream.start((error) => opened?.fail(error));
}

/** Connect's deadline in gRPC's words. Throws `invalid_argument`. */
function deadlineOf(call: RestCall): IncomingHttpHeaders {
  const timeout = call.request.headers["connect-timeout-ms"];
  if (timeout === undefined) return {};
  if (typeof timeout !== "string" || !CONNECT_TIMEOUT.test(timeout)) {
    throw new ServeError("invalid_argument", "connect-timeout-ms must be one to ten digits", {
      reason: "bad_timeout",
    });
  }
  return {
    "grpc-timeout": timeout.length <= MAX_DIGITS ? `${timeout}m` : `${Math.ceil(Number(timeout) / 1000)}S`,
  };
}

function checkConnect(call: RestCall): void {
  const version = call.request.headers["connect-protocol-version"];
  if (version === undefined || version === "1") return;
  throw new ServeError("invalid_argument", "connect-protocol-version: this server speaks version 1", {
    reason: "bad_request",
  });
}

/** Messages in envelopes are compressed one by one; a body that is compressed as a whole would be read as nonsense. */
function refuseWholeCoding(call: RestCall): void {
  const coding = call.request.headers["content-encoding"]?.toLowerCase() ?? "identity";
  if (coding === "identity" || coding === "") return;
  throw new ServeError(
    "invalid_argument",
    "Content-Encoding: messages in envelopes are compressed one by one, as grpc-encoding or connect-content-encoding says; leave it out",
    { reason: "unsupported_encoding" },
  );
}

function wrongKind(type: string, right: string): ServeError {
  return unsupported(`Content-Type: this method does not take ${type}; send ${right}`);
}

function unknownType(type: string): ServeError {
  const shown = type.slice(0, 64);
  const isGrpc = shown.startsWith("application/grpc") && !shown.startsWith("application/grpc-web");
  const why = isGrpc
    ? `${shown} needs HTTP/2; over HTTP/1.1 send application/grpc-web`
    : `expected application/json, application/proto, application/connect+… or application/grpc-web, got "${shown}"`;
  return unsupported(`Content-Type: ${why}`);
}

function unsupported(message: string): ServeError {
  return new ServeError("invalid_argument", message, { reason: "unsupported_media_type" });
}
