import { ServeError } from "../base/errors.ts";
import type { RunInput, RunRequest, RunResult } from "../base/run.ts";
import { elementBytes, elementCount, type NamedTensor, type Tensor } from "../base/tensor.ts";
import type { BatchPlan } from "./batch-plan.ts";
import { resizeAxis } from "./padding.ts";
import type { BatchItem, QueuedRequest } from "./queued-request.ts";

/**
 * The run of a batch: per input the batched shape, and the items' own bytes one after another, which are the batched tensor
 * (row-major). Nothing is copied, except what padding has to widen.
 */
export function gatherInputs(plan: BatchPlan, items: readonly BatchItem[]): RunRequest {
  const inputs = new Array<RunInput>(plan.inputs.length);
  for (let i = 0; i < inputs.length; i++) {
    inputs[i] = plan.isBatched ? gatherInput(plan, items, i) : wholeInput(items[0]!, i);
  }
  return { inputs };
}

function wholeInput(item: BatchItem, index: number): RunInput {
  const { datatype, shape, bytes } = item.request.inputs[index]!;
  return { datatype, shape, chunks: [bytes] };
}

function gatherInput(plan: BatchPlan, items: readonly BatchItem[], index: number): RunInput {
  const first = items[0]!.request.inputs[index]!;
  const shape = first.shape.slice();
  const chunks = new Array<Uint8Array>(items.length);
  const axes = plan.padding?.inputAxes[index];
  const isPadded = axes !== undefined && axes.length > 0;
  if (isPadded) for (const axis of axes) shape[axis] = plan.padding!.paddedSize(first.shape[axis]!);
  let rows = 0;
  const axis = plan.inputAxes[index]!;
  const isInner = axis > 0 && outerSize(shape, axis) > 1;
  if (isInner) return gatherInner(items, index, axis);
  for (let i = 0; i < items.length; i++) {
    const item = items[i]!;
    const bytes = viewRows(item.request.inputs[index]!, item.request.rows, item.rowStart, item.rows);
    chunks[i] = isPadded ? widen(plan, item, index, bytes) : bytes;
    rows += item.rows;
  }
  shape[axis] = rows;
  return { datatype: first.datatype, shape, chunks };
}

/** The same of a tensor whose rows lie along an inner dimension, so that each lies in pieces: the one copy that this costs. */
function gatherInner(items: readonly BatchItem[], index: number, axis: number): RunInput {
  const first = items[0]!.request.inputs[index]!;
  const shape = first.shape.slice();
  let rows = 0;
  for (let i = 0; i < items.length; i++) rows += items[i]!.rows;
  shape[axis] = rows;
  const outer = outerSize(shape, axis);
  const rowBytes = innerBytes(first, axis);
  const all = new Uint8Array(outer * rows * rowBytes);
  let at = 0;
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < items.length; i++) {
      const { request, rowStart, rows: own } = items[i]!;
      const from = (o * request.rows + rowStart) * rowBytes;
      const piece = request.inputs[index]!.bytes.subarray(from, from + own * rowBytes);
      all.set(piece, at);
      at += piece.length;
    }
  }
  return { datatype: first.datatype, shape, chunks: [all] };
}

/** An item's own rows of such an output: a copy. */
function sliceInner(output: Tensor, axis: number, [start, rows]: readonly [number, number]): Uint8Array {
  const outer = outerSize(output.shape, axis);
  const rowBytes = innerBytes(output, axis);
  const own = new Uint8Array(outer * rows * rowBytes);
  for (let o = 0; o < outer; o++) {
    const from = (o * output.shape[axis]! + start) * rowBytes;
    own.set(output.bytes.subarray(from, from + rows * rowBytes), o * rows * rowBytes);
  }
  return own;
}

/** Places of the dimensions before `axis`; 1 when there are none. */
export function outerSize(shape: readonly number[], axis: number): number {
  let size = 1;
  for (let i = 0; i < axis; i++) size *= shape[i]!;
  return size;
}

/** Bytes of one row behind each place of the dimensions before it. */
export function innerBytes({ datatype, shape }: Tensor, axis: number): number {
  let size = elementBytes(datatype);
  for (let i = axis + 1; i < shape.length; i++) size *= shape[i]!;
  return size;
}

