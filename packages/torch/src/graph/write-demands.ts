import { type Guard, type GuardTerm, guardOfDim } from "./guard.ts";
import { inputSymbols } from "./input-symbols.ts";
import type { Graph, TensorType } from "./ir.ts";
import { partsOf } from "./size-conditions.ts";
import { type Dim, factorsOf, keyOf, type SymNode, sym, termsOf } from "./sym.ts";

/** Why sizes may be refused. */
export const WRITES_INTO_COPY = "the program writes into a copy, which is the original itself at such sizes";

export const WRITES_PAST_END = "the program writes into a part that begins past the end at other sizes";

/** What is left of other sizes in a size, such as n - 1, which PyTorch takes for 0 where there is not as much. */
function remainders(dim: Dim): readonly Dim[] {
  if (typeof dim === "number" || dim.op === "symbol" || dim.op === "max") return [];
  const isLess =
    dim.op === "add" &&
    termsOf(dim).some((term) => factorsOf(term).some((factor) => typeof factor === "number" && factor < 0));
  return isLess ? [dim] : (dim as SymNode).args.flatMap(remainders);
}

/** Conditions on the sizes of inputs under which writes reach what the program means them to. */
export class WriteDemands {
  readonly #found = new Map<string, Guard>();
  readonly #given: ReadonlyMap<string, GuardTerm>;

  constructor(graph: Graph) {
    this.#given = inputSymbols(graph, graph.inputs);
  }

  get all(): Guard[] {
    return [...this.#found.values()];
  }

  /** Takes what inputs' sizes decide of a condition; the parts of it that are left need a check where they matter. */
  take(condition: Dim, because: string): readonly Dim[] {
    return partsOf("and", condition).filter((part) => {
      const term = guardOfDim(part, ({ key }) => this.#given.get(key));
      if (term !== undefined) this.#found.set(keyOf(part), { condition: term, because });
      return term === undefined;
    });
  }
}

/** What has to hold for sizes to be parts of what is written to, and why. */
export function partDemands(types: readonly TensorType[]): readonly { condition: Dim; because: string }[] {
  return types
    .flatMap(({ dims }) => dims.flatMap(remainders))
    .map((left) => ({ condition: sym("ge", left, 0), because: WRITES_PAST_END }));
}
