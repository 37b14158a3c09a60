import { constants, type ServerHttp2Stream } from "node:http2";
import { ServeError } from "../../base/errors.ts";
import type { Transfer } from "../../gate/slow-client-guard.ts";
import type { TransferDeps } from "./transfer-deps.ts";

/** The call that a message is for. */
interface ReceivingCall {
  readonly ended: boolean;
  fail(error: ServeError): void;
}

/** Less than this costs little, and most messages are no longer. */
const FREE_BYTES = 16 * 1024;

/**
 * The message that a call's client is sending. grpc-js keeps its pieces until it is complete; here they are paid for from the byte budget
 * as they come, and a client that trickles is given up.
 */
export class ArrivingMessage implements Transfer {
  startedMs = 0;
  moved = 0;
  heldBytes = 0;
  /** Called when a message is handed on, for the one that waits behind it. */
  onHandedOn: (() => void) | undefined = undefined;
  /** What compressed messages have become that nobody else pays for yet. */
  #inflatedBytes = 0;
  readonly #deps: TransferDeps;
  readonly #stream: ServerHttp2Stream;
  readonly #call: ReceivingCall;

  constructor(deps: TransferDeps, stream: ServerHttp2Stream, call: ReceivingCall) {
    this.#deps = deps;
    this.#stream = stream;
    this.#call = call;
    // grpc-js has paused the stream and decides when it flows.
    stream.on("data", (chunk: Buffer) => this.#take(chunk.length));
  }

  /** Complete, or never going to be: whoever has the message now pays for it. */
  arrived(): void {
    if (this.startedMs === 0 && this.heldBytes === 0) return;
    const { slowClients, budget } = this.#deps;
    slowClients.unwatch(this);
    budget.shrink(this.heldBytes);
    this.startedMs = this.moved = this.heldBytes = this.#inflatedBytes = 0;
  }

  /** The only message of its call is complete, but its client goes on as if there were more to come. */
  waits(): void {
    if (this.heldBytes > 0) this.#deps.slowClients.complete(this);
  }

  /** Pays for what a compressed message is becoming. Throws when there is no room, or nobody to wait for it any more. */
  inflated(bytes: number): void {
    if (this.#call.ended) throw new ServeError("cancelled", "the call is over");
    this.#deps.budget.grow(bytes, this.heldBytes);
    this.heldBytes += bytes;
    this.#inflatedBytes += bytes;
  }

  /** Messages on the wire and those before them in the queue are paid for elsewhere now, `bytes` of them inflated. */
  handedOn(bytes: number): void {
    const queued = this.#inflatedBytes - Math.min(bytes, this.#inflatedBytes);
    if (queued === 0) {
      this.arrived();
      return;
    }
    this.#deps.budget.shrink(this.heldBytes - queued);
    this.heldBytes = this.#inflatedBytes = queued;
    this.moved = 0;
  }

  end(error: ServeError): void {
    this.arrived();
    this.#call.fail(error);
    this.#close();
  }

  /** After the status was sent. grpc-js would keep the pieces that it has for as long as the client goes on. */
  #close(): void {
    // In the same turn Node 26 would drop the status, which is still to be sent.
    setImmediate(() => this.#stream.close(constants.NGHTTP2_NO_ERROR));
  }

  #take(bytes: number): void {
    if (this.#call.ended) {
      this.arrived();
      this.#close();
      return;
    }
    const { slowClients, budget } = this.#deps;
    if (this.startedMs === 0) {
      this.startedMs = slowClients.nowMs();
      slowClients.watch(this);
    }
    this.moved += bytes;
    if (this.moved <= FREE_BYTES) return;
    try {
      const due = this.moved + this.#inflatedBytes - this.heldBytes;
      budget.grow(due, this.heldBytes);
      this.heldBytes += due;
    } catch (thrown) {
      this.end(ServeError.from(thrown));
    }
  }
}
