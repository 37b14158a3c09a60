import type { GuardCondition, TensorSpec } from "../base/signature.ts";

/** Something that a guard reads: a dimension of an input (the first that has the symbol), or the value of one without dimensions. */
export interface GuardRead {
  /** As in the guard's text: `x.shape[1]`. */
  readonly label: string;
  readonly input: number;
  /** Undefined: the value. */
  readonly axis: number | undefined;
}

/** What a guard reads, each once, in order of appearance. */
export function guardReads(condition: GuardCondition, specs: readonly TensorSpec[]): GuardRead[] {
  const reads = new Map<string, GuardRead>();
  collect(condition, specs, reads);
  return [...reads.values()];
}

function collect(
  condition: GuardCondition,
  specs: readonly TensorSpec[],
  reads: Map<string, GuardRead>,
): void {
  if (typeof condition === "number") return;
  if (condition.op === "value") {
    const input = specs.findIndex(({ name }) => name === condition.input);
    if (input >= 0) reads.set(condition.input, { label: condition.input, input, axis: undefined });
  } else if (condition.op === "size") {
    const read = findSize(condition.symbol, specs);
    if (read !== undefined) reads.set(read.label, read);
  } else for (const arg of condition.args) collect(arg, specs, reads);
}

function findSize(symbol: string, specs: readonly TensorSpec[]): GuardRead | undefined {
  for (const [input, { name, dims }] of specs.entries()) {
    const axis = dims.findIndex((dim) => typeof dim !== "number" && dim.symbol === symbol);
    if (axis >= 0) return { label: `${name}.shape[${axis}]`, input, axis };
  }
  return undefined;
}
