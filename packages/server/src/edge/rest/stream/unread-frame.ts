import type { Socket } from "node:net";
import type { Transfer } from "../../../gate/slow-client-guard.ts";
import type { RespondingCall } from "../call/rest-transport.ts";

/** A frame that waits for its client to make room for it. The connection is cut when that takes too long. */
export class UnreadFrame implements Transfer {
  readonly startedMs: number;
  readonly heldBytes: number;
  readonly #call: RespondingCall;
  readonly #socket: Socket;
  readonly #before: number;

  constructor(call: RespondingCall, socket: Socket) {
    const { slowClients, limits } = call.context;
    this.#call = call;
    this.#socket = socket;
    this.#before = socket.bytesWritten - socket.writableLength;
    this.heldBytes = call.heldBytes;
    // A client may pause for as long.
    this.startedMs = slowClients.nowMs() + limits.writeIdleTimeoutMs;
    slowClients.watch(this);
  }

  /** By the connection. */
  get moved(): number {
    return this.#socket.bytesWritten - this.#socket.writableLength - this.#before;
  }

  stop(): void {
    this.#call.context.slowClients.unwatch(this);
  }

  end(): void {
    this.#call.release();
    this.#socket.destroy();
  }
}
