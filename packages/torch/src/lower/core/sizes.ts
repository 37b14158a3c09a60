import type { DType } from "../../dtype.ts";
import { asLinear } from "../../graph/linear.ts";
import { type Dim, type SymExpr, type SymNode, type SymSymbol, symbolsOf } from "../../graph/sym.ts";
import type { SymOp } from "../../graph/sym-op.ts";
import type { Attributes } from "../../onnx/model.ts";
import type { Val } from "./tensor.ts";
import { unsupported } from "./unsupported.ts";

/** ONNX ops of symbolic operations that map one to one. */
const DIRECT: Partial<Record<SymOp, string>> = {
  add: "Add",
  mul: "Mul",
  max: "Max",
  min: "Min",
  cleandiv: "Div",
  pow: "Pow",
  eq: "Equal",
  lt: "Less",
  le: "LessOrEqual",
  gt: "Greater",
  ge: "GreaterOrEqual",
  and: "And",
  or: "Or",
};
const ROUNDINGS: Partial<Record<SymOp, string>> = { ceil: "Ceil", floor: "Floor", round: "Round" };

/** What sizes are calculated with. */
export interface SizeEmitter {
  op(type: string, inputs: readonly Val[], attributes?: Attributes): Val;
  cast(val: Val, dtype: DType): Val;
  /** A constant vector of int64. */
  ints(values: readonly number[]): Val;
  constant(dtype: DType, values: readonly number[], dims: readonly number[]): Val;
}

/**
 * Sizes as ONNX values of shape [1]: int64 for integers, float64 for floats, bool for comparisons. Symbols are read from the shape of
 * the tensor that introduces them; every expression is calculated once per graph.
 */
export class Sizes {
  readonly #g: SizeEmitter;
  readonly #parent: Sizes | undefined;
  readonly #symbols = new Map<string, () => Val>();
  readonly #known = new Map<string, Val>();

  constructor(g: SizeEmitter, parent?: Sizes) {
    this.#g = g;
    this.#parent = parent;
  }

  /** Learns the symbols that a tensor's size introduces; those already known stay. */
  bindShape(val: Val, dims: readonly Dim[]): void {
    for (const [axis, dim] of dims.entries()) {
      if (typeof dim === "number") continue;
      const linear = asLinear(dim);
      if (linear === undefined || this.#isBound(linear.name)) continue;
      const { name, factor, offset } = linear;
      this.#symbols.set(name, () => {
        const size = this.#g.op("Shape", [val], { start: axis, end: axis + 1 });
        const shifted = offset === 0 ? size : this.#g.op("Sub", [size, this.#g.ints([offset])]);
        return factor === 1 ? shifted : this.#g.op("Div", [shifted, this.#g.ints([factor])]);
      });
    }
  }

  /** Learns a symbol from a value that the program calculates. A truth value b is stored as `b == 1` over a symbol of its own. */
  bindValue(expr: Dim, val: Val): void {
    const named =
      typeof expr !== "number" && expr.op === "eq" && isOne(expr) ? (expr as SymNode).args[0]! : expr;
    if (typeof named === "number" || named.op !== "symbol" || this.#isBound(named.key)) return;
    const dtype = val.dtype.startsWith("float") ? "float64" : "int64";
    this.#symbols.set(named.key, () => this.#g.op("Reshape", [this.#g.cast(val, dtype), this.#g.ints([1])]));
  }

  /** Lets everything that is calculated from now on of a symbol wait for a guard, a 0-d int64 0. */
  hold(name: string, guard: Val): void {
    const bound = this.#find(name);
    if (bound === undefined) return;
    const val = bound();
    this.#symbols.set(name, () => this.#g.op("Add", [val, this.#g.cast(guard, val.dtype)]));
    this.#known.clear();
  }

  /** Whether all symbols of an expression have a value by now. */
  isKnown(dim: Dim): boolean {
    return [...symbolsOf(dim)].every((name) => this.#isBound(name));
  }

  /** The value of an expression. Refuses the op when one of its symbols cannot be known at run time. */
  emit(dim: Dim): Val {
    if (typeof dim === "number") {
      return Number.isInteger(dim) ? this.#g.ints([dim]) : this.#g.constant("float64", [dim], [1]);
    }
    const known = this.#lookup(dim.key);
    if (known !== undefined) return known;
    const val = dim.op === "symbol" ? this.#symbol(dim as SymSymbol) : this.#node(dim as SymNode);
    this.#known.set(dim.key, val);
    return val;
  }

  #lookup(key: string): Val | undefined {
    return this.#known.get(key) ?? (this.#parent === undefined ? undefined : this.#parent.#lookup(key));
  }

  #isBound(name: string): boolean {
    return this.#find(name) !== undefined;
  }

  #symbol({ name }: SymSymbol): Val {
    const bound = this.#find(name);
    return bound === undefined ? unsupported(`the size ${name} cannot be derived from the inputs`) : bound();
  }

  #find(name: string): (() => Val) | undefined {
    const own = this.#symbols.get(name);
    return own ?? (this.#parent === undefined ? undefined : this.#parent.#find(name));
  }

  #node({ op, args }: SymNode): Val {
    const g = this.#g;
    const values = args.map((arg) => this.emit(arg));
    const [a, b, c] =
      op === "tofloat" || op === "truediv" || op === "sqrt" ? values.map(float64) : unify(values);
    const direct = DIRECT[op];
    if (direct !== undefined) return unify(values).reduce((x, y) => g.op(direct, [x, y]));
    const rounding = ROUNDINGS[op];
    if (rounding !== undefined) return g.cast(a!.dtype === "int64" ? a! : g.op(rounding, [a!]), "int64");
    switch (op) {
      case "tofloat":
        return a!;
      case "truediv":
        return g.op("Div", [a!, b!]);
      case "sqrt":
        return g.op("Sqrt", [a!]);
      case "trunc":
        return g.cast(a!, "int64");
      case "mod":
        return g.op("Mod", [a!, b!], { fmod: 0 });
      case "floordiv":
        return a!.dtype === "float64"
          ? g.op("Floor", [g.op("Div", [a!, b!])])
          : g.op("Div", [g.op("Sub", [a!, g.op("Mod", [a!, b!], { fmod: 0 })]), b!]);
      case "ne":
        return g.op("Not", [g.op("Equal", [a!, b!])]);
      case "not":
        return g.op("Not", [g.cast(values[0]!, "bool")]);
      case "ite":
        return g.op("Where", [g.cast(values[0]!, "bool"), ...unify([b!, c!])]);
      default:
        return unsupported(`a size is calculated with ${op}`);
    }

    function float64(val: Val): Val {
      return g.cast(val, "float64");
    }
    /** All as float64 as soon as one is, all as bool or int64 otherwise. */
    function unify(vals: readonly Val[]): Val[] {
      if (vals.some((val) => val.dtype === "float64")) return vals.map(float64);
      if (op === "and" || op === "or") return vals.map((val) => g.cast(val, "bool"));
      return vals.map((val) => g.cast(val, "int64"));
    }
  }
}

function isOne(expr: SymExpr): boolean {
  const { args } = expr as SymNode;
  return args.length === 2 && args[1] === 1;
}
