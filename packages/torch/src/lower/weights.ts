import type { DType } from "../dtype.ts";
import { ModelFileError } from "../errors.ts";
import type { Weight } from "../graph/ir.ts";
import { elementSize } from "../onnx/dtype.ts";
import type { GraphBuilder } from "../onnx/graph-builder.ts";
import type { Initializer } from "../onnx/model.ts";
import type { Emitter } from "./emitter.ts";
import { refuse } from "./refusal.ts";
import { carrier, type Tensor } from "./tensor.ts";

/** Weights up to this many bytes are written into the model: a page fault costs more than the copy. */
const INLINE_BYTES = 1024;
/** A strided weight is copied; more than this is a file made to hurt (an expanded tensor of huge size). */
const MAX_COPY_BYTES = 2 ** 31 - 1;

/** Puts weights into the model as they are used: mapped from the source file where it holds them dense, copied otherwise. */
export class WeightStore {
  readonly #weights: ReadonlyMap<string, Weight>;
  readonly #location: string | undefined;
  readonly #emitted = new Map<string, string>();

  /** `location`: the file that initializers point into; undefined writes all bytes into the model. */
  constructor(weights: ReadonlyMap<string, Weight>, location: string | undefined) {
    this.#weights = weights;
    this.#location = location;
  }

  has(value: string): boolean {
    return this.#weights.has(value);
  }

  weight(value: string): Weight | undefined {
    return this.#weights.get(value);
  }

  /** The weight as a value in the type it is calculated in. Weights that share their bytes share an initializer. */
  tensor(value: string, g: Emitter): Tensor {
    const weight = this.#weights.get(value)!;
    const { dtype, dims } = weight;
    if (dtype.startsWith("complex") || dtype.startsWith("float8"))
      return refuse(`the weight '${weight.name}' is ${dtype}`);
    const name = this.#initializer(weight, g.builder);
    return { ...g.cast({ name, dtype }, carrier(dtype)), dims, declared: dtype };
  }

  #initializer(weight: Weight, builder: GraphBuilder): string {
    const { storage, offset, dims, strides, dtype } = weight;
    const key = [storage.id, dtype, offset, dims.join("x"), strides.join("x")].join(":");
    const known = this.#emitted.get(key);
    if (known !== undefined) return known;
    const name = builder.unique(weight.name);
    builder.initializer({ name, dtype, dims, data: this.#data(weight) });
    this.#emitted.set(key, name);
    return name;
  }

  #data(weight: Weight): Initializer["data"] {
    const { storage, dims, dtype, offset } = weight;
    const byteLength = dims.reduce((n, dim) => n * dim, 1) * elementSize(dtype);
    const isMappable = this.#location !== undefined && storage.location !== undefined && isDense(weight);
    if (!isMappable || byteLength <= INLINE_BYTES) return denseBytes(weight);
    return {
      location: this.#location!,
      offset: storage.location!.offset + offset * elementSize(dtype),
      byteLength,
    };
  }
}

/** Row-major without gaps. */
export function isDense({ dims, strides }: Pick<Weight, "dims" | "strides">): boolean {
  let expected = 1;
  for (let axis = dims.length - 1; axis >= 0; axis--) {
    if (dims[axis] !== 1 && strides[axis] !== expected) return dims.includes(0);
    expected *= dims[axis]!;
  }
  return true;
}

/** The weight's elements in row-major order, as stored: a view where it is dense, a copy otherwise. */
export function denseBytes(weight: Weight): Uint8Array {
  const { name, storage, dims, strides, offset, dtype } = weight;
  const size = elementSize(dtype);
  const byteLength = dims.reduce((n, dim) => n * dim, 1) * size;
  if (byteLength === 0) return new Uint8Array(0);
  if (byteLength > MAX_COPY_BYTES) {
    throw new ModelFileError(
      "limit",
      `the weight '${name}' is strided and larger than ${MAX_COPY_BYTES} bytes`,
    );
  }
  const bytes = storage.bytes();
  if (isDense(weight)) return bytes.subarray(offset * size, offset * size + byteLength);
  const dense = new Uint8Array(byteLength);
  const index = dims.map(() => 0);
  let from = offset;
  for (let to = 0; to < byteLength; to += size) {
    dense.set(bytes.subarray(from * size, from * size + size), to);
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      from += strides[axis]!;
      index[axis]! += 1;
      if (index[axis]! < dims[axis]!) break;
      from -= strides[axis]! * dims[axis]!;
      index[axis] = 0;
    }
  }
  return dense;
}

/** A weight's values as numbers; for lowerings that must calculate with them at translation. int64 past 2^53 loses precision. */
export function weightNumbers(weight: Weight): number[] {
  const bytes = denseBytes(weight);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = elementSize(weight.dtype);
  const read = READERS[weight.dtype];
  if (read === undefined) return refuse(`the values of a ${weight.dtype} weight are needed`);
  return Array.from({ length: bytes.length / size }, (_, i) => read(view, i * size));
}

const READERS: Partial<Record<DType, (view: DataView, at: number) => number>> = {
  float32: (view, at) => view.getFloat32(at, true),
  float64: (view, at) => view.getFloat64(at, true),
  int64: (view, at) => Number(view.getBigInt64(at, true)),
  int32: (view, at) => view.getInt32(at, true),
  int16: (view, at) => view.getInt16(at, true),
  int8: (view, at) => view.getInt8(at),
  uint8: (view, at) => view.getUint8(at),
  bool: (view, at) => view.getUint8(at),
};
