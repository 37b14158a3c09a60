import { Session } from "node:inspector/promises";
import type { CancelSignal } from "../base/call-signal.ts";
import type { Clock } from "../base/clock.ts";
import { ServeError } from "../base/errors.ts";

const SAMPLE_US = 1000;

/** Records what the threads of JavaScript in this process spend their time on: the server's own, no model's. */
export interface CpuProfiler {
  /**
   * For so long, or until the signal fires. Resolves with a `.cpuprofile`, as Chrome's developer tools and speedscope read it. Throws
   * `failed_precondition`/`profile_running` while it records for somebody else.
   */
  record(durationMs: number, signal: CancelSignal): Promise<Uint8Array>;
}

export function createCpuProfiler(clock: Clock): CpuProfiler {
  let isRunning = false;
  return {
    async record(durationMs, signal) {
      if (isRunning) {
        throw new ServeError(
          "failed_precondition",
          "a profile is being recorded already: wait until it is done",
          {
            reason: "profile_running",
          },
        );
      }
      isRunning = true;
      const session = new Session();
      try {
        session.connect();
        await session.post("Profiler.enable");
        await session.post("Profiler.setSamplingInterval", { interval: SAMPLE_US });
        await session.post("Profiler.start");
        await passed(clock, durationMs, signal);
        const { profile } = await session.post("Profiler.stop");
        return Buffer.from(JSON.stringify(profile));
      } finally {
        session.disconnect();
        isRunning = false;
      }
    },
  };
}

function passed(clock: Clock, durationMs: number, signal: CancelSignal): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(durationMs, done);
    function done(): void {
      cancel();
      signal.removeEventListener("abort", done);
      resolve();
    }
    signal.addEventListener("abort", done);
    if (signal.aborted) done();
  });
}
