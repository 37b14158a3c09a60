import type { IncomingMessage, ServerResponse } from "node:http";
import type { Writable } from "node:stream";
import type { CallConnection } from "../../call-stream.ts";
import { expectsContinue } from "../call/check-head.ts";
import type { EncodedResponse, RespondingCall, RestTransport } from "../call/rest-transport.ts";
import { ResponseWriter } from "./response-writer.ts";

const ONE_WRITE_BYTES = 16 * 1024;
const SMALL_BODY_BYTES = 64 * 1024;
const LINGER_MS = 1000;
const NO_BODY: Buffer = Buffer.alloc(0);

/** A call that `node:http` reads and answers. */
export class NodeTransport implements RestTransport {
  readonly message: IncomingMessage;
  readonly #response: ServerResponse;

  constructor(message: IncomingMessage, response: ServerResponse) {
    this.message = message;
    this.#response = response;
  }

  get request(): IncomingMessage {
    return this.message;
  }

  get isComplete(): boolean {
    return this.message.complete;
  }

  get connection(): CallConnection {
    const { socket } = this.message;
    return { destroyed: socket.destroyed, socket, destroy: () => socket.destroy() };
  }

  takeBody(): Buffer | undefined {
    const { message } = this;
    // With a length announced there is no transfer coding. Node says that the message is complete a moment later.
    const announced = message.headers["content-length"];
    if (announced === undefined || message.readableLength !== Number(announced)) return undefined;
    return (message.read() as Buffer | null) ?? NO_BODY;
  }

  writeContinue(): void {
    this.#response.writeContinue();
  }

  respond(call: RespondingCall, { status, parts, length, headers }: EncodedResponse): void {
    const response = this.#response;
    if (response.destroyed) return;
    const lingers = hasUnreadBody(this.message, call.isAskedForBody);
    if (lingers || call.context.isDraining()) headers.push("Connection", "close");
    response.writeHead(status, headers);
    // Node puts a short text into the same write as the headers, which a buffer never is: one system call less per response.
    if (parts.length === 1 && length <= ONE_WRITE_BYTES && !lingers) {
      response.end(asBuffer(parts[0]!).toString("latin1"), "latin1");
      if (response.writableLength > 0) this.#writer(call, parts, lingers).watchWritten();
      return;
    }
    this.#writer(call, parts, lingers).write();
  }

  begin({ context }: RespondingCall, status: number, headers: readonly string[]): Writable {
    const ending = context.isDraining() ? ["Connection", "close"] : [];
    return this.#response.writeHead(status, [...headers, ...ending]);
  }

  #writer(call: RespondingCall, parts: readonly Uint8Array[], lingers: boolean): ResponseWriter {
    const { context, heldBytes } = call;
    const response = this.#response;
    const target = {
      context,
      stream: response,
      get socket() {
        return response.socket;
      },
      heldBytes,
      onHanded: () => (lingers ? this.#linger(call) : void response.end()),
      onEnded: () => call.release(),
    };
    return new ResponseWriter(target, parts);
  }

  /**
   * Closing a socket with unread bytes makes the system reset it, which can destroy the response before the client reads it. So the
   * rest of the body is read and thrown away for a moment first.
   */
  #linger({ context }: RespondingCall): void {
    const response = this.#response;
    const stop = context.clock.after(LINGER_MS, () => response.end());
    this.message.once("end", () => {
      stop();
      response.end();
    });
    this.message.resume();
  }
}

/** Whether much of the body is still on its way, or may never come; little is quickly read and thrown away by Node. */
function hasUnreadBody(message: IncomingMessage, isAskedForBody: boolean): boolean {
  const { headers, complete, readableEnded } = message;
  if (complete || readableEnded) return false;
  // A client that waits for permission to send its body will not send it, and its next request would be taken for the body.
  if (expectsContinue(message) && !isAskedForBody) return true;
  return (
    headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > SMALL_BODY_BYTES
  );
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
