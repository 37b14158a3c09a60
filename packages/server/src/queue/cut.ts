import { ServeError } from "../base/errors.ts";
import type { RunResult } from "../base/run.ts";
import { elementCount, type NamedTensor, type Tensor } from "../base/tensor.ts";
import type { BatchPlan } from "./batch-plan.ts";
import type { Job, Piece } from "./job.ts";
import { resizeAxis } from "./padding.ts";
import { rowsEnd } from "./rows.ts";

/** What is wrong with a run's outputs, or undefined: number of outputs, rows, byte counts. */
export function findBadOutput(plan: BatchPlan, result: RunResult, rows: number): ServeError | undefined {
  const outputs = result.outputs;
  if (outputs.length !== plan.outputs.length) {
    return badOutput(`the model gave ${outputs.length} outputs instead of ${plan.outputs.length}`);
  }
  for (let i = 0; i < outputs.length; i++) {
    const { shape, bytes } = outputs[i]!;
    const name = plan.outputs[i]!.name;
    if (plan.isBatched && shape[0] !== rows) {
      return badOutput(`output "${name}" has ${shape[0] ?? "no"} rows for a batch of ${rows}`);
    }
    const elementBytes = plan.outputElementBytes[i]!;
    const isWhole =
      elementBytes > 0
        ? bytes.length === elementCount(shape) * elementBytes
        : rowsEnd(outputs[i]!, 1, 0, shape[0] ?? 1) === bytes.length;
    if (!isWhole)
      return badOutput(`output "${name}" has ${bytes.length} bytes, which is not what its shape says`);
  }
  return undefined;
}

function badOutput(message: string): ServeError {
  return new ServeError("internal", message, { reason: "bad_output" });
}

/**
 * Each piece's own rows of the (checked) outputs, in the order of `pieces`: views on the received block. A piece of an undivided
 * request gets the outputs it wants, a part of a divided one gets all. Settled pieces get none.
 */
export function cutOutputs(
  plan: BatchPlan,
  result: RunResult,
  pieces: readonly Piece[],
): (readonly NamedTensor[] | undefined)[] {
  const offsets = new Array<number>(result.outputs.length).fill(0);
  const cut = new Array<readonly NamedTensor[] | undefined>(pieces.length);
  let rows = 0;
  for (let i = 0; i < pieces.length; i++) rows += pieces[i]!.rows;
  for (let i = 0; i < pieces.length; i++) cut[i] = cutPiece(plan, result, pieces[i]!, { offsets, rows });
  return cut;
}

function cutPiece(
  plan: BatchPlan,
  result: RunResult,
  piece: Piece,
  batch: { readonly offsets: number[]; readonly rows: number },
): readonly NamedTensor[] | undefined {
  const job = piece.job;
  const all = new Array<NamedTensor>(result.outputs.length);
  for (let i = 0; i < all.length; i++) {
    const output = result.outputs[i]!;
    const from = batch.offsets[i]!;
    const end = plan.isBatched ? rowsEnd(output, batch.rows, from, piece.rows) : output.bytes.length;
    batch.offsets[i] = end;
    if (job.isSettled) continue;
    const shape = output.shape.slice();
    if (plan.isBatched) shape[0] = piece.rows;
    const tensor: NamedTensor = {
      name: plan.outputs[i]!.name,
      datatype: output.datatype,
      shape,
      bytes: output.bytes.subarray(from, end),
    };
    all[i] = plan.padding === undefined ? tensor : cutBack(plan, job, i, tensor);
  }
  if (job.isSettled) return undefined;
  return piece.sibling === undefined && job.first === piece ? select(all, job.wanted) : all;
}

/** Drops the padding from an output that has the padded dimension. */
function cutBack(plan: BatchPlan, job: Job, index: number, tensor: NamedTensor): NamedTensor {
  const axes = plan.padding!.outputAxes[index]!;
  if (axes.length === 0) return tensor;
  const size = paddedInputSize(plan, job);
  const padded = plan.padding!.paddedSize(size);
  const shape = tensor.shape.slice();
  let bytes = tensor.bytes;
  for (const axis of axes) {
    if (shape[axis] !== padded || size === padded) continue;
    bytes = resizeAxis(bytes, shape, { axis, size, datatype: tensor.datatype });
    shape[axis] = size;
  }
  return { name: tensor.name, datatype: tensor.datatype, shape, bytes };
}

/** The request's own size of the padded dimension. */
function paddedInputSize(plan: BatchPlan, job: Job): number {
  const site = plan.keySites.find((s) => s.isPadded)!;
  return job.inputs[site.input]!.shape[site.axis]!;
}

/** The answer of a divided request: its parts' rows in one block per output (the one copy that dividing costs). */
export function rejoin(job: Job): readonly NamedTensor[] | ServeError {
  const parts: (readonly NamedTensor[])[] = [];
  for (let piece = job.first; piece !== undefined; piece = piece.sibling) parts.push(piece.outputs!);
  const joined = parts[0]!.map((first, index) => {
    const tensors = parts.map((part) => part[index]!);
    return tensors.every((tensor) => sameRows(tensor, first)) ? concatenate(tensors, job.rows) : undefined;
  });
  if (joined.some((tensor) => tensor === undefined)) {
    return badOutput("the model gave different shapes for the parts of one request");
  }
  return select(joined as NamedTensor[], job.wanted);
}

function sameRows(a: Tensor, b: Tensor): boolean {
  if (a.shape.length !== b.shape.length) return false;
  for (let axis = 1; axis < a.shape.length; axis++) if (a.shape[axis] !== b.shape[axis]) return false;
  return true;
}

function concatenate(tensors: readonly NamedTensor[], rows: number): NamedTensor {
  const first = tensors[0]!;
  const bytes = new Uint8Array(tensors.reduce((sum, tensor) => sum + tensor.bytes.length, 0));
  let offset = 0;
  for (const tensor of tensors) {
    bytes.set(tensor.bytes, offset);
    offset += tensor.bytes.length;
  }
  const shape = first.shape.slice();
  shape[0] = rows;
  return { name: first.name, datatype: first.datatype, shape, bytes };
}

function select(
  outputs: readonly NamedTensor[],
  wanted: readonly number[] | undefined,
): readonly NamedTensor[] {
  return wanted === undefined ? outputs : wanted.map((index) => outputs[index]!);
}
