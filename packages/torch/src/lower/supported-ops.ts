import { schemaText } from "../exported/schemas.ts";
import { FAMILIES } from "./table.ts";

/** An op that translates. */
export interface SupportedOp {
  /** Such as "aten.add.Tensor". */
  readonly target: string;
  readonly family: string;
  /** PyTorch's own schema; undefined for ops without one (`_operator.add`). */
  readonly schema: string | undefined;
}

/** Every op that has a lowering, by target. In-place forms are made functional first and are not listed apart. */
export function supportedOps(): readonly SupportedOp[] {
  return Object.entries(FAMILIES)
    .flatMap(([family, table]) =>
      Object.keys(table).map((target) => ({ target, family, schema: schemaText(target) })),
    )
    .sort((a, b) => (a.target < b.target ? -1 : 1));
}