function widen(plan: BatchPlan, item: BatchItem, index: number, bytes: Uint8Array): Uint8Array {
  const padding = plan.padding!;
  const tensor = item.request.inputs[index]!;
  const shape = tensor.shape.slice();
  shape[0] = item.rows;
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

/** What is wrong with a run's outputs, or undefined: number of outputs, rows, byte counts. */
export function findBadOutput(plan: BatchPlan, result: RunResult, rows: number): ServeError | undefined {
  const outputs = result.outputs;
  if (outputs.length !== plan.outputs.length) {
    return badOutput(`the model gave ${outputs.length} outputs instead of ${plan.outputs.length}`);
  }
  for (let i = 0; i < outputs.length; i++) {
    const { shape, bytes } = outputs[i]!;
    const name = plan.outputs[i]!.name;
    const ownRows = plan.isBatched ? shape[plan.outputAxes[i]!] : rows;
    if (ownRows !== rows) {
      return badOutput(`output "${name}" has ${ownRows ?? "no"} rows for a batch of ${rows}`);
    }
    const width = plan.outputElementBytes[i]!;
    const isWhole =
      width > 0
        ? bytes.length === elementCount(shape) * width
        : rowsEnd(outputs[i]!, 1, 0, shape[0] ?? 1) === bytes.length;
    if (!isWhole)
      return badOutput(`output "${name}" has ${bytes.length} bytes, which is not what its shape says`);
  }
  return undefined;
}

/** A fault of the model: its outputs are not what the signature says. */
export function badOutput(message: string): ServeError {
  return new ServeError("internal", message, { reason: "bad_output" });
}

/**
 * Each item's own rows of the (checked) outputs, in the order of `items`: views on the received block. A item of a whole
 * request gets the outputs it wants, a part of a divided one gets all. Settled items get none.
 */
export function sliceOutputs(
  plan: BatchPlan,
  result: RunResult,
  items: readonly BatchItem[],
): (readonly NamedTensor[] | undefined)[] {
  const offsets = new Array<number>(result.outputs.length).fill(0);
  const sliced = new Array<readonly NamedTensor[] | undefined>(items.length);
  const batch = { offsets, rows: 0, start: 0 };
  for (let i = 0; i < items.length; i++) batch.rows += items[i]!.rows;
  for (let i = 0; i < items.length; i++) {
    sliced[i] = sliceItem(plan, result, items[i]!, batch);
    batch.start += items[i]!.rows;
  }
  return sliced;
}

function sliceItem(
  plan: BatchPlan,
  result: RunResult,
  item: BatchItem,
  batch: { readonly offsets: number[]; readonly rows: number; readonly start: number },
): readonly NamedTensor[] | undefined {
  const { request } = item;
  const all = new Array<NamedTensor>(result.outputs.length);
  for (let i = 0; i < all.length; i++) {
    const output = result.outputs[i]!;
    const axis = plan.isBatched ? plan.outputAxes[i]! : 0;
    if (axis > 0 && outerSize(output.shape, axis) > 1) {
      if (request.isSettled) continue;
      const shape = output.shape.slice();
      shape[axis] = item.rows;
      const bytes = sliceInner(output, axis, [batch.start, item.rows]);
      all[i] = { name: plan.outputs[i]!.name, datatype: output.datatype, shape, bytes };
      continue;
    }
    const from = batch.offsets[i]!;
    const end = plan.isBatched ? rowsEnd(output, batch.rows, from, item.rows) : output.bytes.length;
    batch.offsets[i] = end;
    if (request.isSettled) continue;
    const shape = output.shape.slice();
    if (plan.isBatched) shape[axis] = item.rows;
    const tensor: NamedTensor = {
      name: plan.outputs[i]!.name,
      datatype: output.datatype,
      shape,
      bytes: output.bytes.subarray(from, end),
    };
    all[i] = plan.padding === undefined ? tensor : cropPadding(plan, request, i, tensor);
  }
  if (request.isSettled) return undefined;
  return item.sibling === undefined && request.first === item ? selectOutputs(all, request.wanted) : all;
}

/** Drops the padding from an output that has the padded dimension. */
function cropPadding(
  plan: BatchPlan,
  request: QueuedRequest,
  index: number,
  tensor: NamedTensor,
): NamedTensor {
  const axes = plan.padding!.outputAxes[index]!;
  if (axes.length === 0) return tensor;
  const size = paddedInputSize(plan, request);
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

/** What requests fill of the padded dimension, and what padding does, over all rows; undefined: nothing is padded. */
export function paddingOf(
  plan: BatchPlan,
  items: readonly BatchItem[],
): { readonly content: number; readonly padding: number } | undefined {
  if (plan.padding === undefined) return undefined;
  let content = 0;
  let padding = 0;
  for (let i = 0; i < items.length; i++) {
    const { request, rows } = items[i]!;
    const size = paddedInputSize(plan, request);
    content += rows * size;
    padding += rows * (plan.padding.paddedSize(size) - size);
  }
  return { content, padding };
}

/** The request's own size of the padded dimension. */
function paddedInputSize(plan: BatchPlan, request: QueuedRequest): number {
  const site = plan.keySites.find((s) => s.isPadded)!;
  return request.inputs[site.input]!.shape[site.axis]!;
}

export function selectOutputs(
  outputs: readonly NamedTensor[],
  wanted: readonly number[] | undefined,
): readonly NamedTensor[] {
  return wanted === undefined ? outputs : wanted.map((index) => outputs[index]!);
}

/**
 * Byte offset just behind the `rows` rows that start at byte `from`; −1 when the bytes end before. BYTES elements carry a length each and are walked; all
 * others have rows of one size. `totalRows` is the tensor's first dimension.
 */
function rowsEnd(tensor: Tensor, totalRows: number, from: number, rows: number): number {
  if (totalRows === 0) return from;
  if (elementBytes(tensor.datatype) > 0) return from + (tensor.bytes.length / totalRows) * rows;
  let elements = rows;
  for (let axis = 1; axis < tensor.shape.length; axis++) elements *= tensor.shape[axis]!;
  return walkElements(tensor.bytes, from, elements);
}

function walkElements(bytes: Uint8Array, from: number, elements: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let offset = from;
  for (let i = 0; i < elements; i++) {
    if (offset + 4 > bytes.length) return -1;
    offset += 4 + view.getUint32(offset, true);
  }
  return offset > bytes.length ? -1 : offset;
}

/** A view on rows `start` to `start + rows` of a tensor whose first dimension is `totalRows`; no copy. */
function viewRows(tensor: Tensor, totalRows: number, start: number, rows: number): Uint8Array {
  if (start === 0 && rows === totalRows) return tensor.bytes;
  const from = Math.max(0, rowsEnd(tensor, totalRows, 0, start));
  const end = rowsEnd(tensor, totalRows, from, rows);
  return end < 0 ? tensor.bytes.subarray(from) : tensor.bytes.subarray(from, end);
}
