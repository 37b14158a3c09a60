import { type Dim, symbolsOf } from "../graph/sym.ts";

/** What must hold of sizes for an op to be read, where it does not hold for every size. */
export type SizeNeed =
  | { readonly kind: "same"; readonly a: Dim; readonly b: Dim }
  | { readonly kind: "at least"; readonly dim: Dim; readonly least: number }
  /** Whether it is 1 has to be known. */
  | { readonly kind: "one"; readonly dim: Dim }
  /** Whether it is negative has to be known. */
  | { readonly kind: "sign"; readonly dim: Dim }
  | { readonly kind: "multiple"; readonly dim: Dim; readonly of: number }
  /** They have to be numbers. */
  | { readonly kind: "numbers"; readonly dims: readonly Dim[] };

/** The expressions that a need is about. */
export function dimsOf(need: SizeNeed): readonly Dim[] {
  switch (need.kind) {
    case "same":
      return [need.a, need.b];
    case "numbers":
      return need.dims;
    default:
      return [need.dim];
  }
}

/** What the names of sizes that only the data knows begin with. */
export const DATA_SIZE = "data_size";

/** Whether a size depends on the data. */
export function isDataSize(dim: Dim): boolean {
  return [...symbolsOf(dim)].some((name) => name.startsWith(DATA_SIZE));
}
