import { readFileSync } from "node:fs";
import { cpus } from "node:os";

/**
 * What kind of processor this is, down to the instructions that it has: an optimised graph holds weights in the order that one kind reads best, which is
 * garbage to another. Undefined where the system does not tell.
 */
export function cpuIdentity(): string | undefined {
  if (process.platform !== "linux") return undefined;
  try {
    const flags = /^(?:flags|Features)\s*:\s*(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1];
    return flags === undefined ? undefined : `${process.arch} ${cpus()[0]?.model ?? ""} ${flags}`;
  } catch {
    return undefined;
  }
}
