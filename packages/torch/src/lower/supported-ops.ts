import { schemaText } from "../exported/schemas.ts";
import { COMPLEX_LOWERINGS } from "./complex-table.ts";
import { FAMILIES, LOWERINGS } from "./table.ts";

/** An op that translates. */
export interface SupportedOp {
  /** Such as "aten.add.Tensor". */
  readonly target: string;
  readonly family: string;
  /** PyTorch's own schema; undefined for ops without one (`_operator.add`). */
  readonly schema: string | undefined;
  /** Whether it translates where an operand or a result is complex. */
  readonly takesComplex: boolean;
}

/** Every op that has a lowering, by target. In-place forms are made functional first and are not listed apart. */
export function supportedOps(): readonly SupportedOp[] {
  const onlyComplex = Object.keys(COMPLEX_LOWERINGS).filter((target) => !Object.hasOwn(LOWERINGS, target));
  const families = [
    ...Object.entries(FAMILIES).map(([family, table]) => [family, Object.keys(table)] as const),
    ["complex", onlyComplex] as const,
  ];
  return families
    .flatMap(([family, targets]) =>
      targets.map((target) => ({
        target,
        family,
        schema: schemaText(target),
        takesComplex: Object.hasOwn(COMPLEX_LOWERINGS, target),
      })),
    )
    .sort((a, b) => (a.target < b.target ? -1 : 1));
}
