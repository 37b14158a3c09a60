import { ServeError } from "../base/errors.ts";
import type { Signature, TensorSpec, VariableDim } from "../base/signature.ts";
import { type Datatype, elementBytes } from "../base/tensor.ts";

/** Pads one variable dimension so that requests of different sizes share a run; outputs of that dimension are cut back. */
export interface PadConfig {
  /** The dimension's symbol, as `sconce inspect` shows it. */
  readonly symbol: string;
  /** What the added elements hold: one number for all inputs, or one per input name (0 for those not named). */
  readonly value: number | Readonly<Record<string, number>>;
  /** Sizes to pad to, ascending. Empty: powers of two. A size above the last is not padded. */
  readonly buckets: readonly number[];
}

export interface PaddingPlan {
  readonly symbol: string;
  /** The size a request of this size is padded to. */
  paddedSize(size: number): number;
  /** Per input: the axes to widen; empty when it has none. */
  readonly inputAxes: readonly (readonly number[])[];
  /** Per input: one element of padding. */
  readonly fill: readonly Uint8Array[];
  /** Per output: the axes to cut back. */
  readonly outputAxes: readonly (readonly number[])[];
}

/** Throws `invalid_argument` when the signature has no such dimension, a bucket breaks its bounds, or a string input would be padded. */
export function compilePadding(config: PadConfig, signature: Signature): PaddingPlan {
  const dim = findDim(config.symbol, signature.inputs);
  if (dim === undefined) throw unknownDim(config.symbol, signature.inputs);
  if (signature.batching.kind === "on" && signature.batching.symbol === config.symbol) {
    throw invalid(`"${config.symbol}" is the batch dimension, which needs no padding`);
  }
  const guard = signature.guards?.find(({ fixes }) => fixes.includes(config.symbol));
  if (guard !== undefined) throw invalid(`the program has a guard on "${config.symbol}": ${guard.text}`);
  checkBuckets(config.buckets, dim);
  const axesOf = (spec: TensorSpec) =>
    spec.dims.flatMap((d, axis) => (typeof d !== "number" && d.symbol === config.symbol ? [axis] : []));
  const inputAxes = signature.inputs.map(axesOf);
  const outputAxes = signature.outputs.map(axesOf);
  [...signature.inputs, ...signature.outputs].forEach((spec) => {
    if (spec.datatype === "BYTES" && axesOf(spec).length > 0)
      throw invalid(`${spec.name} holds strings, which cannot be padded`);
  });
  return {
    symbol: config.symbol,
    paddedSize: (size) => paddedSize(size, config.buckets, dim),
    inputAxes,
    fill: signature.inputs.map((spec) => encodeElement(spec.datatype, padValue(config, spec.name))),
    outputAxes,
  };
}

/**
 * A copy of a row-major tensor with one axis grown (new elements hold `fill`) or cut (the last ones are dropped). `bytes` holds
 * `shape`; the result's shape differs in that axis alone.
 */
export function resizeAxis(
  bytes: Uint8Array,
  shape: readonly number[],
  change: {
    readonly axis: number;
    readonly size: number;
    readonly datatype: Datatype;
    readonly fill?: Uint8Array;
  },
): Uint8Array {
  let outer = 1;
  for (let i = 0; i < change.axis; i++) outer *= shape[i]!;
  let inner = elementBytes(change.datatype);
  for (let i = change.axis + 1; i < shape.length; i++) inner *= shape[i]!;
  const from = shape[change.axis]! * inner;
  const to = change.size * inner;
  const result = new Uint8Array(outer * to);
  if (to > from && change.fill?.some((byte) => byte !== 0)) fillWith(result, change.fill);
  const kept = Math.min(from, to);
  for (let i = 0; i < outer; i++) result.set(bytes.subarray(i * from, i * from + kept), i * to);
  return result;
}

function fillWith(target: Uint8Array, pattern: Uint8Array): void {
  if (target.length === 0) return;
  target.set(pattern);
  for (let done = pattern.length; done < target.length; done *= 2)
    target.copyWithin(done, 0, Math.min(done, target.length - done));
}

