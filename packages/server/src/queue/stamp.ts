import type { Piece } from "./job.ts";

/** Stamps a piece's way to an executor that was free since `freeSinceMs`. Of a divided request, the first part to leave counts. */
export function stampDispatch(piece: Piece, freeSinceMs: number, dispatchedMs: number): void {
  const { job } = piece;
  const timeline = job.request.timeline;
  if (job.first!.sibling !== undefined && !Number.isNaN(timeline.dispatchedMs)) return;
  timeline.claimedMs = freeSinceMs;
  timeline.dispatchedMs = dispatchedMs;
}

/** Stamps a piece's answer. Of a divided request, the last part's answer is the end, and the parts' compute times add up. */
export function stampAnswer(piece: Piece, answeredMs: number, computeMs: number): void {
  const { job } = piece;
  const timeline = job.request.timeline;
  const isWhole = job.first!.sibling === undefined;
  const before = isWhole || Number.isNaN(timeline.computeMs) ? 0 : timeline.computeMs;
  timeline.computeMs = Math.min(before + computeMs, answeredMs - timeline.dispatchedMs);
  timeline.answeredMs = answeredMs;
}
