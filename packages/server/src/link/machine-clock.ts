import type { Clock } from "../base/clock.ts";

/** Two processes' monotonic clocks begin at different times; the machine's is one for both. */
export interface MachineClock {
  /** Of this process's time, in monotonic milliseconds. NaN stays NaN. */
  toMachine(ms: number): number;
  fromMachine(ms: number): number;
}

const READINGS = 5;

export function createMachineClock(clock: Clock): MachineClock {
  const aheadMs = readAhead(clock);
  return {
    toMachine: (ms) => ms + aheadMs,
    fromMachine: (ms) => ms - aheadMs,
  };
}

/** By how much the machine's clock is ahead: of several readings the one that nothing came between. */
function readAhead(clock: Clock): number {
  let best = { gapMs: Number.POSITIVE_INFINITY, aheadMs: 0 };
  for (let i = 0; i < READINGS; i++) {
    const beforeMs = clock.nowMs();
    const machineMs = Number(process.hrtime.bigint()) / 1e6;
    const gapMs = clock.nowMs() - beforeMs;
    if (gapMs < best.gapMs) best = { gapMs, aheadMs: machineMs - beforeMs - gapMs / 2 };
  }
  return best.aheadMs;
}
