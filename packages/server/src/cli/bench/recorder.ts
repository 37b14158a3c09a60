import { createHistogram, type RecordableHistogram } from "node:perf_hooks";
import { STAGES, type Stage } from "../../base/timeline.ts";
import type { Reply } from "./sender.ts";

/** What was seen in one stretch of time. */
export interface Window {
  readonly seconds: number;
  readonly answered: number;
  readonly failures: ReadonlyMap<string, number>;
  /** Of answered requests, in microseconds. */
  readonly latencies: RecordableHistogram;
  /** Sums of sampled server times in milliseconds, in the order of STAGES, and how many were sampled. */
  readonly stageMs: readonly number[];
  readonly sampled: number;
}

/** Takes every reply of a load, in windows. */
export interface Recorder {
  record(reply: Reply, latencyMs: number): void;
  /** How many replies the window that runs has. */
  replies(): number;
  /** Ends the window that runs and begins the next. */
  next(seconds: number): Window;
}

/** One reply in so many has its `Server-Timing` read: reading all would be the client's largest cost. */
const SAMPLE = 8;
const US_PER_MS = 1000;
/** One hour; three figures of a latency are kept. */
const HIGHEST_US = 3_600_000_000;
const TIMING = new Map(STAGES.map((stage) => [stage, new RegExp(`(?:^|[ ,])${stage};dur=([0-9.]+)`)]));

export function createRecorder(): Recorder {
  let latencies = newHistogram();
  let failures = new Map<string, number>();
  let stageMs = STAGES.map(() => 0);
  let answered = 0;
  let sampled = 0;
  let replies = 0;
  return {
    replies: () => replies,
    record({ outcome, serverTiming }, latencyMs) {
      replies += 1;
      if (outcome !== "ok") {
        failures.set(outcome, (failures.get(outcome) ?? 0) + 1);
        return;
      }
      latencies.record(Math.max(1, Math.round(latencyMs * US_PER_MS)));
      if (serverTiming !== undefined && answered % SAMPLE === 0) {
        sampled += 1;
        STAGES.forEach((stage, i) => {
          stageMs[i]! += stageOf(serverTiming, stage);
        });
      }
      answered += 1;
    },
    next(seconds) {
      const window = { seconds, answered, failures, latencies, stageMs, sampled };
      latencies = newHistogram();
      failures = new Map();
      stageMs = STAGES.map(() => 0);
      answered = 0;
      sampled = 0;
      replies = 0;
      return window;
    },
  };
}

/** All windows as one. */
export function mergeWindows(windows: readonly Window[]): Window {
  const latencies = newHistogram();
  const failures = new Map<string, number>();
  const stageMs = STAGES.map(() => 0);
  let seconds = 0;
  let answered = 0;
  let sampled = 0;
  for (const window of windows) {
    if (window.answered > 0) latencies.add(window.latencies);
    for (const [outcome, count] of window.failures)
      failures.set(outcome, (failures.get(outcome) ?? 0) + count);
    for (let i = 0; i < stageMs.length; i++) stageMs[i]! += window.stageMs[i]!;
    seconds += window.seconds;
    answered += window.answered;
    sampled += window.sampled;
  }
  return { seconds, answered, failures, latencies, stageMs, sampled };
}

/** How many windows in a row must agree. */
export const STABLE_WINDOWS = 3;

/** Whether throughput and mean latency of the last windows lie within `share` of their mean. */
export function isStable(windows: readonly Window[], share: number): boolean {
  const last = windows.slice(-STABLE_WINDOWS);
  if (last.length < STABLE_WINDOWS || last.some(({ answered }) => answered === 0)) return false;
  return [(one: Window) => one.answered / one.seconds, (one: Window) => one.latencies.mean].every(
    (figure) => {
      const values = last.map(figure);
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      return values.every((value) => Math.abs(value - mean) <= share * mean);
    },
  );
}

function stageOf(timing: string, stage: Stage): number {
  return Number(TIMING.get(stage)!.exec(timing)?.[1] ?? 0);
}

function newHistogram(): RecordableHistogram {
  return createHistogram({ lowest: 1, highest: HIGHEST_US, figures: 3 });
}
