/** No beat for this long: not ready, since a request sent here would wait. */
export const UNREADY_MS = 1_000;
/** No beat for this long: not alive. Restarting is the only help against a loop that never comes back. */
export const DEAD_MS = 30_000;

export interface Health {
  readonly live: boolean;
  readonly ready: boolean;
}

const BEAT = 0;
const READY = 1;
const CELLS = 2;

/** What the main thread says about itself, in memory that it shares with the thread which answers for it. */
export class HealthBoard {
  /** To be handed to the other thread. */
  readonly memory: SharedArrayBuffer;
  /** When the last beat was (µs), and whether the server was ready then. */
  readonly #cells: BigInt64Array;

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(CELLS * 8)) {
    this.memory = memory;
    this.#cells = new BigInt64Array(memory);
  }

  /** The loop turns. */
  beat(nowMs: number): void {
    Atomics.store(this.#cells, BEAT, BigInt(Math.round(nowMs * 1000)));
  }

  setReady(isReady: boolean): void {
    Atomics.store(this.#cells, READY, isReady ? 1n : 0n);
  }

  judge(nowMs: number): Health {
    const sinceMs = nowMs - Number(Atomics.load(this.#cells, BEAT)) / 1000;
    const live = sinceMs < DEAD_MS;
    return { live, ready: sinceMs < UNREADY_MS && Atomics.load(this.#cells, READY) === 1n };
  }
}

/** Monotonic milliseconds that all threads share; `performance.now()` begins anew in each. */
export function sharedNowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
