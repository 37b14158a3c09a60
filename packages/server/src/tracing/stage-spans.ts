import type { TaskStage, Timeline } from "../base/timeline.ts";
import { stageMs, TASK_STAGES } from "../base/timeline.ts";

/** A part of a request. Milliseconds of the server's clock. */
export interface TimedPart {
  readonly name: string;
  readonly startMs: number;
  readonly endMs: number;
}

/**
 * The stages that a request went through, each as long as the metrics have it. They follow one another; when in its run the model computed is
 * not known here, so that all of the transfer is put before it.
 */
export function stageParts(timeline: Timeline): TimedPart[] {
  const parts: TimedPart[] = [];
  for (const name of TASK_STAGES) {
    const ms = stageMs(timeline, name);
    if (!(ms >= 0)) continue;
    const startMs = startOf(timeline, name);
    if (Number.isFinite(startMs)) parts.push({ name, startMs, endMs: startMs + ms });
  }
  return parts;
}

function startOf(timeline: Timeline, stage: TaskStage): number {
  switch (stage) {
    case "receive":
      return timeline.receivedMs;
    case "preprocess":
      return timeline.bodyMs;
    case "decode":
      return Number.isNaN(timeline.preparedMs) ? timeline.bodyMs : timeline.preparedMs;
    case "queue":
      return timeline.enqueuedMs;
    case "batch":
      return Math.max(timeline.claimedMs, timeline.enqueuedMs);
    case "transfer":
      return timeline.dispatchedMs;
    case "compute":
      return timeline.answeredMs - timeline.computeMs;
    case "postprocess":
      return timeline.answeredMs;
    case "encode":
      return Number.isNaN(timeline.finishedMs) ? timeline.answeredMs : timeline.finishedMs;
  }
}
