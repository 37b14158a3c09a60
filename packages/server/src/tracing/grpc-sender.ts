import http2 from "node:http2";
import { rejectedSpans } from "./partial-success.ts";
import { MOST_RESPONSE_BYTES, type SenderOptions, type Sent, type SpanSender } from "./span-sender.ts";

const PATH = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const PREFIX_BYTES = 5;
/** OTLP's list of gRPC's codes: CANCELLED, DEADLINE_EXCEEDED, ABORTED, OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS. */
const RETRYABLE: ReadonlySet<number> = new Set([1, 4, 10, 11, 14, 15]);
const OK = 200;
/** Of a proxy before the collector. */
const RETRYABLE_HTTP: ReadonlySet<number> = new Set([429, 502, 503, 504]);

/** OTLP over gRPC: one call at a time over one connection, which is opened again when it broke. */
export function createGrpcSender(options: SenderOptions): SpanSender {
  const { endpoint, headers, tls, userAgent, after } = options;
  let session: http2.ClientHttp2Session | undefined;

  function connect(): http2.ClientHttp2Session {
    if (session !== undefined && !session.closed && !session.destroyed) return session;
    const opened = http2.connect(endpoint.origin, { ...tls });
    const forget = (): void => {
      if (session === opened) session = undefined;
    };
    // Its streams tell of it.
    opened.on("error", forget);
    opened.on("close", forget);
    opened.on("goaway", forget);
    session = opened;
    return opened;
  }

  function call(body: Uint8Array, timeoutMs: number, resolve: (sent: Sent) => void): void {
    const stream = connect().request({
      ...headers,
      ":method": "POST",
      ":path": PATH,
      "content-type": "application/grpc",
      te: "trailers",
      "user-agent": userAgent,
      "grpc-timeout": `${timeoutMs}m`,
    });
    let head: http2.IncomingHttpHeaders = {};
    let trailers: http2.IncomingHttpHeaders | undefined;
    let failure = "the connection ended";
    let bytes = 0;
    const parts: Buffer[] = [];
    const cancel = after(timeoutMs, () => {
      failure = `no answer in ${timeoutMs} ms`;
      stream.close(http2.constants.NGHTTP2_CANCEL);
    });
    stream.on("response", (received) => {
      head = received;
    });
    stream.on("trailers", (received) => {
      trailers = received;
    });
    stream.on("data", (part: Buffer) => {
      bytes += part.length;
      if (bytes <= MOST_RESPONSE_BYTES) parts.push(part);
    });
    stream.on("error", ({ message }) => {
      failure = message;
    });
    stream.on("close", () => {
      cancel();
      resolve(judge({ ...head, ...trailers }, Buffer.concat(parts), failure));
    });
    const prefix = Buffer.alloc(PREFIX_BYTES);
    prefix.writeUInt32BE(body.length, 1);
    stream.write(prefix);
    stream.end(body);
  }

  return {
    send: (body, timeoutMs) =>
      new Promise((resolve) => {
        try {
          call(body, timeoutMs, resolve);
        } catch (thrown) {
          resolve({ kind: "retry", afterMs: undefined, why: String(thrown) });
        }
      }),
    close: () => session?.destroy(),
  };
}

function judge(headers: http2.IncomingHttpHeaders, message: Buffer, failure: string): Sent {
  const status = headers["grpc-status"];
  if (status === undefined) {
    const http = Number(headers[":status"] ?? OK);
    if (http === OK) return { kind: "retry", afterMs: undefined, why: failure };
    const why = `HTTP status ${http}`;
    return RETRYABLE_HTTP.has(http) ? { kind: "retry", afterMs: undefined, why } : { kind: "refused", why };
  }
  const code = Number(status);
  if (code === 0) return { kind: "accepted", rejected: rejectedSpans(message.subarray(PREFIX_BYTES)) };
  const why = `gRPC status ${code}`;
  return RETRYABLE.has(code) ? { kind: "retry", afterMs: undefined, why } : { kind: "refused", why };
}
