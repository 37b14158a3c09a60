import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";

/** What the container, or service, that this process runs in may use. */
export interface Cgroup {
  /** Processors' worth of time; undefined: no quota. */
  readonly quotaCores: number | undefined;
  /** Periods of the quota, and those in which it ran out; undefined where the system does not tell. */
  readonly quota: { readonly periods: number; readonly throttled: number } | undefined;
  /** Bytes in use that cannot be given back at once, and how many there may be; undefined: no limit. */
  readonly memory: { readonly used: number; readonly limit: number } | undefined;
}

const ROOT = "/sys/fs/cgroup";
/** Of version 1 an unlimited group says a number near 2^63. */
const NO_LIMIT = 2 ** 60;

/** Reads the cgroup of this process, of version 2 or 1, as it lies at the root inside of a container. */
export function readCgroup(root: string = ROOT): Cgroup {
  const read = (path: string): string | undefined => readText(join(root, path));
  const stat = read("cpu.stat") ?? read("cpu/cpu.stat");
  return {
    quotaCores: coresOf(read),
    quota:
      stat === undefined
        ? undefined
        : { periods: figure(stat, "nr_periods"), throttled: figure(stat, "nr_throttled") },
    memory: memoryOf(read),
  };
}

/** Processors that this process may keep busy: those that it may run on, or fewer when a quota says so. At least one. */
export function usableCores(root?: string): number {
  const { quotaCores = Number.POSITIVE_INFINITY } = readCgroup(root);
  return Math.max(1, Math.min(availableParallelism(), Math.round(quotaCores)));
}

type Read = (path: string) => string | undefined;

function coresOf(read: Read): number | undefined {
  const [quota, period] = read("cpu.max")?.trim().split(" ") ?? [
    read("cpu/cpu.cfs_quota_us"),
    read("cpu/cpu.cfs_period_us"),
  ];
  const cores = Number(quota) / Number(period);
  return cores > 0 ? cores : undefined;
}

function memoryOf(read: Read): Cgroup["memory"] {
  const [limit, used, stat] = [
    read("memory.max") ?? read("memory/memory.limit_in_bytes"),
    read("memory.current") ?? read("memory/memory.usage_in_bytes"),
    read("memory.stat") ?? read("memory/memory.stat") ?? "",
  ].map((text) => text ?? "");
  const bytes = Number(limit === "" ? Number.NaN : limit);
  if (!(bytes > 0 && bytes < NO_LIMIT)) return undefined;
  const cached = figure(stat!, "inactive_file") || figure(stat!, "total_inactive_file");
  return { used: Math.max(0, Number(used) - cached), limit: bytes };
}

function figure(text: string, name: string): number {
  return Number(new RegExp(`^${name} (\\d+)$`, "m").exec(text)?.[1] ?? 0);
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
