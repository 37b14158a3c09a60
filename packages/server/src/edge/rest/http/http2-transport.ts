import { constants, type ServerHttp2Stream } from "node:http2";
import type { Writable } from "node:stream";
import type { CallConnection } from "../../call-stream.ts";
import type { Http2Request } from "../../http2-request.ts";
import { CONNECTION_HEADERS } from "../call/connection-headers.ts";
import { RestCall } from "../call/rest-call.ts";
import type { RestContext } from "../call/rest-context.ts";
import type { EncodedResponse, RespondingCall, RestRequest, RestTransport } from "../call/rest-transport.ts";
import { ResponseWriter } from "./response-writer.ts";

const NO_BODY: Buffer = Buffer.alloc(0);

/** Begins a call for a stream of HTTP/2, and runs it. */
export function openHttp2Request(
  { stream, headers, rawHeaders, peer }: Http2Request,
  context: RestContext,
  run: (call: RestCall) => void,
): void {
  // A broken stream ends its own call; "close" follows.
  stream.on("error", ignore);
  if (stream.destroyed || stream.closed) {
    peer.leftCall();
    return;
  }
  const call = new RestCall(context, new Http2Transport(stream, requestOf(headers, rawHeaders)));
  stream.on("aborted", () => peer.leftCall());
  stream.on("close", () => call.end());
  run(call);
}

/** The request as one of HTTP/1.1 would say it, so that it is judged alike: `:authority` is its host. */
function requestOf(headers: Http2Request["headers"], raw: readonly string[]): RestRequest {
  const own: Record<string, string | string[] | undefined> = {};
  for (const name of Object.keys(headers)) if (!name.startsWith(":")) own[name] = headers[name];
  const rawHeaders: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2)
    if (!raw[i]!.startsWith(":")) rawHeaders.push(raw[i]!, raw[i + 1]!);
  const { ":authority": authority, ":method": method, ":path": url } = headers;
  if (authority !== undefined) {
    // Two hosts are one too many, unless they are the same.
    if (own["host"] !== authority) rawHeaders.push("host", authority);
    own["host"] = authority;
  }
  return { method, url, httpVersion: "1.1", headers: own, rawHeaders };
}

/** A call that came as a stream of HTTP/2. */
class Http2Transport implements RestTransport {
  readonly request: RestRequest;
  readonly message: ServerHttp2Stream;

  constructor(stream: ServerHttp2Stream, request: RestRequest) {
    this.message = stream;
    this.request = request;
  }

  get isComplete(): boolean {
    return this.message.endAfterHeaders || this.message.readableEnded;
  }

  get connection(): CallConnection {
    const { session } = this.message;
    return session ?? GONE;
  }

  takeBody(): Buffer | undefined {
    return this.message.endAfterHeaders ? NO_BODY : undefined;
  }

  writeContinue(): void {
    if (!this.#isGone) this.message.additionalHeaders({ ":status": constants.HTTP_STATUS_CONTINUE });
  }

  respond(call: RespondingCall, { status, parts, headers }: EncodedResponse): void {
    const stream = this.message;
    if (this.#isGone) return;
    const endStream = this.request.method === "HEAD" || parts.length === 0;
    stream.respond(responseHeaders(status, headers), { endStream });
    this.#discardRest();
    if (endStream) return;
    const { context, heldBytes } = call;
    const target = {
      context,
      stream,
      socket: "shared" as const,
      heldBytes,
      onHanded: () => void stream.end(),
      onEnded: () => call.release(),
    };
    new ResponseWriter(target, parts).write();
  }

  begin(_call: RespondingCall, status: number, headers: readonly string[]): Writable {
    if (!this.#isGone) this.message.respond(responseHeaders(status, headers));
    return this.message;
  }

  /** A body that nobody asked for is not waited for: the client is told to keep it. */
  #discardRest(): void {
    if (this.isComplete) return;
    const stream = this.message;
    if (stream.listenerCount("data") > 0) return;
    stream.on("data", () => setImmediate(() => stream.close(constants.NGHTTP2_NO_ERROR)));
  }

  get #isGone(): boolean {
    return this.message.destroyed || this.message.closed;
  }
}

function responseHeaders(status: number, headers: readonly string[]): Record<string, string | string[]> {
  const named: Record<string, string | string[]> = { ":status": String(status) };
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i]!.toLowerCase();
    if (CONNECTION_HEADERS.has(name)) continue;
    const before = named[name];
    named[name] = before === undefined ? headers[i + 1]! : [before, headers[i + 1]!].flat();
  }
  return named;
}

const GONE: CallConnection = { destroyed: true, socket: { bytesWritten: 0 }, destroy() {} };

function ignore(): void {}
