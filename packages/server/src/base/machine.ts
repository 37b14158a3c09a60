import { readFileSync } from "node:fs";
import { loadavg } from "node:os";
import { readCgroup, usableCores } from "./cgroup.ts";

/** Totals of the machine since it started; undefined where the system does not tell. */
export interface MachineReading {
  /** Processors that a process here may use, as its quota allows. */
  readonly cores: number;
  /** Processes that want a processor, mean of the last minute. */
  readonly load: number;
  /** All time and time that the hypervisor gave to others, in ticks. */
  readonly ticks: { readonly all: number; readonly steal: number } | undefined;
  /** Periods of the cgroup's CPU quota, and those in which it ran out. */
  readonly quota: { readonly periods: number; readonly throttled: number } | undefined;
  /** Of the container: bytes in use that cannot be given back at once; undefined: no limit. */
  readonly memory?: { readonly used: number; readonly limit: number } | undefined;
}

const STEAL = 7;

/** Reads the machine that this process runs on. `cgroups`: where the system shows them. */
export function readMachine(cgroups?: string): MachineReading {
  const { quota, memory } = readCgroup(cgroups);
  return {
    cores: usableCores(cgroups),
    load: loadavg()[0]!,
    ticks: ticksOf(read("/proc/stat")),
    quota,
    memory,
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
