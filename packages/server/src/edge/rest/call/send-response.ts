import { compress } from "./compress.ts";
import type { EncodedResponse, RespondingCall, RestTransport } from "./rest-transport.ts";

export interface ResponseContent {
  /** "": the response says none. */
  readonly type: string;
  readonly body: Uint8Array | readonly Uint8Array[];
  /** Names and values in turn; more are added. */
  readonly headers: string[];
  /** It is compressed already, or as it is meant to be. Default: false. */
  readonly isFinal?: boolean;
}

interface SendingCall extends RespondingCall {
  readonly transport: RestTransport;
}

/** Sends a response, compressed when that pays and its client asks for it. Once per call. */
export function sendResponse(
  call: SendingCall,
  status: number,
  { type, body, headers, isFinal = false }: ResponseContent,
): void {
  const parts = body instanceof Uint8Array ? [body] : body;
  const length = bytesOf(body);
  const isWorthIt = !isFinal && length >= call.context.limits.minCompressBytes;
  const encoding = isWorthIt ? call.transport.request.headers["accept-encoding"] : undefined;
  if (encoding === undefined) {
    write(call, type, { status, parts, length, headers });
    return;
  }
  const plain = (): void => write(call, type, { status, parts, length, headers });
  const { clock, onCompressed } = call.context;
  const startMs = clock.nowMs();
  compress(parts, encoding).then((packed) => {
    if (packed === undefined) return plain();
    onCompressed?.({ plain: length, packed: packed.body.length }, clock.nowMs() - startMs);
    headers.push("Content-Encoding", packed.encoding, "Vary", "Accept-Encoding");
    const { body } = packed;
    write(call, type, { status, parts: [body], length: body.length, headers });
  }, plain);
}

function write(call: SendingCall, type: string, response: EncodedResponse): void {
  const { headers, length } = response;
  if (type !== "") headers.push("Content-Type", type);
  headers.push("Content-Length", String(length), "X-Request-Id", call.id);
  const forPages = call.context.webGate.responseHeaders(call.transport.request.headers.origin);
  for (let i = 0; i < forPages.length; i++) headers.push(forPages[i]!);
  call.transport.respond(call, response);
}

export function bytesOf(body: Uint8Array | readonly Uint8Array[]): number {
  if (body instanceof Uint8Array) return body.length;
  let length = 0;
  for (let i = 0; i < body.length; i++) length += body[i]!.length;
  return length;
}
