import { boundsOf, greatest, least } from "../graph/bounds.ts";
import { add, type Dim, keyOf, mul, type SymNode, sameDim, sub, sym } from "../graph/sym.ts";
import { requireSome, sumOfSizes } from "./shapes/dims.ts";
import { isDataSize } from "./size-need.ts";
import { UnprovenSize, unsupportedOp } from "./unsupported-op.ts";
import { bool, isNumber, type NumberValue, type Value } from "./value.ts";

type Kind = NumberValue["kind"];

/** Arithmetic on Python numbers; sizes that the caller chooses stay expressions. Undefined: no such function. */
export function numberFunction(name: string): ((args: readonly NumberValue[]) => NumberValue) | undefined {
  return FUNCTIONS.get(name);
}

const wider = (args: readonly NumberValue[]): Kind =>
  args.some((arg) => arg.kind === "float") ? "float" : "int";

const arithmetic =
  (op: (a: Dim, b: Dim) => Dim) =>
  (args: readonly NumberValue[]): NumberValue => {
    const [a, b] = pair(args);
    return { kind: wider(args), value: op(a, b) };
  };

const comparison =
  (name: "eq" | "ne" | "lt" | "le" | "gt" | "ge", op: (a: number, b: number) => boolean) =>
  (args: readonly NumberValue[]): NumberValue => {
    const [a, b] = pair(args);
    if (typeof a === "number" && typeof b === "number") return bool(op(a, b));
    if (sameDim(a, b)) return bool(op(0, 0));
    const { min, max } = boundsOf(sub(a, b));
    const answers = new Set(signsBetween(min, max).map((sign) => op(sign, 0)));
    return answers.size === 1 ? bool([...answers][0]!) : { kind: "bool", value: sym(name, a, b) };
  };

/** The signs that a difference between these bounds may have. */
function signsBetween(min: number, max: number): number[] {
  return [-1, 0, 1].filter((sign) => (sign < 0 ? min < 0 : sign > 0 ? max > 0 : min <= 0 && max >= 0));
}

/** Whether two sizes are equal. Throws UnprovenSize where the caller decides. */
export function equalSizes(a: Dim, b: Dim): boolean {
  if (sameDim(a, b)) return true;
  const { min, max } = boundsOf(sub(a, b));
  if (min > 0 || max < 0) return false;
  throw new UnprovenSize(`${keyOf(a)} is compared with ${keyOf(b)}`, { kind: "numbers", dims: [a, b] });
}

const unary =
  (kind: (arg: NumberValue) => Kind, op: (a: Dim) => Dim) =>
  (args: readonly NumberValue[]): NumberValue => {
    const arg = args[0] ?? unsupportedOp("an argument is missing");
    return { kind: kind(arg), value: op(arg.value) };
  };

function pair(args: readonly NumberValue[]): [Dim, Dim] {
  const [a, b] = args;
  return a === undefined || b === undefined ? unsupportedOp("an argument is missing") : [a.value, b.value];
}

/** PyTorch raises where a size is divided by 0. */
function requireDivisor(dim: Dim): void {
  if (dim === 0) unsupportedOp("it divides by zero");
  requireSome(dim);
}

/** What is missing to the next multiple, `(4 - x % 4) % 4`, is `-x % 4`. */
function modulo(a: Dim, b: Dim): Dim {
  requireDivisor(b);
  return sym("mod", typeof b === "number" ? withoutRemainders(a, b) : a, b);
}

/** The same number but for multiples of `by`: `x % by` is x. */
function withoutRemainders(dim: Dim, by: number): Dim {
  if (typeof dim === "number") return dim % by;
  const { op, args } = dim as SymNode;
  if (op === "add") return args.map((arg) => withoutRemainders(arg, by)).reduce(add, 0);
  if (op === "mul" && args.length === 2 && typeof args[0] === "number")
    return mul(args[0], withoutRemainders(args[1]!, by));
  return op === "mod" && args[1] === by ? args[0]! : dim;
}

/** Python's `/`: exact where both are whole and it comes out even, as sizes do. */
function trueDivide(a: Dim, b: Dim): Dim {
  requireDivisor(b);
  return sym("truediv", a, b);
}

function floorDivide(a: Dim, b: Dim): Dim {
  requireDivisor(b);
  const exact = typeof b === "number" && b > 0 && typeof a !== "number" ? sym("cleandiv", a, b) : 0;
  return typeof exact !== "number" && exact.op !== "cleandiv" ? exact : sym("floordiv", a, b);
}

function truncDivide(a: Dim, b: Dim): Dim {
  requireDivisor(b);
  if (typeof a === "number" && typeof b === "number") return Math.trunc(a / b);
  // Truncation is floor where nothing is negative.
  if (boundsOf(a).min < 0 || boundsOf(b).min <= 0)
    throw new UnprovenSize("a size is divided by a size", { kind: "numbers", dims: [a, b] });
  return sym("floordiv", a, b);
}

/** What is certain already stays so. */
function joinTruths(op: "and" | "or" | "ne", a: Dim, b: Dim): Dim {
  const [known, other] = typeof a === "number" ? [a, b] : [b, a];
  if (typeof known !== "number" || op === "ne") return sym(op, a, b);
  return (known !== 0) === (op === "or") ? known : other;
}

