import type { Transfer } from "../../gate/slow-client-guard.ts";
import type { CallConnection, CallStream } from "../call-stream.ts";
import type { TransferDeps } from "./transfer-deps.ts";

/** Up to this size answers are not counted: there are at most so many of them as calls. */
export const FREE_BYTES: number = 16 * 1024;

/** A client may pause for as long before its pace counts. */
const PAUSE_MS = 30_000;

/**
 * A message that was sent and waits for its client to make room for it. HTTP/2 does not say how much of it has gone, so the pace is that
 * of the connection; and the connection is what is cut when it is too slow.
 */
export class UnsentResponse implements Transfer {
  readonly startedMs: number;
  readonly heldBytes: number;
  readonly #deps: TransferDeps;
  readonly #session: CallConnection | undefined;
  readonly #before: number;
  #isOver = false;

  /** Throws `unavailable` when there is no room for it. */
  constructor(deps: TransferDeps, stream: CallStream, length: number) {
    this.#deps = deps;
    this.startedMs = deps.slowClients.nowMs() + PAUSE_MS;
    this.heldBytes = Math.min(length, deps.budget.maxBytes);
    this.#session = stream.session;
    deps.budget.grow(this.heldBytes, 0);
    this.#before = this.#written();
    deps.slowClients.watch(this);
    // There are as many as the client has not read yet, so this does not leak.
    stream.setMaxListeners(0);
    stream.once("close", () => this.taken());
  }

  get moved(): number {
    return this.#written() - this.#before;
  }

  /** It left this process, or will never do so. */
  taken(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#deps.slowClients.unwatch(this);
    this.#deps.budget.shrink(this.heldBytes);
  }

  end(): void {
    this.taken();
    // Perhaps its own parser is at work: it must not lose its session then.
    setImmediate(() => this.#session?.destroy());
  }

  /** By the connection, so far. */
  #written(): number {
    const session = this.#session;
    return session === undefined || session.destroyed ? 0 : session.socket.bytesWritten;
  }
}
