import { readdirSync, readFileSync } from "node:fs";

/** Bytes of the proportional set size of this process's children: shared pages count by the share that each process has in them. */
export function childrenPssBytes(): number {
  return childPids().reduce((sum, pid) => sum + pssBytes(pid), 0);
}

function childPids(): number[] {
  return readdirSync(`/proc/${process.pid}/task`)
    .flatMap((task) => readFileSync(`/proc/${process.pid}/task/${task}/children`, "utf8").trim().split(" "))
    .filter((pid) => pid !== "")
    .map(Number);
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
