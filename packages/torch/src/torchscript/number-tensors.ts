import type { DType } from "../dtype.ts";
import { type Dim, mul, sym } from "../graph/sym.ts";
import { rounded } from "./numbers.ts";
import type { WrittenCall } from "./overloads.ts";
import { dtypeOfCode, tensorType } from "./shapes/shape-args.ts";
import { isNumber, type NumberValue, type TensorValue, type Value } from "./value.ts";

/**
 * Arithmetic on 0-d tensors of known float32 numbers, as tracing makes it of `math.ceil(height / 2)`; undefined for anything else. Only
 * functions whose float32 result is the rounded float64 one are here: double rounding is harmless for + - * / and square roots of
 * float32 operands (Figueroa, "When is double rounding innocuous?", 1995), and the others are exact.
 */
export function calculateFloat({ op, args, kwargs }: WrittenCall): Value | undefined {
  if (kwargs.size > 0) return undefined;
  const ofSize = calculateSize(op, args);
  if (ofSize !== undefined) return ofSize;
  if (op === "aten.to") return converted(args);
  const compute = FLOATS.get(op.slice("aten.".length));
  const numbers = args.map(plainNumber);
  if (compute === undefined || numbers.some((number) => number === undefined)) return undefined;
  const isTensor = args.some((arg) => arg.kind === "tensor" && arg.isWrapped !== true);
  const isFloat = args.some(isFloating) || op === "aten.div" || op === "aten.sqrt";
  if (!isTensor || !isFloat) return undefined;
  const value = compute(...numbers.map((number) => Math.fround(number!)));
  return value === undefined ? undefined : numberTensor("float32", Math.fround(value));
}

/**
 * The same for a size that the caller chooses, as far as float32 is exact: whole numbers below 2^24, their quotients by whole numbers
 * where they are rounded at once, and products with small whole numbers.
 */
function calculateSize(op: string, args: readonly Value[]): TensorValue | undefined {
  const [self, other] = args;
  if (self?.kind !== "tensor" || self.number === undefined || typeof self.number.value === "number")
    return undefined;
  const { kind, value } = self.number;
  const isQuotient = value.op === "truediv";
  const float = (result: Dim): TensorValue => sizeTensor("float32", { kind: "float", value: result });
  if (args.length === 1 && kind === "float" && ROUNDINGS.has(op))
    return float(rounded(op.slice("aten.".length) as "ceil" | "floor" | "trunc", value));
  if (op === "aten.to" && other?.kind === "int") {
    const dtype = typeof other.value === "number" ? dtypeOfCode(other.value) : undefined;
    if (dtype === "int64" && kind === "float")
      return sizeTensor("int64", { kind: "int", value: rounded("trunc", value) });
    return dtype === "float32" && kind === "int" ? float(value) : undefined;
  }
  const by = other === undefined ? undefined : plainNumber(other);
  if (
    by === undefined ||
    args.length !== 2 ||
    isQuotient ||
    !Number.isInteger(by) ||
    by < 1 ||
    by > MOST_FACTOR
  )
    return undefined;
  if (op === "aten.div") return float(by === 1 ? value : sym("truediv", value, by));
  return op === "aten.mul" && kind === "float" ? float(mul(value, by)) : undefined;
}

const ROUNDINGS = new Set(["aten.ceil", "aten.floor", "aten.trunc"]);
const MOST_FACTOR = 256;

function sizeTensor(dtype: DType, number: NumberValue): TensorValue {
  return { kind: "tensor", name: undefined, type: tensorType(dtype, []), number };
}

/** `x.to(dtype)` between int64 and float32. */
function converted([value, code, ...others]: readonly Value[]): TensorValue | undefined {
  const isPlain = others.every((other) => other.kind === "none" || (other.kind === "bool" && !other.value));
  if (value?.kind !== "tensor" || code?.kind !== "int" || typeof code.value !== "number" || !isPlain)
    return undefined;
  const dtype = dtypeOfCode(code.value);
  if (dtype !== "int64" && dtype !== "float32") return undefined;
  if (dtype === value.type.dtype && value.number !== undefined && value.isWrapped !== true) return value;
  const number = plainNumber(value);
  if (number === undefined) return undefined;
  return numberTensor(dtype, dtype === "int64" ? Math.trunc(number) : Math.fround(number));
}

/** The number of a 0-d tensor or of Python, where it does not depend on the caller and both precisions hold it. */
function plainNumber(value: Value): number | undefined {
  if (value.kind === "tensor" && (value.type.dims.length > 0 || !isKnownType(value))) return undefined;
  const number: NumberValue | undefined =
    value.kind === "tensor" ? value.number : isNumber(value) ? value : undefined;
  if (number === undefined || number.kind === "bool" || typeof number.value !== "number") return undefined;
  const isExact = number.kind === "float" || Math.fround(number.value) === number.value;
  return isExact && Math.abs(number.value) < 2 ** 53 ? number.value : undefined;
}

function isKnownType({ type, isWrapped }: TensorValue): boolean {
  return isWrapped === true || type.dtype === "int64" || type.dtype === "float32";
}

function isFloating(value: Value): boolean {
  return value.kind === "tensor" ? value.number?.kind === "float" : value.kind === "float";
}

function numberTensor(dtype: DType, value: number): TensorValue | undefined {
  if (!Number.isFinite(value)) return undefined;
  const number: NumberValue = { kind: dtype === "int64" ? "int" : "float", value };
  return { kind: "tensor", name: undefined, type: tensorType(dtype, []), number };
}

/** PyTorch calculates these powers without `pow`. */
function power(base: number, exponent: number): number | undefined {
  if (exponent === 0.5) return Math.sqrt(base);
  return exponent === 2 ? base * base : undefined;
}

type FloatFunction = (...operands: readonly number[]) => number | undefined;

const unary =
  (compute: (a: number) => number): FloatFunction =>
  (...operands) =>
    operands.length === 1 ? compute(operands[0]!) : undefined;

const binary =
  (compute: (a: number, b: number) => number | undefined): FloatFunction =>
  (...operands) =>
    operands.length === 2 ? compute(operands[0]!, operands[1]!) : undefined;

const FLOATS = new Map<string, FloatFunction>([
  ["add", binary((a, b) => a + b)],
  ["sub", binary((a, b) => a - b)],
  ["mul", binary((a, b) => a * b)],
  ["div", binary((a, b) => a / b)],
  ["pow", binary(power)],
  ["sqrt", unary(Math.sqrt)],
  ["ceil", unary(Math.ceil)],
  ["floor", unary(Math.floor)],
  ["trunc", unary(Math.trunc)],
  ["neg", unary((a) => -a)],
  ["abs", unary(Math.abs)],
]);
