import { existsSync, readdirSync, readFileSync } from "node:fs";

/** Linux counts processor time in hundredths of a second. */
const TICK_MS = 10;

/** A process and all that it started, as pids. */
function processTree(pid: number): readonly number[] {
  return [pid, ...childPids(pid).flatMap(processTree)];
}

function childPids(pid: number): readonly number[] {
  return readdirSync(`/proc/${pid}/task`)
    .flatMap((task) => readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").trim().split(" "))
    .filter((child) => child !== "")
    .map(Number);
}

/** Milliseconds of processor time that a process and its descendants have taken so far. */
export function treeCpuMs(pid: number): number {
  return processTree(pid).reduce((sum, one) => {
    const [, rest = ""] = readFileSync(`/proc/${one}/stat`, "utf8").split(/\) /);
    const fields = rest.split(" ");
    return sum + TICK_MS * (Number(fields[11]) + Number(fields[12]));
  }, 0);
}

/** Bytes of their proportional set size: shared pages count by the share that each process has in them. */
export function treePssBytes(pid: number): number {
  return processTree(pid).reduce((sum, one) => sum + pssBytes(one), 0);
}

/** The same of this process's children, without what those started. */
export function childrenPssBytes(): number {
  return childPids(process.pid).reduce((sum, pid) => sum + pssBytes(pid), 0);
}

function pssBytes(pid: number): number {
  try {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
    return 1024 * Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? "0");
  } catch {
    // It ended in between.
    return 0;
  }
}

/** False once a process has ended and was waited for. */
export function isRunning(pid: number): boolean {
  return existsSync(`/proc/${pid}/task`);
}
