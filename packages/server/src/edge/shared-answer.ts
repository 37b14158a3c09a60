import type { Clock } from "../base/clock.ts";

/** An answer that costs more than the requests for it. */
export interface SharedAnswer<Answer> {
  /** Never older than the call. Rejects with what making it threw. */
  get(): Promise<Answer>;
}

/** Answers are made no closer together than this, */
const REST_MS = 50;
/** and than this many times what the last one took, so that they never take more than a tenth of the loop, */
const REST_FACTOR = 10;
/** but nobody waits longer for the next one. */
const MAX_REST_MS = 1000;

/**
 * Makes an answer at once for the first who asks. Whoever asks while it is made, or shortly after, waits for the next one and shares it:
 * however many ask, it is made at most once per interval.
 */
export function createSharedAnswer<Answer>(
  make: () => Answer | Promise<Answer>,
  clock: Clock,
): SharedAnswer<Answer> {
  let next: Promise<Answer> | undefined;
  let isBusy = false;
  const onRested: (() => void)[] = [];

  async function run(): Promise<Answer> {
    isBusy = true;
    const startMs = clock.nowMs();
    try {
      return await make();
    } finally {
      const restMs = Math.max(REST_MS, (clock.nowMs() - startMs) * REST_FACTOR);
      clock.after(Math.min(restMs, MAX_REST_MS), () => {
        isBusy = false;
        onRested.shift()?.();
      });
    }
  }

  return {
    get() {
      if (!isBusy) return run();
      next ??= new Promise<void>((resolve) => onRested.push(resolve)).then(() => {
        next = undefined;
        return run();
      });
      return next;
    },
  };
}
