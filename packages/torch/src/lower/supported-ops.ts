import { CORE_OPS } from "../aten/gen/core-ops.ts";
import { schemaText } from "../aten/schemas.ts";
import { COMPLEX_LOWERINGS } from "./complex-table.ts";
import { HEADINGS, LOWERINGS } from "./table.ts";
import { DISSOLVED, UNTRANSLATED } from "./untranslated.ts";

const TRANSLATED: readonly object[] = [LOWERINGS, COMPLEX_LOWERINGS];

/** An op that translates. */
export interface SupportedOp {
  /** Such as "aten.add.Tensor". */
  readonly target: string;
  /** Of the documentation page that lists the ops. */
  readonly heading: string;
  /** PyTorch's own schema; undefined for ops without one (`_operator.add`). */
  readonly schema: string | undefined;
  /** Whether it translates where an operand or a result is complex. */
  readonly takesComplex: boolean;
}

/** Every op that has a lowering, by target. In-place forms are made functional first and are not listed apart. */
export function supportedOps(): readonly SupportedOp[] {
  const onlyComplex = Object.keys(COMPLEX_LOWERINGS).filter((target) => !Object.hasOwn(LOWERINGS, target));
  const headings = [
    ...Object.entries(HEADINGS).map(([heading, table]) => [heading, Object.keys(table)] as const),
    ["Complex numbers", onlyComplex] as const,
  ];
  return headings
    .flatMap(([heading, targets]) =>
      targets.map((target) => ({
        target,
        heading,
        schema: schemaText(target),
        takesComplex: Object.hasOwn(COMPLEX_LOWERINGS, target),
      })),
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
    if (TRANSLATED.some((table) => Object.hasOwn(table, target)))
      return { target, state: "translated", note: "" };
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
