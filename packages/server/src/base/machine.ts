import { readFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";

/** Totals of the machine since it started; undefined where the system does not tell. */
export interface MachineReading {
  /** Processors that a process here may use. */
  readonly cores: number;
  /** Processes that want a processor, mean of the last minute. */
  readonly load: number;
  /** All time and time that the hypervisor gave to others, in ticks. */
  readonly ticks: { readonly all: number; readonly steal: number } | undefined;
  /** Periods of the cgroup's CPU quota, and those in which it ran out. */
  readonly quota: { readonly periods: number; readonly throttled: number } | undefined;
}

const STEAL = 7;
const CPU_STAT = ["/sys/fs/cgroup/cpu.stat", "/sys/fs/cgroup/cpu/cpu.stat"];

/** Reads the machine that this process runs on. */
export function readMachine(): MachineReading {
  const stat = CPU_STAT.map(read).find((text) => text !== undefined);
  const figure = (name: string): number =>
    Number(new RegExp(`^${name} (\\d+)$`, "m").exec(stat ?? "")?.[1] ?? 0);
  return {
    cores: availableParallelism(),
    load: loadavg()[0]!,
    ticks: ticksOf(read("/proc/stat")),
    quota:
      stat === undefined ? undefined : { periods: figure("nr_periods"), throttled: figure("nr_throttled") },
  };
}

function ticksOf(stat: string | undefined): MachineReading["ticks"] {
  const line = /^cpu +(.*)$/m.exec(stat ?? "")?.[1];
  if (line === undefined) return undefined;
  // The last two, guests', are parts of the first two.
  const ticks = line
    .split(" ")
    .slice(0, STEAL + 1)
    .map(Number);
  return { all: ticks.reduce((sum, value) => sum + value, 0), steal: ticks[STEAL] ?? 0 };
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
