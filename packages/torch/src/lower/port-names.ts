import { sizesOfGuard } from "../graph/guard.ts";
import type { Program } from "../graph/ir.ts";
import type { SymbolicDim } from "../graph/port.ts";
import { type Dim, evaluate, keyOf, type SymNode, type SymSymbol, sameDim, symbolsOf } from "../graph/sym.ts";

/** Corners of the symbols' ranges that are tried for an expression's bounds. */
const MAX_CORNERS = 64;

/**
 * Symbolic sizes as users see them. torch.export renames `Dim("batch")` to something like s40, so the first dimension of all inputs
 * that have a symbolic one is called "batch" when it is the same one, and the second one of all integer inputs (token ids, masks)
 * "sequence"; other symbols keep the file's names.
 */
export class PortNames {
  readonly #program: Program;
  /** By the file's name of a symbol. */
  readonly #friendly = new Map<string, string>();
  /** The keys of dimensions that guards bind. */
  readonly #guarded = new Set<string>();

  constructor(program: Program) {
    this.#program = program;
    const batch = batchSymbol(program);
    if (batch !== undefined) this.#friendly.set(batch, "batch");
    const sequence = sequenceSymbol(program);
    if (sequence !== undefined && sequence !== batch) this.#friendly.set(sequence, "sequence");
    for (const { condition } of program.guards ?? []) sizesOfGuard(condition, this.#guarded);
  }

  dim(dim: Dim): number | SymbolicDim {
    if (typeof dim === "number") return dim;
    const multiple = multipleOf(dim);
    const example = this.#guarded.has(dim.key) ? this.#program.exportedSizes?.get(dim.key) : undefined;
    return {
      symbol: this.#text(dim),
      ...this.#bounds(dim),
      ...(multiple > 1 ? { multipleOf: multiple } : {}),
      ...(example === undefined ? {} : { example }),
    };
  }

  #bounds(dim: Dim): { min: number; max: number | undefined } {
    const own = typeof dim === "number" ? undefined : this.#program.ranges.get(dim.key);
    if (own !== undefined) return own;
    const symbols = [...symbolsOf(dim)];
    const ranges = symbols.map((name) => this.#program.ranges.get(name) ?? { min: 0, max: undefined });
    if (typeof dim !== "number" && dim.op === "symbol") return ranges[0]!;
    if (2 ** symbols.length > MAX_CORNERS) return { min: 0, max: undefined };
    let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (let corner = 0; corner < 2 ** symbols.length; corner++) {
      const values = new Map(
        symbols.map((name, i) => {
          const { min, max } = ranges[i]!;
          return [name, ((corner >> i) & 1) === 0 ? min : (max ?? Number.MAX_SAFE_INTEGER)];
        }),
      );
      const value = evaluate(dim, values) ?? 0;
      min = Math.min(min, value);
      max = Math.max(max, value);
    }
    const isBounded = ranges.every((range) => range.max !== undefined) && Number.isSafeInteger(max);
    return { min: Number.isSafeInteger(min) ? Math.max(0, min) : 0, max: isBounded ? max : undefined };
  }

  #text(dim: Dim, isNested = false): string {
    if (typeof dim === "number") return String(dim);
    if (dim.op === "symbol") {
      const { name } = dim as SymSymbol;
      return this.#friendly.get(name) ?? name;
    }
    const { op, args } = dim as SymNode;
    const sign = { add: " + ", mul: "*", floordiv: "//", cleandiv: "//", mod: " % " }[op as string];
    if (sign === undefined) return `${op}(${args.map((arg) => this.#text(arg)).join(", ")})`;
    const text = args.map((arg) => this.#text(arg, true)).join(sign);
    return isNested ? `(${text})` : text;
  }
}

function batchSymbol({ graph, inputs }: Program): string | undefined {
  const firsts = new Set<string>();
  let isTaken = false;
  for (const { value } of inputs) {
    const type = graph.values.get(value);
    if (type?.kind !== "tensor") continue;
    const [first, ...rest] = type.dims;
    if (first !== undefined && typeof first !== "number") firsts.add(first.key);
    isTaken ||= type.dims.some((dim) => symbolsOf(dim).has("batch"));
    isTaken ||= first !== undefined && rest.some((dim) => sameDim(dim, first) && typeof dim !== "number");
  }
  const [only] = firsts;
  return firsts.size === 1 && !isTaken ? only : undefined;
}

/** The second dimension that all integer inputs of two or three dimensions have in common. */
function sequenceSymbol({ graph, inputs }: Program): string | undefined {
  const seconds = new Set<string>();
  let isTaken = false;
  for (const { value } of inputs) {
    const type = graph.values.get(value);
    if (type?.kind !== "tensor") continue;
    isTaken ||= type.dims.some((dim) => symbolsOf(dim).has("sequence"));
    const isTokens = /^u?int/.test(type.dtype) && (type.dims.length === 2 || type.dims.length === 3);
    if (isTokens) seconds.add(keyOf(type.dims[1]!));
    if (isTokens && !isSymbol(type.dims[1]!)) return undefined;
  }
  const [only] = seconds;
  return seconds.size === 1 && !isTaken ? only : undefined;
}

function isSymbol(dim: Dim): boolean {
  return typeof dim !== "number" && dim.op === "symbol";
}

function multipleOf(dim: Dim): number {
  if (typeof dim === "number" || dim.op !== "mul") return 1;
  const [factor] = (dim as SymNode).args;
  return typeof factor === "number" ? factor : 1;
}
