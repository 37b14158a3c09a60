import { writeFileSync } from "node:fs";

/** Makes the kernel's out-of-memory killer take a worker (replaceable) before the server process (not). Range −1000 to 1000. */
const OOM_SCORE = "500";

/** SIGUSR1 would open Node's debugger, SIGUSR2 end the process. */
const OUTLIVED = ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"] as const;

/**
 * Puts this process behind the server process: signals meant for the whole service (Ctrl-C, a service manager's SIGTERM) are ignored, since the server process
 * drains first and then closes the worker; and when memory runs out, the worker goes first.
 */
export function outliveSignals(): void {
  for (const signal of OUTLIVED) process.on(signal, () => {});
  try {
    writeFileSync("/proc/self/oom_score_adj", OOM_SCORE);
  } catch {
    // Not Linux, or not allowed: then the kernel chooses by size alone.
  }
}
