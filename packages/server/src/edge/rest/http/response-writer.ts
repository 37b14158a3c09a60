import { Socket } from "node:net";
import type { Writable } from "node:stream";
import { timerDelayMs } from "../../../base/clock.ts";
import type { Transfer } from "../../../gate/slow-client-guard.ts";
import type { RestContext } from "../call/rest-context.ts";

/** Handed to Node at once: as finely as this shows how much of a large response its client has taken. */
const PIECE_BYTES = 256 * 1024;

/** What a response is written to, and what happens on the way. */
export interface ResponseTarget {
  readonly context: RestContext;
  /** The response, or the connection itself. */
  readonly stream: Writable;
  /** The connection; null: the response to an earlier request is not there yet. `shared`: it carries other responses at the same time. */
  readonly socket: Socket | "shared" | null;
  /** What the response holds of the byte budget. */
  readonly heldBytes: number;
  /** All is handed over. */
  onHanded(): void;
  /** The client is too slow. Gives back what the response holds. */
  onEnded(): void;
}

/**
 * Hands a response to its connection as fast as the client takes it. Most are taken at once, by the system; a client that leaves some of
 * its response to this process is watched, and cut off when it takes nothing for too long.
 */
export class ResponseWriter implements Transfer {
  startedMs = 0;
  readonly #target: ResponseTarget;
  readonly #parts: readonly Uint8Array[];
  #part = 0;
  #offset = 0;
  #handedBytes = 0;
  #isWatched = false;

  constructor(target: ResponseTarget, parts: readonly Uint8Array[]) {
    this.#target = target;
    this.#parts = parts;
  }

  get moved(): number {
    return this.#handedBytes - this.#target.stream.writableLength;
  }

  get heldBytes(): number {
    return this.#target.heldBytes;
  }

  write(): void {
    this.#goOn();
  }

  /** For a response that was handed over as a whole. */
  watchWritten(): void {
    for (const part of this.#parts) this.#handedBytes += part.length;
    this.#watch();
  }

  readonly #goOn = (): void => {
    if (!this.#target.stream.destroyed) this.#advance();
    this.#watch();
  };

  #watch(): void {
    const { context, stream } = this.#target;
    if (this.#isWatched || stream.destroyed) return;
    if (stream.writableLength === 0 && this.#part >= this.#parts.length) return;
    const { socket } = this.#target;
    // The response to an earlier request is not there yet, which is not the client's doing.
    if (socket === null) {
      stream.once("socket", () => this.#watch());
      return;
    }
    this.#isWatched = true;
    const { writeIdleTimeoutMs } = context.limits;
    // A client may pause for as long.
    this.startedMs = context.slowClients.nowMs() + writeIdleTimeoutMs;
    context.slowClients.watch(this);
    stream.once("close", this.stop);
    // Afterwards Node sets the time of an idle connection again. Requests that a test injects have no socket of the system's.
    if (socket instanceof Socket) socket.setTimeout(timerDelayMs(writeIdleTimeoutMs));
  }

  end(): void {
    this.#target.onEnded();
    this.#target.stream.destroy();
  }

  /** The response is taken, or the client gone. */
  readonly stop = (): void => {
    this.#target.context.slowClients.unwatch(this);
    this.#target.stream.off("close", this.stop);
  };

  #advance(): void {
    const { stream, onHanded } = this.#target;
    stream.cork();
    let left = PIECE_BYTES;
    while (left > 0 && this.#part < this.#parts.length) left -= this.#handNext(left);
    stream.uncork();
    if (this.#part >= this.#parts.length) onHanded();
    else if (stream.writableLength > 0) stream.once("drain", this.#goOn);
    // The system may take megabytes at once, of each of many responses: others get their turn after every piece.
    else setImmediate(this.#goOn);
  }

  #handNext(most: number): number {
    const part = this.#parts[this.#part]!;
    const piece = part.subarray(this.#offset, this.#offset + most);
    this.#offset += piece.length;
    if (this.#offset >= part.length) {
      this.#part += 1;
      this.#offset = 0;
    }
    this.#handedBytes += piece.length;
    this.#target.stream.write(piece);
    return piece.length;
  }
}