function findDim(symbol: string, inputs: readonly TensorSpec[]): VariableDim | undefined {
  for (const spec of inputs) {
    for (const dim of spec.dims) if (typeof dim !== "number" && dim.symbol === symbol) return dim;
  }
  return undefined;
}

function checkBuckets(buckets: readonly number[], dim: VariableDim): void {
  buckets.forEach((size, i) => {
    const isAscending = i === 0 || size > buckets[i - 1]!;
    if (!Number.isSafeInteger(size) || size < 1 || !isAscending)
      throw invalid("buckets must be ascending whole numbers");
    if (size > (dim.max ?? Number.POSITIVE_INFINITY))
      throw invalid(`bucket ${size} is above the dimension's maximum ${dim.max}`);
    if (size % (dim.multipleOf ?? 1) !== 0)
      throw invalid(`bucket ${size} is not a multiple of ${dim.multipleOf}`);
  });
}

function paddedSize(size: number, buckets: readonly number[], dim: VariableDim): number {
  if (buckets.length > 0) return buckets.find((bucket) => bucket >= size) ?? size;
  let power = dim.multipleOf ?? 1;
  while (power < size) power *= 2;
  return dim.max === undefined ? power : Math.max(size, Math.min(power, dim.max));
}

function padValue(config: PadConfig, input: string): number {
  return typeof config.value === "number" ? config.value : (config.value[input] ?? 0);
}

function unknownDim(symbol: string, inputs: Signature["inputs"]): ServeError {
  const symbols = inputs.flatMap(({ dims }) =>
    dims.flatMap((dim) => (typeof dim === "number" ? [] : [dim.symbol])),
  );
  const known = symbols.length === 0 ? "all are fixed" : `there are ${[...new Set(symbols)].join(", ")}`;
  return invalid(`no input has a dimension ${JSON.stringify(symbol.slice(0, 80))}; ${known}`);
}

function invalid(message: string): ServeError {
  return new ServeError("invalid_argument", `padding: ${message}`, { reason: "invalid_config" });
}

/** One element of this datatype holding `value`, little-endian; rounded to the nearest value where the datatype is coarser. */
export function encodeElement(datatype: Datatype, value: number): Uint8Array {
  const bytes = new Uint8Array(elementBytes(datatype));
  const view = new DataView(bytes.buffer);
  switch (datatype) {
    case "BOOL":
      bytes[0] = value === 0 ? 0 : 1;
      break;
    case "INT8":
    case "UINT8":
      view.setUint8(0, value);
      break;
    case "INT16":
    case "UINT16":
      view.setUint16(0, value, true);
      break;
    case "INT32":
    case "UINT32":
      view.setUint32(0, value, true);
      break;
    case "INT64":
    case "UINT64":
      view.setBigInt64(0, BigInt(Math.trunc(value)), true);
      break;
    case "FP16":
      view.setUint16(0, float16Bits(value), true);
      break;
    case "BF16":
      view.setUint16(0, bfloat16Bits(value), true);
      break;
    case "FP32":
      view.setFloat32(0, value, true);
      break;
    case "FP64":
      view.setFloat64(0, value, true);
      break;
    case "BYTES":
      break;
  }
  return bytes;
}

function float32Bits(value: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  return view.getUint32(0);
}

/** bfloat16 is the upper half of a float32, rounded to nearest even. */
function bfloat16Bits(value: number): number {
  const bits = float32Bits(value);
  if (Number.isNaN(value)) return 0x7fc0;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/** IEEE 754 binary16, rounded to nearest even. */
function float16Bits(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (Number.isNaN(value)) return 0x7e00;
  if (size >= 65520) return sign | 0x7c00;
  const exponent = size === 0 ? -14 : Math.max(-14, Math.floor(Math.log2(size)));
  const units = roundHalfEven(size / 2 ** (exponent - 10));
  return sign | (units < 1024 ? units : ((exponent + 15) << 10) + (units - 1024));
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
