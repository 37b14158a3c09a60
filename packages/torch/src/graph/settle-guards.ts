import { dimOfGuard, type Guard, type GuardTerm, guardKey, isGuardNode } from "./guard.ts";
import type { SymbolRange } from "./ir.ts";

/**
 * Guards that remain to be checked beside the ranges: those that always hold are dropped, as are repetitions; bounds of a single size
 * narrow its range. Keys of ranges are those of sizes.
 */
export function settleGuards(
  guards: readonly Guard[],
  ranges: ReadonlyMap<string, SymbolRange>,
): { readonly guards: readonly Guard[]; readonly ranges: ReadonlyMap<string, SymbolRange> } {
  const narrowed = new Map(ranges);
  const left = new Map<string, Guard>();
  for (const guard of guards.flatMap(conjuncts)) {
    if (isTrue(guard.condition)) continue;
    const bound = asBound(guard.condition);
    if (bound === undefined) left.set(guardKey(guard.condition), guard);
    else {
      const { min, max } = narrowed.get(bound.key) ?? { min: 0, max: undefined };
      narrowed.set(bound.key, {
        min: Math.max(min, bound.min),
        max: bound.max === undefined ? max : Math.min(max ?? Number.POSITIVE_INFINITY, bound.max),
      });
    }
  }
  return { guards: [...left.values()], ranges: narrowed };
}

function conjuncts(guard: Guard): Guard[] {
  const { condition, ...rest } = guard;
  if (!isGuardNode(condition) || condition.op !== "and") return [guard];
  return condition.args.flatMap((part) => conjuncts({ condition: part, ...rest }));
}

function isTrue(condition: GuardTerm): boolean {
  const value = dimOfGuard(condition);
  return typeof value === "number" && value !== 0;
}

interface Bound {
  readonly key: string;
  readonly min: number;
  readonly max: number | undefined;
}

const MIRRORED: Readonly<Record<string, string>> = { lt: "gt", le: "ge", gt: "lt", ge: "le" };

/** `x >= 3`, `3 <= x` and their like. */
function asBound(condition: GuardTerm): Bound | undefined {
  if (!isGuardNode(condition) || MIRRORED[condition.op] === undefined) return undefined;
  const [a, b] = condition.args;
  if (isSize(a) && isBound(b)) return boundOf(a.dim.key, condition.op, b);
  return isSize(b) && isBound(a) ? boundOf(b.dim.key, MIRRORED[condition.op]!, a) : undefined;
}

function isSize(term: GuardTerm | undefined): term is Extract<GuardTerm, { op: "size" }> {
  return typeof term === "object" && term.op === "size";
}

function isBound(term: GuardTerm | undefined): term is number {
  return typeof term === "number" && Number.isFinite(term);
}

function boundOf(key: string, op: string, limit: number): Bound {
  if (op === "ge") return { key, min: Math.ceil(limit), max: undefined };
  if (op === "gt") return { key, min: Math.floor(limit) + 1, max: undefined };
  return { key, min: 0, max: op === "le" ? Math.floor(limit) : Math.ceil(limit) - 1 };
}
