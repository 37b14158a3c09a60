import { type Dim, exampleSize, rowAxis, type Signature, type TensorSpec } from "../../base/signature.ts";
import { elementBytes, elementCount, type Tensor } from "../../base/tensor.ts";
import { ortTypeOf } from "./datatypes.ts";

/** Dimensions that are tried where the file does not say how many an input has. */
const MAX_RANK = 4;

/**
 * Made-up inputs at a small size that the signature allows, with one row where it has rows: floats from ½ to 1 and zeros (the rest, since
 * integers are often indices).
 */
export function smallestInputs(signature: Signature): Tensor[] {
  return signature.inputs.map((spec) => filled(spec, sizes(spec, undefined, 1)));
}

/** The same with at most `rows` rows, of which the last is that of `smallestInputs`; undefined where requests do not share runs. */
export function batchInputs({ inputs, batching }: Signature, rows: number): Tensor[] | undefined {
  if (batching.kind === "off") return undefined;
  const allowed = Math.min(rows, batching.maxRows ?? rows);
  const { symbol } = batching;
  return inputs.map((spec) => withRows(spec, sizes(spec, symbol, allowed), rowAxis(spec, symbol)));
}

/** Made-up rows along an axis, the last one as that of a tensor with one row. */
function withRows(spec: TensorSpec, shape: number[], axis: number): Tensor {
  const leading = filled(spec, shape);
  if (axis === 0) return leading;
  const outer = elementCount(shape.slice(0, axis));
  const rows = shape[axis]!;
  const piece = leading.bytes.byteLength / (outer * rows);
  const bytes = new Uint8Array(leading.bytes.byteLength);
  for (let row = 0; row < rows; row++) {
    for (let o = 0; o < outer; o++) {
      const from = (row * outer + o) * piece;
      bytes.set(leading.bytes.subarray(from, from + piece), (o * rows + row) * piece);
    }
  }
  return { ...leading, bytes };
}

/**
 * Such inputs with integers that are 1 in all rows but the last, where rows of zeros would not show that they depend on each other; undefined
 * where there are none. A model whose integers may only be 0 fails on them.
 */
export function withUnlikeRows(
  batch: readonly Tensor[],
  { inputs, batching }: Pick<Signature, "inputs" | "batching">,
): Tensor[] | undefined {
  if (!batch.some(isWhole)) return undefined;
  return batch.map((tensor, i) => {
    const isLeading = batching.kind === "off" || rowAxis(inputs[i]!, batching.symbol) === 0;
    if (!isWhole(tensor) || !isLeading) return tensor;
    const { datatype, shape } = tensor;
    const bytes = new Uint8Array(tensor.bytes.byteLength);
    const end = bytes.byteLength - bytes.byteLength / Math.max(1, shape[0] ?? 1);
    for (let at = 0; at < end; at += elementBytes(datatype)) bytes[at] = 1;
    return { datatype, shape, bytes };
  });
}

function isWhole({ datatype }: Tensor): boolean {
  return datatype === "BOOL" || /^U?INT/.test(datatype);
}

/** The signature as it would be if inputs whose rank is free had so many dimensions; only itself where none is. */
export function* rankVariants(signature: Signature): Generator<Signature> {
  yield signature;
  if (!signature.inputs.some(({ isRankFree }) => isRankFree)) return;
  for (let rank = 1; rank <= MAX_RANK; rank++) {
    const dims = new Array<Dim>(rank).fill(1);
    const inputs = signature.inputs.map((spec) => (spec.isRankFree ? { ...spec, dims } : spec));
    yield { ...signature, inputs };
  }
}

function sizes(spec: TensorSpec, symbol: string | undefined, rows: number): number[] {
  return spec.dims.map((dim: Dim) => {
    if (typeof dim === "number") return dim;
    return dim.symbol === symbol ? Math.max(rows, dim.min) : exampleSize(dim);
  });
}

function filled(spec: TensorSpec, shape: number[]): Tensor {
  const { datatype } = spec;
  const count = elementCount(shape);
  if (datatype === "BYTES") return { datatype, shape, bytes: new Uint8Array(4 * count) };
  const values = Float64Array.from({ length: count }, (_, i) => fraction(count - 1 - i));
  const bytes = new Uint8Array(count * elementBytes(datatype));
  if (ortTypeOf(datatype) === "float32") new Float32Array(bytes.buffer).set(values);
  if (ortTypeOf(datatype) === "float64") new Float64Array(bytes.buffer).set(values);
  if (ortTypeOf(datatype) === "float16")
    new Uint16Array(bytes.buffer).set(values.map((value) => halfBits(value, 0x3800, 0x3c00)));
  if (datatype === "BF16")
    new Uint16Array(bytes.buffer).set(values.map((value) => halfBits(value, 0x3f00, 0x3f80)));
  return { datatype, shape, bytes };
}

/** A number from ½ to 1 in 16 bits, whose bits for ½ and for 1 are given: those between lie evenly. */
function halfBits(value: number, half: number, one: number): number {
  return half + Math.floor((value - 0.5) * 2 * (one - half));
}

/** Numbers from ½ to 1 that look random, the same each time. */
function fraction(i: number): number {
  return 1 - ((i * 0.618033988749895) % 1) / 2;
}
