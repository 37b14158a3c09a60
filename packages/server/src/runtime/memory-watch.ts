import { readFile } from "node:fs/promises";
import type { Clock } from "../base/clock.ts";

const POLL_MS = 1000;

export interface MemoryWatchOptions {
  readonly pid: number;
  readonly limitBytes: number;
  readonly clock: Clock;
  /** Called once. */
  onExceeded(bytes: number): void;
}

/**
 * Looks at a process's resident memory once a second and reports when it passes the limit; the returned function ends that. Weights that
 * are mapped from the model file count as long as they are resident. Watches nothing where there is no /proc.
 */
export function watchMemory(options: MemoryWatchOptions): () => void {
  let isStopped = false;
  let cancel = (): void => {};
  const look = async (): Promise<void> => {
    const bytes = await residentBytes(options.pid);
    if (isStopped || bytes === undefined) return;
    if (bytes > options.limitBytes) options.onExceeded(bytes);
    else next();
  };
  const next = (): void => {
    cancel = options.clock.after(POLL_MS, () => void look());
  };
  next();
  return () => {
    isStopped = true;
    cancel();
  };
}

/** Resident memory of a process, or undefined when it is gone or the system does not say. */
export async function residentBytes(pid: number): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  return kib === undefined ? undefined : Number(kib) * 1024;
}
