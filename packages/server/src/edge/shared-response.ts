import type { Clock } from "../base/clock.ts";

/** A response that costs more than the requests for it. */
export interface SharedResponse<Response> {
  /** Never older than the call. Rejects with what making it threw. */
  get(): Promise<Response>;
}

/** Responses are made no closer together than this, */
const REST_MS = 50;
/** and than this many times what the last one took, so that they never take more than a tenth of the loop, */
const REST_FACTOR = 10;
/** but nobody waits longer for the next one. */
const MAX_REST_MS = 1000;

/**
 * Makes a response at once for the first who asks. Whoever asks while it is made, or shortly after, waits for the next one and shares it:
 * however many ask, it is made at most once per interval.
 */
export function createSharedResponse<Response>(
  make: () => Response | Promise<Response>,
  clock: Clock,
): SharedResponse<Response> {
  let next: Promise<Response> | undefined;
  let isBusy = false;
  const onRested: (() => void)[] = [];

  async function run(): Promise<Response> {
    isBusy = true;
    const startMs = clock.nowMs();
    try {
      return await make();
    } finally {
      const restMs = Math.max(REST_MS, (clock.nowMs() - startMs) * REST_FACTOR);
      clock.after(Math.min(restMs, MAX_REST_MS), () => {
        const begin = onRested.shift();
        if (begin === undefined) isBusy = false;
        else begin();
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
