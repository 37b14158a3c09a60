import { type Clock, timerDelayMs } from "../../base/clock.ts";
import type { Recorder } from "./recorder.ts";
import type { Sender } from "./sender.ts";

/** A load that runs until it is stopped. */
export interface Drive {
  /** Requests sent so far. */
  sent(): number;
  /** Requests that should have been sent and wait for a connection, and those that were not even kept waiting. */
  readonly behind: () => { readonly waiting: number; readonly dropped: number; readonly lateMs: number };
  /** Sends no more, and resolves when nothing is under way. */
  stop(): Promise<void>;
}

export interface DriveParts {
  readonly senders: readonly Sender[];
  readonly recorder: Recorder;
  readonly clock: Clock;
}

/** After a failure, a connection pauses: a server that is gone would otherwise be asked ten thousand times a second. */
const PAUSE_MS = 10;

/** Every connection sends its next request when it has the answer to the last. */
export function driveClosed({ senders, recorder, clock }: DriveParts): Drive {
  let isStopped = false;
  let sent = 0;
  const lanes = senders.map(async (sender) => {
    while (!isStopped) {
      const startMs = clock.nowMs();
      sent += 1;
      const reply = await sender.send();
      recorder.record(reply, clock.nowMs() - startMs);
      if (reply.outcome !== "ok") await pause();
    }
  });
  return {
    sent: () => sent,
    behind: () => ({ waiting: 0, dropped: 0, lateMs: 0 }),
    async stop() {
      isStopped = true;
      await Promise.all(lanes);
    },
  };
}

export interface Arrivals {
  /** Per second. */
  readonly rate: number;
  readonly spacing: "poisson" | "constant";
  /** At least 0, below 1. */
  random(): number;
}

/** Requests that wait for a connection; more would only fill the memory. */
const MAX_WAITING = 100_000;

/** Requests arrive at their own times. Each takes a free connection or waits for one, and its latency counts from when it arrived. */
export function driveOpen({ senders, recorder, clock }: DriveParts, arrivals: Arrivals): Drive {
  const free = [...senders];
  const waiting: number[] = [];
  const running = new Set<Promise<void>>();
  let isStopped = false;
  let sent = 0;
  let dropped = 0;
  let lateMs = 0;
  let nextMs = clock.nowMs() + gapMs(arrivals);
  let timer: NodeJS.Timeout | undefined;

  async function lane(sender: Sender, firstMs: number): Promise<void> {
    let intendedMs: number | undefined = firstMs;
    while (intendedMs !== undefined) {
      sent += 1;
      const reply = await sender.send();
      recorder.record(reply, clock.nowMs() - intendedMs);
      intendedMs = isStopped ? undefined : waiting.shift();
    }
    free.push(sender);
  }

  function arrive(): void {
    const nowMs = clock.nowMs();
    while (nextMs <= nowMs) {
      const sender = free.pop();
      if (sender !== undefined) {
        lateMs += nowMs - nextMs;
        const run = lane(sender, nextMs).finally(() => running.delete(run));
        running.add(run);
      } else if (waiting.length < MAX_WAITING) waiting.push(nextMs);
      else dropped += 1;
      nextMs += gapMs(arrivals);
    }
    timer = setTimeout(arrive, timerDelayMs(nextMs - nowMs));
  }
  arrive();

  return {
    sent: () => sent,
    behind: () => ({ waiting: waiting.length, dropped, lateMs: sent === 0 ? 0 : lateMs / sent }),
    async stop() {
      isStopped = true;
      clearTimeout(timer);
      await Promise.all(running);
    },
  };
}

function gapMs({ rate, spacing, random }: Arrivals): number {
  const meanMs = 1000 / rate;
  return spacing === "constant" ? meanMs : -Math.log(1 - random()) * meanMs;
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
}
