import type { BatchPlan } from "./batch-plan.ts";
import { type Job, Piece } from "./job.ts";

/**
 * Cuts a request into pieces of at most `plan.maxRows` rows, linked by `sibling`, and hangs them on the job. Nearly every request
 * is one piece. All but the last are full; the last takes rows from the one before when it would fall below the model's minimum.
 */
export function splitIntoPieces(plan: BatchPlan, job: Job): void {
  if (job.rows <= plan.maxRows || !plan.isBatched) {
    job.first = new Piece(job, 0, job.rows, job.bytes);
    job.piecesLeft = 1;
    return;
  }
  let previous: Piece | undefined;
  for (let start = 0; start < job.rows; ) {
    const rows = pieceRows(plan, job.rows - start);
    const piece = new Piece(job, start, rows, Math.round((job.bytes * rows) / job.rows));
    if (previous === undefined) job.first = piece;
    else previous.sibling = piece;
    previous = piece;
    job.piecesLeft += 1;
    start += rows;
  }
}

function pieceRows(plan: BatchPlan, left: number): number {
  if (left <= plan.maxRows) return left;
  const rest = left - plan.maxRows;
  if (rest >= plan.minRows) return plan.maxRows;
  const shorter = left - plan.minRows;
  return Math.max(plan.minRows, shorter - (shorter % plan.rowMultiple));
}
