import { readdirSync, readFileSync } from "node:fs";

/** Processor time that a process has used so far, in milliseconds: of its own threads, without its children (Linux). */
export function processCpuMs(pid: number): number {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const [used] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "latin1").split(" ");
    nanoseconds += Number(used);
  }
  return nanoseconds / 1e6;
}
