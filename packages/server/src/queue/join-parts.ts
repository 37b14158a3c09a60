import type { ServeError } from "../base/errors.ts";
import type { NamedTensor, Tensor } from "../base/tensor.ts";
import { badOutput, innerBytes, outerSize, selectOutputs } from "./batch-rows.ts";
import type { BatchItem, QueuedRequest } from "./queued-request.ts";

/** The answer of a split request: its parts' rows in one block per output (the one copy that splitting costs). */
export function joinParts(request: QueuedRequest): readonly NamedTensor[] | ServeError {
  const parts: (readonly NamedTensor[])[] = [];
  for (let item: BatchItem | undefined = request.first; item !== undefined; item = item.sibling)
    parts.push(item.outputs!);
  const joined = parts[0]!.map((first, index) => {
    const tensors = parts.map((part) => part[index]!);
    const axis = request.plan.outputAxes[index] ?? 0;
    return tensors.every((tensor) => sameRows(tensor, first, axis))
      ? concatenate(tensors, request.rows, axis)
      : undefined;
  });
  if (joined.some((tensor) => tensor === undefined)) {
    return badOutput("the model gave different shapes for the parts of one request");
  }
  return selectOutputs(joined as NamedTensor[], request.wanted);
}

function sameRows(a: Tensor, b: Tensor, rowAxis: number): boolean {
  if (a.shape.length !== b.shape.length) return false;
  for (let axis = 0; axis < a.shape.length; axis++)
    if (axis !== rowAxis && a.shape[axis] !== b.shape[axis]) return false;
  return true;
}

function concatenate(tensors: readonly NamedTensor[], rows: number, axis: number): NamedTensor {
  const first = tensors[0]!;
  if (axis > 0) return concatenateInner(tensors, rows, axis);
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

function concatenateInner(tensors: readonly NamedTensor[], rows: number, axis: number): NamedTensor {
  const { name, datatype, shape: own } = tensors[0]!;
  const shape = own.slice();
  shape[axis] = rows;
  const bytes = new Uint8Array(tensors.reduce((sum, tensor) => sum + tensor.bytes.length, 0));
  let at = 0;
  for (let o = 0; o < outerSize(shape, axis); o++) {
    for (const tensor of tensors) {
      const size = tensor.shape[axis]! * innerBytes(tensor, axis);
      bytes.set(tensor.bytes.subarray(o * size, (o + 1) * size), at);
      at += size;
    }
  }
  return { name, datatype, shape, bytes };
}
