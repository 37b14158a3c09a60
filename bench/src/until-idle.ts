import { setTimeout as sleep } from "node:timers/promises";
import { processCpuMs } from "./process-cpu.ts";

const PAUSE_MS = 100;
/** Of processor time in a pause: what a server without requests uses. */
const IDLE_MS = 5;
const LONGEST_PAUSES = 50;

/** Waits until these processes use next to no processor time, for five seconds at most. */
export async function untilIdle(pids: readonly number[]): Promise<void> {
  const used = (): number[] => pids.map(processCpuMs);
  let before = used();
  for (let pause = 0; pause < LONGEST_PAUSES; pause++) {
    await sleep(PAUSE_MS);
    const now = used();
    if (now.every((ms, i) => ms - before[i]! < IDLE_MS)) return;
    before = now;
  }
}
