import { type GuardOp, type GuardTerm, guardNode } from "../../graph/guard.ts";

interface Callable {
  readonly op: GuardOp;
  /** How many arguments it takes, at least and at most. */
  readonly count: readonly [number, number];
}

const one = (op: GuardOp): Callable => ({ op, count: [1, 1] });
const two = (op: GuardOp): Callable => ({ op, count: [2, 2] });
const many = (op: GuardOp): Callable => ({ op, count: [1, 1000] });

/** Functions of Python, and of sympy as torch.utils._sympy spells them. */
const CALLS: ReadonlyMap<string, Callable> = new Map([
  ["max", many("max")],
  ["min", many("min")],
  ["Max", many("max")],
  ["Min", many("min")],
  ["torch.sym_max", many("max")],
  ["torch.sym_min", many("min")],
  ["abs", one("abs")],
  ["Abs", one("abs")],
  ["math.floor", one("floor")],
  ["floor", one("floor")],
  ["FloorToInt", one("floor")],
  ["math.ceil", one("ceil")],
  ["ceiling", one("ceil")],
  ["CeilToInt", one("ceil")],
  ["math.trunc", one("trunc")],
  ["int", one("trunc")],
  ["torch.sym_int", one("trunc")],
  ["TruncToInt", one("trunc")],
  ["round", one("round")],
  ["RoundToInt", one("round")],
  ["math.sqrt", one("sqrt")],
  ["torch._sym_sqrt", one("sqrt")],
  ["OpaqueUnaryFn_sqrt", one("sqrt")],
  ["math.log2", one("log2")],
  ["OpaqueUnaryFn_log2", one("log2")],
  ["FloorDiv", two("floordiv")],
  ["CleanDiv", two("floordiv")],
  ["Mod", two("mod")],
  ["PythonMod", two("mod")],
  ["IntTrueDiv", two("truediv")],
  ["FloatTrueDiv", two("truediv")],
  ["PowByNatural", two("pow")],
  ["FloatPow", two("pow")],
  ["Pow", two("pow")],
  ["Eq", two("eq")],
  ["Ne", two("ne")],
  ["Lt", two("lt")],
  ["Le", two("le")],
  ["Gt", two("gt")],
  ["Ge", two("ge")],
  ["And", many("and")],
  ["Or", many("or")],
  ["Not", one("not")],
  ["torch.sym_not", one("not")],
  ["Where", { op: "ite", count: [3, 3] }],
  ["torch.sym_ite", { op: "ite", count: [3, 3] }],
]);

/** Functions that leave a number as it is: sizes are doubles here anyway. */
const IDENTITIES: ReadonlySet<string> = new Set([
  "float",
  "torch.sym_float",
  "ToFloat",
  "Identity",
  "cast_symbool_to_symint_guardless",
]);

/** A function of Python or sympy by its name; undefined when guards do not use it, or not with so many arguments. */
export function callGuard(name: string, args: readonly GuardTerm[]): GuardTerm | undefined {
  const [first, second, third] = args;
  if (first === undefined) return undefined;
  if (IDENTITIES.has(name)) return args.length === 1 ? first : undefined;
  if (name === "ModularIndexing" && second !== undefined && third !== undefined) {
    return guardNode("mod", guardNode("floordiv", first, second), third);
  }
  if (name === "CeilDiv" && second !== undefined) {
    return guardNode("sub", 0, guardNode("floordiv", guardNode("sub", 0, first), second));
  }
  const callable = CALLS.get(name);
  if (callable === undefined) return undefined;
  const [least, most] = callable.count;
  return args.length >= least && args.length <= most ? guardNode(callable.op, ...args) : undefined;
}
