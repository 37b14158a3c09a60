import { monitorEventLoopDelay } from "node:perf_hooks";

const MOST_ROUNDS = 20;

/**
 * For what only real time shows. A round that fails while this process stood still for `stallMs` or longer proves nothing, and is run
 * again.
 */
export async function undisturbed(stallMs: number, round: () => Promise<void>): Promise<void> {
  for (let left = MOST_ROUNDS; ; left--) {
    const delays = monitorEventLoopDelay({ resolution: 5 });
    delays.enable();
    try {
      return await round();
    } catch (error) {
      if (left === 1 || delays.max / 1e6 < stallMs) throw error;
    } finally {
      delays.disable();
    }
  }
}
