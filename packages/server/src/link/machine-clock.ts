import type { Clock } from "../base/clock.ts";

/** Two processes' monotonic clocks begin at different times; the machine's is one for both. */
export interface MachineClock {
  /** Of this process's time, in monotonic milliseconds. NaN stays NaN. */
  toMachine(ms: number): number;
  fromMachine(ms: number): number;
}

export function createMachineClock(clock: Clock): MachineClock {
  const aheadMs = Number(process.hrtime.bigint()) / 1e6 - clock.nowMs();
  return {
    toMachine: (ms) => ms + aheadMs,
    fromMachine: (ms) => ms - aheadMs,
  };
}
