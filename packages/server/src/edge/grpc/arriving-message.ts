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
    if (this.startedMs === 0) return;
    const { slowClients, budget } = this.#deps;
    slowClients.unwatch(this);
    budget.shrink(this.heldBytes);
    this.startedMs = this.moved = this.heldBytes = 0;
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
      budget.grow(this.moved - this.heldBytes, this.heldBytes);
      this.heldBytes = this.moved;
    } catch (thrown) {
      this.end(ServeError.from(thrown));
    }
  }
}
