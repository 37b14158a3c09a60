import { type ClientHttp2Stream, connect, constants, type OutgoingHttpHeaders } from "node:http2";
import type { Duplex } from "node:stream";
import type { Clock } from "../base/clock.ts";

/** A private connection of HTTP/2 to the edges of the server process, which answer what an edge process does not. */
export interface Tunnel {
  /** Begins a request. Its `error` event is heard; `close` follows. */
  request(headers: OutgoingHttpHeaders, options: { readonly endStream: boolean }): ClientHttp2Stream;
  /** Gives up a request that nobody waits for any more, unless it has ended: at once or, where clients leave in crowds, when the other end bears it. */
  giveUp(stream: ClientHttp2Stream): void;
  /** Idempotent. */
  close(): void;
}

/** What may be under way in a stream, and in all of them, before this process has passed it on. */
const STREAM_WINDOW_BYTES = 1024 * 1024;
const CONNECTION_WINDOW_BYTES = 16 * 1024 * 1024;
/** In MiB. */
const SESSION_MEMORY = 1024;
const MAX_STREAMS = 100_000;
/**
 * Streams that may be reset at once, and a second. Node 20's library ends a connection whose peer resets more than 1,000 and 33 a second, and cannot be told
 * otherwise.
 */
const RESET_BURST = 500;
const RESETS_PER_SECOND = 20;

/** `socket`: this process's end of a socket pair; the other end serves HTTP/2. */
export function openTunnel(socket: Duplex, clock: Clock): Tunnel {
  const session = connect("http://127.0.0.1", {
    createConnection: () => socket,
    maxSessionMemory: SESSION_MEMORY,
    peerMaxConcurrentStreams: MAX_STREAMS,
    settings: { enablePush: false, initialWindowSize: STREAM_WINDOW_BYTES },
  });
  session.once("connect", () => session.setLocalWindowSize(CONNECTION_WINDOW_BYTES));
  session.setMaxListeners(0);
  // Its requests hear of it.
  session.on("error", ignore);
  const resets = new PacedResets(clock);
  return {
    request(headers, options) {
      const stream = session.request(headers, options);
      stream.on("error", ignore);
      return stream;
    },
    giveUp(stream) {
      const isOver = stream.readableEnded && stream.writableEnded;
      if (!isOver && !stream.closed) resets.add(stream);
    },
    close: () => session.close(),
  };
}

/** Resets streams no faster than the other end bears. What waits for that is read and thrown away. */
class PacedResets {
  readonly #clock: Clock;
  readonly #waiting = new Set<ClientHttp2Stream>();
  #left = RESET_BURST;
  #isFilling = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(stream: ClientHttp2Stream): void {
    if (this.#left > 0) {
      this.#reset(stream);
      return;
    }
    this.#waiting.add(stream);
    stream.once("close", () => this.#waiting.delete(stream));
    stream.unpipe();
    stream.resume();
  }

  #reset(stream: ClientHttp2Stream): void {
    this.#left -= 1;
    this.#fillLater();
    stream.close(constants.NGHTTP2_CANCEL);
  }

  #fillLater(): void {
    if (this.#isFilling) return;
    this.#isFilling = true;
    this.#clock.after(1000, () => {
      this.#isFilling = false;
      this.#left = Math.min(RESET_BURST, this.#left + RESETS_PER_SECOND);
      for (const stream of this.#waiting) {
        if (this.#left === 0) break;
        this.#waiting.delete(stream);
        this.#reset(stream);
      }
      if (this.#left < RESET_BURST) this.#fillLater();
    });
  }
}

function ignore(): void {}