/** On known integers, and on truths, which are 0 and 1; `ofTruths` joins truths that only the run knows. */
const bitwise =
  (op: (a: bigint, b: bigint) => bigint, ofTruths?: "and" | "or" | "ne") =>
  (args: readonly NumberValue[]): NumberValue => {
    const [a, b] = pair(args);
    if (ofTruths !== undefined && args.every(({ kind }) => kind === "bool"))
      return { kind: "bool", value: joinTruths(ofTruths, a, b) };
    if (typeof a !== "number" || typeof b !== "number") {
      throw new UnprovenSize("bits of a size", { kind: "numbers", dims: [a, b] });
    }
    const value = Number(op(BigInt(a), BigInt(b)));
    if (!Number.isSafeInteger(value)) return unsupportedOp("bits of a large number");
    return { kind: args.every((arg) => arg.kind === "bool") ? "bool" : "int", value };
  };

function absolute(a: Dim): Dim {
  if (typeof a === "number") return Math.abs(a);
  const { min, max } = boundsOf(a);
  return min >= 0 ? a : max <= 0 ? mul(-1, a) : sym("max", a, mul(-1, a));
}

const same = (arg: NumberValue): Kind => arg.kind;
const whole = (): Kind => "int";
const real = (): Kind => "float";
const extreme = (op: "max" | "min") => arithmetic(op === "max" ? greatest : least);

/** Rounded quotients of sizes are the whole ones: both are exact below 2^53. */
export function rounded(op: "ceil" | "floor" | "trunc", value: Dim): Dim {
  if (typeof value === "number" || value.op !== "truediv") return sym(op, value);
  const [a, b] = (value as SymNode).args as [Dim, Dim];
  const isWhole = typeof b === "number" && Number.isInteger(b) && b > 0 && boundsOf(a).min >= 0;
  if (!isWhole) return sym(op, value);
  return op === "ceil" ? sym("floordiv", add(a, b - 1), b) : sym("floordiv", a, b);
}

const FUNCTIONS = new Map<string, (args: readonly NumberValue[]) => NumberValue>([
  ["add", arithmetic(sumOfSizes)],
  ["sub", arithmetic(sub)],
  ["mul", arithmetic(mul)],
  ["rsub", arithmetic((a, b) => sub(b, a))],
  ["div", (args) => ({ kind: "float", value: trueDivide(...pair(args)) })],
  ["floordiv", arithmetic(floorDivide)],
  ["floor_divide", arithmetic(floorDivide)],
  ["trunc_divide", arithmetic(truncDivide)],
  ["remainder", arithmetic(modulo)],
  // A power of two integers is a float in TorchScript, and so is a rounded integer.
  ["pow", (args) => ({ kind: "float", value: sym("pow", ...pair(args)) })],
  ["neg", unary(same, (a) => mul(-1, a))],
  ["abs", unary(same, absolute)],
  ["ceil", unary(whole, (a) => rounded("ceil", a))],
  ["floor", unary(whole, (a) => rounded("floor", a))],
  ["round", unary(real, (a) => sym("round", a))],
  ["sqrt", unary(real, (a) => sym("sqrt", a))],
  ["max", extreme("max")],
  ["min", extreme("min")],
  ["eq", comparison("eq", (a, b) => a === b)],
  ["ne", comparison("ne", (a, b) => a !== b)],
  ["lt", comparison("lt", (a, b) => a < b)],
  ["le", comparison("le", (a, b) => a <= b)],
  ["gt", comparison("gt", (a, b) => a > b)],
  ["ge", comparison("ge", (a, b) => a >= b)],
  ["__and__", bitwise((a, b) => a & b, "and")],
  ["__or__", bitwise((a, b) => a | b, "or")],
  ["__xor__", bitwise((a, b) => a ^ b, "ne")],
  ["__lshift__", bitwise((a, b) => a << b)],
  ["__rshift__", bitwise((a, b) => a >> b)],
]);

/** `int(x)`, `float(x)`, `bool(x)` of a number, or of the 0-d tensor of a known number. */
export function convertNumber(kind: Kind, value: Value): NumberValue {
  const number = value.kind === "tensor" ? value.number : value;
  if (number === undefined || !isNumber(number)) {
    return unsupportedOp("it needs the value of a tensor, which only the data knows");
  }
  if (kind === "int" && number.kind === "float") return { kind, value: rounded("trunc", number.value) };
  if (kind !== "bool")
    return { kind, value: number.kind === "bool" ? oneOrNothing(number.value) : number.value };
  if (typeof number.value === "number") return bool(number.value !== 0);
  const { min, max } = boundsOf(number.value);
  if (min > 0 || max < 0) return bool(true);
  if (number.kind === "bool") return number;
  if (isDataSize(number.value)) return { kind, value: sym("ne", number.value, 0) };
  throw new UnprovenSize(`whether ${keyOf(number.value)} is zero`, { kind: "numbers", dims: [number.value] });
}

/** The integer of a truth. */
function oneOrNothing(truth: Dim): Dim {
  return typeof truth === "number" ? truth : sym("ite", truth, 1, 0);
}
