import type { RunInput, RunRequest } from "../base/run.ts";
import type { BatchPlan } from "./batch-plan.ts";
import type { Piece } from "./job.ts";
import { resizeAxis } from "./padding.ts";
import { viewRows } from "./rows.ts";

/**
 * The run of a batch: per input the batched shape, and the pieces' own bytes one after another, which are the batched tensor
 * (row-major). Nothing is copied, except what padding has to widen.
 */
export function joinPieces(plan: BatchPlan, pieces: readonly Piece[]): RunRequest {
  const inputs = new Array<RunInput>(plan.inputs.length);
  for (let i = 0; i < inputs.length; i++) {
    inputs[i] = plan.isBatched ? joinInput(plan, pieces, i) : wholeInput(pieces[0]!, i);
  }
  return { inputs };
}

function wholeInput(piece: Piece, index: number): RunInput {
  const { datatype, shape, bytes } = piece.job.inputs[index]!;
  return { datatype, shape, chunks: [bytes] };
}

function joinInput(plan: BatchPlan, pieces: readonly Piece[], index: number): RunInput {
  const first = pieces[0]!.job.inputs[index]!;
  const shape = first.shape.slice();
  const chunks = new Array<Uint8Array>(pieces.length);
  const axes = plan.padding?.inputAxes[index];
  const isPadded = axes !== undefined && axes.length > 0;
  if (isPadded) for (const axis of axes) shape[axis] = plan.padding!.paddedSize(first.shape[axis]!);
  let rows = 0;
  for (let i = 0; i < pieces.length; i++) {
    const piece = pieces[i]!;
    const bytes = viewRows(piece.job.inputs[index]!, piece.job.rows, piece.rowStart, piece.rows);
    chunks[i] = isPadded ? widen(plan, piece, index, bytes) : bytes;
    rows += piece.rows;
  }
  shape[0] = rows;
  return { datatype: first.datatype, shape, chunks };
}

function widen(plan: BatchPlan, piece: Piece, index: number, bytes: Uint8Array): Uint8Array {
  const padding = plan.padding!;
  const tensor = piece.job.inputs[index]!;
  const shape = tensor.shape.slice();
  shape[0] = piece.rows;
  let widened = bytes;
  for (const axis of padding.inputAxes[index]!) {
    const size = padding.paddedSize(shape[axis]!);
    if (size === shape[axis]) continue;
    widened = resizeAxis(widened, shape, {
      axis,
      size,
      datatype: tensor.datatype,
      fill: padding.fill[index]!,
    });
    shape[axis] = size;
  }
  return widened;
}
