/** Operations on integers unless said otherwise. `floordiv` and `mod` round and sign as Python's; `cleandiv` is exact. */
export type SymOp =
  | "add"
  | "mul"
  | "max"
  | "min"
  | "floordiv"
  | "mod"
  | "cleandiv"
  | "pow"
  | FloatSymOp
  | BoolSymOp;

/** `tofloat`, `truediv`, `sqrt` give floats; `ceil`, `floor`, `trunc`, `round` turn floats into integers. */
type FloatSymOp = "tofloat" | "truediv" | "sqrt" | "ceil" | "floor" | "trunc" | "round";

type BoolSymOp = "eq" | "ne" | "lt" | "le" | "gt" | "ge" | "and" | "or" | "not" | "ite";

/** The value of an operation on numbers: NaN or an infinity where it has none. */
export function evaluateOp(op: SymOp, args: readonly number[]): number {
  const [a = 0, b = 0, c = 0] = args;
  switch (op) {
    case "add":
      return args.reduce((x, y) => x + y, 0);
    case "mul":
      return args.reduce((x, y) => x * y, 1);
    case "max":
      return Math.max(...args);
    case "min":
      return Math.min(...args);
    case "floordiv":
      return Math.floor(a / b);
    case "mod":
      return a - b * Math.floor(a / b);
    case "cleandiv":
    case "truediv":
      return a / b;
    case "pow":
      return a ** b;
    case "tofloat":
      return a;
    case "sqrt":
      return Math.sqrt(a);
    case "ceil":
      return Math.ceil(a);
    case "floor":
      return Math.floor(a);
    case "trunc":
      return Math.trunc(a);
    case "round":
      return roundHalfEven(a);
    default:
      return evaluateBool(op, args, [a, b, c]);
  }
}

function evaluateBool(op: BoolSymOp, args: readonly number[], [a, b, c]: [number, number, number]): number {
  switch (op) {
    case "eq":
      return Number(a === b);
    case "ne":
      return Number(a !== b);
    case "lt":
      return Number(a < b);
    case "le":
      return Number(a <= b);
    case "gt":
      return Number(a > b);
    case "ge":
      return Number(a >= b);
    case "and":
      return Number(args.every((x) => x !== 0));
    case "or":
      return Number(args.some((x) => x !== 0));
    case "not":
      return Number(a === 0);
    case "ite":
      return a !== 0 ? b : c;
  }
}

function roundHalfEven(x: number): number {
  const low = Math.floor(x);
  if (x - low !== 0.5) return Math.round(x);
  return low % 2 === 0 ? low : low + 1;
}
