import { type Dim, evaluate, type SymExpr, type SymNode, symbolsOf } from "./sym.ts";

/** factor · symbol + offset, with a positive factor. */
export interface Linear {
  readonly name: string;
  readonly factor: number;
  readonly offset: number;
}

/** The size as a linear expression of one symbol; undefined when it is none. */
export function asLinear(dim: SymExpr): Linear | undefined {
  const symbols = [...symbolsOf(dim)];
  const name = symbols[0];
  if (symbols.length !== 1 || name === undefined || !isLinear(dim)) return undefined;
  const at = (value: number): number => evaluate(dim, new Map([[name, value]]))!;
  const offset = at(0);
  const factor = at(1) - offset;
  return factor > 0 && at(2) === 2 * factor + offset ? { name, factor, offset } : undefined;
}

function isLinear(dim: Dim): boolean {
  if (typeof dim === "number" || dim.op === "symbol") return true;
  return (dim.op === "add" || dim.op === "mul") && (dim as SymNode).args.every(isLinear);
}
