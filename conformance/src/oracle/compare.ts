import type { DType } from "@sconce/torch";
import type { Tensor as OrtTensor } from "onnxruntime-node";
import type { FixtureTensor } from "./fixture-pack.ts";
import { fromBfloat16, fromFloat16 } from "./float16.ts";

type Numbers = { readonly length: number; readonly [index: number]: number | bigint };

interface Tolerance {
  readonly rtol: number;
  readonly atol: number;
}

/** What "equal to PyTorch" means: float32 within rtol 1e-4 / atol 1e-5, integers and booleans exactly. */
const TOLERANCES: Partial<Record<DType, Tolerance>> = {
  float64: { rtol: 1e-4, atol: 1e-5 },
  float32: { rtol: 1e-4, atol: 1e-5 },
  float16: { rtol: 4e-3, atol: 1e-3 },
  bfloat16: { rtol: 3e-2, atol: 1e-2 },
};

/** The ONNX Runtime element types in which a dtype may come back; the 16-bit floats may come widened. */
const TYPES: Partial<Record<DType, readonly string[]>> = {
  float64: ["float64"],
  float32: ["float32"],
  float16: ["float16", "float32"],
  bfloat16: ["float32"],
  int64: ["int64"],
  int32: ["int32"],
  int16: ["int16"],
  int8: ["int8"],
  uint8: ["uint8"],
  uint16: ["uint16"],
  uint32: ["uint32"],
  uint64: ["uint64"],
  bool: ["bool"],
};

const VIEWS: Record<string, (buffer: ArrayBufferLike) => Numbers> = {
  float64: (b) => new Float64Array(b),
  float32: (b) => new Float32Array(b),
  float16: (b) => Float64Array.from(new Uint16Array(b), fromFloat16),
  bfloat16: (b) => Float64Array.from(new Uint16Array(b), fromBfloat16),
  int64: (b) => new BigInt64Array(b),
  int32: (b) => new Int32Array(b),
  int16: (b) => new Int16Array(b),
  int8: (b) => new Int8Array(b),
  uint8: (b) => new Uint8Array(b),
  uint16: (b) => new Uint16Array(b),
  uint32: (b) => new Uint32Array(b),
  uint64: (b) => new BigUint64Array(b),
  bool: (b) => new Uint8Array(b),
};

/** The values of a tensor's bytes; undefined for dtypes without a number type here (complex, 8-bit floats). */
export function valuesOf({ dtype, bytes }: FixtureTensor): Numbers | undefined {
  return VIEWS[dtype]?.(bytes.slice().buffer);
}

function gotValues(got: OrtTensor): Numbers {
  const data = got.data as Numbers;
  return got.type === "float16" && data instanceof Uint16Array ? Float64Array.from(data, fromFloat16) : data;
}

function isClose(got: number | bigint, want: number | bigint, tolerance: Tolerance | undefined): boolean {
  if (got === want) return true;
  if (tolerance === undefined || typeof got === "bigint" || typeof want === "bigint") return false;
  if (Number.isNaN(got) || Number.isNaN(want)) return Number.isNaN(got) && Number.isNaN(want);
  return Math.abs(got - want) <= tolerance.atol + tolerance.rtol * Math.abs(want);
}

/** Whether a program may declare this dtype for an output that PyTorch gives in another: 16-bit floats may be widened. */
export function mayDeclare(declared: DType, want: DType): boolean {
  return declared === want || (TYPES[want]?.includes(declared) ?? false);
}

interface Precision {
  /** The dtype that the program computes in, where it is narrower than the output's. */
  readonly precision?: DType | undefined;
  /** The absolute tolerance is per unit of the output's largest value: sums that cancel have the error of their terms. */
  readonly isScaled?: boolean;
}

function scaled({ rtol, atol }: Tolerance, values: Numbers): Tolerance {
  let largest = 1;
  for (let i = 0; i < values.length; i += 1) {
    const size = Math.abs(Number(values[i]));
    if (Number.isFinite(size)) largest = Math.max(largest, size);
  }
  return { rtol, atol: atol * largest };
}

/**
 * How an output differs from PyTorch's; undefined when it does not. Floats are compared within the tolerance of their dtype, or of
 * `precision` where the program computes in a narrower one.
 */
export function difference(
  got: OrtTensor,
  want: FixtureTensor,
  { precision, isScaled = false }: Precision = {},
): string | undefined {
  const allowed = TYPES[want.dtype];
  const expected = valuesOf(want);
  if (allowed === undefined || expected === undefined)
    return `dtype ${got.type}, PyTorch gives ${want.dtype}`;
  if (!allowed.includes(got.type)) return `dtype ${got.type}, PyTorch gives ${want.dtype}`;
  if (got.dims.join() !== want.shape.join()) return `shape [${got.dims}], PyTorch gives [${want.shape}]`;
  if (want.unspecified) return undefined;
  const values = gotValues(got);
  const own = TOLERANCES[want.dtype];
  const base = own === undefined ? undefined : (TOLERANCES[precision ?? want.dtype] ?? own);
  const tolerance = base === undefined || !isScaled ? base : scaled(base, expected);
  let [worst, count] = [-1, 0];
  for (let i = 0; i < expected.length; i += 1) {
    if (isClose(values[i]!, expected[i]!, tolerance)) continue;
    if (distance(values[i]!, expected[i]!) <= (want.within ?? 0)) continue;
    count += 1;
    if (worst < 0 || distance(values[i]!, expected[i]!) > distance(values[worst]!, expected[worst]!))
      worst = i;
  }
  if (count === 0) return undefined;
  return `${count} of ${expected.length} values differ, [${worst}] is ${values[worst]}, PyTorch gives ${expected[worst]}`;
}

function distance(a: number | bigint, b: number | bigint): number {
  const d = Math.abs(Number(a) - Number(b));
  return Number.isNaN(d) ? Number.POSITIVE_INFINITY : d;
}
