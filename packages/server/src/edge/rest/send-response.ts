import type { IncomingMessage, ServerResponse } from "node:http";
import { expectsContinue } from "./check-head.ts";
import { compress } from "./compress.ts";
import { ResponseWriter } from "./response-writer.ts";
import type { RestContext } from "./rest-context.ts";

const ONE_WRITE_BYTES = 16 * 1024;
const SMALL_BODY_BYTES = 64 * 1024;
const LINGER_MS = 1000;

/** What sending a response needs to know of its call. */
export interface RespondingCall {
  readonly context: RestContext;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly id: string;
  /** What the response holds of the byte budget. */
  readonly heldBytes: number;
  /** The body was asked for, by a client that waits for that (`Expect: 100-continue`) as well. */
  readonly isAskedForBody: boolean;
  /** Gives back what the response holds. */
  release(): void;
}

export interface ResponseContent {
  readonly type: string;
  readonly body: Uint8Array | readonly Uint8Array[];
  /** Names and values in turn; more are added. */
  readonly headers: string[];
}

interface EncodedContent {
  readonly type: string;
  readonly parts: readonly Uint8Array[];
  readonly length: number;
  readonly headers: string[];
}

/** Sends a response, compressed when that pays and its client asks for it. Once per call. */
export function sendResponse(
  call: RespondingCall,
  status: number,
  { type, body, headers }: ResponseContent,
): void {
  const parts = body instanceof Uint8Array ? [body] : body;
  const length = bytesOf(body);
  const encoding =
    length < call.context.limits.minCompressBytes ? undefined : call.request.headers["accept-encoding"];
  if (encoding === undefined) {
    write(call, status, { type, parts, length, headers });
    return;
  }
  const plain = (): void => write(call, status, { type, parts, length, headers });
  compress(parts, encoding).then((packed) => {
    if (packed === undefined) return plain();
    headers.push("Content-Encoding", packed.encoding, "Vary", "Accept-Encoding");
    write(call, status, { type, parts: [packed.body], length: packed.body.length, headers });
  }, plain);
}

function write(call: RespondingCall, status: number, content: EncodedContent): void {
  const { response } = call;
  if (response.destroyed) return;
  const { type, parts, length, headers } = content;
  headers.push("Content-Type", type, "Content-Length", String(length), "X-Request-Id", call.id);
  const lingers = hasUnreadBody(call);
  if (lingers || call.context.isDraining()) headers.push("Connection", "close");
  response.writeHead(status, headers);
  // Node puts a short text into the same write as the headers, which a buffer never is: one system call less per response.
  if (parts.length === 1 && length <= ONE_WRITE_BYTES && !lingers) {
    response.end(asBuffer(parts[0]!).toString("latin1"), "latin1");
    if (response.writableLength > 0) writerOf(call, parts, lingers).watchWritten();
    return;
  }
  writerOf(call, parts, lingers).write();
}

function writerOf(call: RespondingCall, parts: readonly Uint8Array[], lingers: boolean): ResponseWriter {
  const { context, response, heldBytes } = call;
  const target = {
    context,
    response,
    heldBytes,
    onHanded: () => (lingers ? linger(call) : void response.end()),
    onEnded: () => call.release(),
  };
  return new ResponseWriter(target, parts);
}

/** Whether much of the body is still on its way, or may never come; little is quickly read and thrown away by Node. */
function hasUnreadBody({ request, isAskedForBody }: RespondingCall): boolean {
  const { headers, complete, readableEnded } = request;
  if (complete || readableEnded) return false;
  // A client that waits for permission to send its body will not send it, and its next request would be taken for the body.
  if (expectsContinue(request) && !isAskedForBody) return true;
  return (
    headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > SMALL_BODY_BYTES
  );
}

/**
 * Closing a socket with unread bytes makes the system reset it, which can destroy the response before the client reads it. So the
 * rest of the body is read and thrown away for a moment first.
 */
function linger({ context, request, response }: RespondingCall): void {
  const stop = context.clock.after(LINGER_MS, () => response.end());
  request.once("end", () => {
    stop();
    response.end();
  });
  request.resume();
}

export function bytesOf(body: Uint8Array | readonly Uint8Array[]): number {
  if (body instanceof Uint8Array) return body.length;
  let length = 0;
  for (let i = 0; i < body.length; i++) length += body[i]!.length;
  return length;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
