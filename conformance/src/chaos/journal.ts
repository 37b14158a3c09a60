import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { monotonicMs } from "./monotonic.ts";

/** What workers say they did, line by line: `<monotonic ms> loaded <pid>` and `<monotonic ms> run <pid> <row id>,…`. */
export interface Journal {
  readonly loads: readonly { readonly atMs: number; readonly pid: number }[];
  readonly runs: readonly { readonly atMs: number; readonly pid: number; readonly rows: readonly string[] }[];
}

export function noteLoad(file: string): void {
  appendFileSync(file, `${monotonicMs()} loaded ${process.pid}\n`);
}

export function noteRun(file: string, rows: readonly string[]): void {
  appendFileSync(file, `${monotonicMs()} run ${process.pid} ${rows.join(",")}\n`);
}

export function readJournal(file: string): Journal {
  const loads: { atMs: number; pid: number }[] = [];
  const runs: { atMs: number; pid: number; rows: string[] }[] = [];
  const lines = existsSync(file) ? readFileSync(file, "utf8").split("\n") : [];
  for (const line of lines) {
    const [at = "", kind, pid = "", rows = ""] = line.split(" ");
    if (kind === "loaded") loads.push({ atMs: Number(at), pid: Number(pid) });
    else if (kind === "run") runs.push({ atMs: Number(at), pid: Number(pid), rows: rows.split(",") });
  }
  return { loads, runs };
}
