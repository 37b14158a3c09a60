import { CORE_OPS } from "../exported/gen/core-ops.ts";
import { schemaText } from "../exported/schemas.ts";
import { FAMILIES, LOWERINGS } from "./table.ts";
import { DISSOLVED, UNTRANSLATED } from "./untranslated.ts";

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

/** What becomes of one overload of Core ATen. */
export interface CoreOp {
  readonly target: string;
  /** `unknown`: neither translated nor known to be left out; a test forbids it. */
  readonly state: "translated" | "dissolved" | "left out" | "unknown";
  /** How, or why not; empty for translated ops. */
  readonly note: string;
}

/** Every overload that PyTorch tags as Core ATen, by target. */
export function coreOps(): readonly CoreOp[] {
  return CORE_OPS.map((target) => {
    if (Object.hasOwn(LOWERINGS, target)) return { target, state: "translated", note: "" };
    if (Object.hasOwn(DISSOLVED, target)) return { target, state: "dissolved", note: DISSOLVED[target]! };
    const left = Object.hasOwn(UNTRANSLATED, target) ? UNTRANSLATED[target] : undefined;
    if (left === undefined) return { target, state: "unknown", note: "" };
    return { target, state: "left out", note: `${left.kind}: ${left.reason}` };
  });
}

/** Ops whose results PyTorch itself does not repeat, by target. */
export function randomOps(): readonly string[] {
  return Object.entries(UNTRANSLATED).flatMap(([target, { kind }]) => (kind === "random" ? [target] : []));
}
