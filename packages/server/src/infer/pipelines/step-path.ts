import { stageMs, type Timeline } from "../../base/timeline.ts";
import type { PlannedStep } from "./pipeline-plan.ts";

/** When a step ran, and its own stamps. */
export interface StepRecord {
  readonly startedMs: number;
  readonly endedMs: number;
  readonly timeline: Timeline;
}

/**
 * Stamps a pipeline's timeline: its stages are those of the steps that the answer waited for, one after another, and the time between them counts
 * as transfer. `records`: undefined for steps that did not run.
 */
export function stampPath(
  timeline: Timeline,
  steps: readonly PlannedStep[],
  records: readonly (StepRecord | undefined)[],
): void {
  let [queueMs, batchMs, computeMs] = [0, 0, 0];
  let last = latestOf(records.keys(), records);
  const endedMs = records[last]?.endedMs ?? timeline.enqueuedMs;
  while (last >= 0) {
    const own = records[last]!.timeline;
    queueMs += stageMs(own, "queue") || 0;
    batchMs += stageMs(own, "batch") || 0;
    computeMs += stageMs(own, "compute") || 0;
    last = latestOf(steps[last]!.before, records);
  }
  timeline.claimedMs = timeline.enqueuedMs + queueMs;
  timeline.dispatchedMs = timeline.claimedMs + batchMs;
  timeline.computeMs = computeMs;
  timeline.answeredMs = endedMs;
}

/** The step that ended last; −1: none ran. */
function latestOf(steps: Iterable<number>, records: readonly (StepRecord | undefined)[]): number {
  let latest = -1;
  for (const step of steps) {
    const record = records[step];
    if (record === undefined) continue;
    if (latest < 0 || record.endedMs > records[latest]!.endedMs) latest = step;
  }
  return latest;
}
