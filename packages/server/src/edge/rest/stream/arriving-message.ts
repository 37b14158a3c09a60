import type { Socket } from "node:net";
import type { ServeError } from "../../../base/errors.ts";
import { SMALL_BYTES } from "../../../gate/byte-budget.ts";
import type { Transfer } from "../../../gate/slow-client-guard.ts";
import type { RestContext } from "../call/rest-context.ts";

type Deps = Pick<RestContext, "budget" | "slowClients">;

/**
 * What a connection has received of a message that is not complete. The library that reads it keeps that to itself, so it is counted by the
 * bytes of the connection; past a small size it is paid for, and its client must keep a pace.
 */
export class ArrivingMessage implements Transfer {
  startedMs = 0;
  heldBytes = 0;
  readonly #deps: Deps;
  readonly #socket: Socket;
  readonly #onEnd: (error: ServeError) => void;
  #before: number;
  #isWaiting = false;

  /** `onEnd`: there is no room for it, or it comes too slowly. */
  constructor(deps: Deps, socket: Socket, onEnd: (error: ServeError) => void) {
    this.#deps = deps;
    this.#socket = socket;
    this.#onEnd = onEnd;
    this.#before = socket.bytesRead;
    socket.on("data", () => this.#grow());
  }

  get moved(): number {
    return this.#socket.bytesRead - this.#before;
  }

  /** All that came is complete and read: whoever reads it pays for it. */
  complete(): void {
    this.#before = this.#socket.bytesRead;
    this.#isWaiting = false;
    this.stop();
  }

  /** What came is complete and waits for its turn, which is not its client's doing: it goes on being paid for. */
  wait(): void {
    this.#isWaiting = true;
    this.#deps.slowClients.unwatch(this);
  }

  stop(): void {
    if (this.heldBytes === 0) return;
    this.#deps.slowClients.unwatch(this);
    this.#deps.budget.leave(this.heldBytes);
    this.heldBytes = 0;
  }

  end(error: ServeError): void {
    this.stop();
    this.#onEnd(error);
  }

  #grow(): void {
    const { budget, slowClients } = this.#deps;
    const more = this.moved - this.heldBytes;
    if (this.moved <= SMALL_BYTES || more <= 0) return;
    try {
      if (this.heldBytes > 0) budget.grow(more, this.heldBytes);
      else {
        budget.enter(more);
        this.startedMs = slowClients.nowMs();
        if (!this.#isWaiting) slowClients.watch(this);
      }
      this.heldBytes += more;
    } catch (error) {
      // `enter` and `grow` throw nothing else.
      this.end(error as ServeError);
    }
  }
}
