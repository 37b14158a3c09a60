import { type Compressed, chooseEncoding, compress } from "./compress.ts";
import type { EncodedResponse, RespondingCall, RestTransport } from "./rest-transport.ts";
import type { SharedBody } from "./shared-body.ts";

export interface ResponseContent {
  /** "": the response says none. */
  readonly type: string;
  readonly body: Uint8Array | readonly Uint8Array[];
  /** Names and values in turn; more are added. */
  readonly headers: string[];
  /** It is compressed already, or as it is meant to be. Default: false. */
  readonly isFinal?: boolean;
  /** Whose bytes the body is, if others are sent them as well. */
  readonly shared?: SharedBody;
}

interface SendingCall extends RespondingCall {
  readonly transport: RestTransport;
}

/** Sends a response, compressed when that pays and its client asks for it. Once per call. */
export function sendResponse(
  call: SendingCall,
  status: number,
  { type, body, headers, isFinal = false, shared }: ResponseContent,
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
  const packing = shared === undefined ? compress(parts, encoding) : packedOnce(shared, encoding);
  packing.then((packed) => {
    if (packed === undefined) return plain();
    // What is shared was packed for somebody else, but for once.
    if (shared === undefined)
      onCompressed?.({ plain: length, packed: packed.body.length }, clock.nowMs() - startMs);
    headers.push("Content-Encoding", packed.encoding, "Vary", "Accept-Encoding");
    const { body } = packed;
    write(call, type, { status, parts: [body], length: body.length, headers });
  }, plain);
}

async function packedOnce(
  shared: SharedBody,
  acceptEncoding: string | string[],
): Promise<Compressed | undefined> {
  const encoding = chooseEncoding(String(acceptEncoding));
  return encoding === undefined ? undefined : { encoding, body: await shared.packed(encoding) };
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
