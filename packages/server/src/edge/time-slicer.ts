import type { Clock } from "../base/clock.ts";

/** Work that can be done in steps. */
export interface Steps {
  /** Does about `amount` more of it (bytes of text); true when all is done. */
  step(amount: number): boolean;
}

/** The work that one request costs this thread, cut into slices. */
export interface Slices {
  /** Nothing has to wait: the work need not even be cut into steps. */
  readonly isAtOnce: boolean;
  /** Works until the slice is used up; true when the work is done. Costs no promise when it is. */
  finishNow(work: Steps): boolean;
  /** Waits for a new slice, works on, and so forth until the work is done. */
  finish(work: Steps): Promise<void>;
  /** Waits for a new slice. */
  pause(): Promise<void>;
}

/** Shares the event loop out between requests that cost it much. */
export interface TimeSlicer {
  /** For a request of so many bytes. Small ones are done at once, large ones wait for their turn from the start. */
  open(bytes: number): Slices;
}

/** A slice. A request that arrives meanwhile waits for one of them, not for one of every large request. */
const SLICE_MS = 3;
/** Between two looks at the clock. */
const STEP_BYTES = 8 * 1024;
/** Less than a slice, even for the slowest kind of text. */
const SMALL_BYTES = 32 * 1024;

/**
 * One slice per turn of the event loop, in the order asked for, however many large requests there are: the loop is never away for longer
 * than a slice, and what is small gets its turn after each. All edges must share one slicer.
 */
export function createTimeSlicer(clock: Clock): TimeSlicer {
  const waiting: (() => void)[] = [];
  let isScheduled = false;
  const turn = (): void => {
    const resume = waiting.shift();
    isScheduled = waiting.length > 0;
    if (isScheduled) setImmediate(turn);
    resume?.();
  };
  const nextTurn = (): Promise<void> =>
    new Promise((resolve) => {
      waiting.push(resolve);
      if (isScheduled) return;
      isScheduled = true;
      setImmediate(turn);
    });
  return {
    open: (bytes) => (bytes > SMALL_BYTES ? new RequestSlices(clock, nextTurn) : AT_ONCE),
  };
}

/** For small requests, and for code that has a thread of its own. */
export const AT_ONCE: Slices = {
  isAtOnce: true,
  finishNow: (work) => work.step(Number.POSITIVE_INFINITY),
  finish: async (work) => {
    while (!work.step(Number.POSITIVE_INFINITY));
  },
  pause: () => Promise.resolve(),
};

/** Work that is cut into steps by what it yields: reading or writing one thing after another. Gives its result in the end. */
export type Work<T> = Generator<Steps, T, void>;

/** Does all of some work: a small request's at once, without a promise, a large one's in slices. */
export function workOff<T>(work: Work<T>, slices: Slices): T | Promise<T> {
  if (!slices.isAtOnce) return workOffInSlices(work, slices);
  for (;;) {
    const next = work.next();
    if (next.done === true) return next.value;
    while (!next.value.step(Number.POSITIVE_INFINITY));
  }
}

async function workOffInSlices<T>(work: Work<T>, slices: Slices): Promise<T> {
  for (;;) {
    const next = work.next();
    if (next.done === true) return next.value;
    if (!slices.finishNow(next.value)) await slices.finish(next.value);
  }
}

class RequestSlices implements Slices {
  readonly isAtOnce = false;
  readonly #clock: Clock;
  readonly #nextTurn: () => Promise<void>;
  /** When the slice is used up; 0: there was none yet. */
  #endsMs = 0;

  constructor(clock: Clock, nextTurn: () => Promise<void>) {
    this.#clock = clock;
    this.#nextTurn = nextTurn;
  }

  finishNow(work: Steps): boolean {
    if (this.#endsMs === 0) return false;
    while (!work.step(STEP_BYTES)) if (this.#clock.nowMs() >= this.#endsMs) return false;
    return true;
  }

  async finish(work: Steps): Promise<void> {
    do await this.pause();
    while (!this.finishNow(work));
  }

  async pause(): Promise<void> {
    await this.#nextTurn();
    this.#endsMs = this.#clock.nowMs() + SLICE_MS;
  }
}
