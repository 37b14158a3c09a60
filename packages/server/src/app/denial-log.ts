import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";

const PAUSE_MS = 1000;

/** Writes to the log who asked for the control plane without a right to it: one line a second at most, with how many there were. */
export function createDenialLog(logger: Logger, clock: Clock): (by: string) => void {
  let [count, isQuiet] = [0, false];
  const tell = (by: string): void => {
    logger.warn({ audit: "denied", by, count }, `audit: ${by} has no right to load and unload models`);
    count = 0;
  };
  return (by) => {
    count += 1;
    if (isQuiet) return;
    tell(by);
    isQuiet = true;
    clock.after(PAUSE_MS, () => {
      isQuiet = false;
      if (count > 0) tell(by);
    });
  };
}
