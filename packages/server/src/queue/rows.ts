import { elementBytes, type Tensor } from "../base/tensor.ts";

/**
 * Byte offset just behind the `rows` rows that start at byte `from`; −1 when the bytes end before. BYTES elements carry a length each and are walked; all
 * others have rows of one size. `totalRows` is the tensor's first dimension.
 */
export function rowsEnd(tensor: Tensor, totalRows: number, from: number, rows: number): number {
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
export function viewRows(tensor: Tensor, totalRows: number, start: number, rows: number): Uint8Array {
  if (start === 0 && rows === totalRows) return tensor.bytes;
  const from = Math.max(0, rowsEnd(tensor, totalRows, 0, start));
  const end = rowsEnd(tensor, totalRows, from, rows);
  return end < 0 ? tensor.bytes.subarray(from) : tensor.bytes.subarray(from, end);
}
