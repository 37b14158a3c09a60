import { ModelFileError } from "../../errors.ts";
import type { SymbolRange } from "../../graph/ir.ts";
import { type Dim, keyOf, substitute } from "../../graph/sym.ts";
import { asMap } from "../fields.ts";
import type { Json } from "../json.ts";
import { parseSrepr } from "../srepr.ts";

/** Lower bounds up to this are no more than what torch.export assumes about every dynamic size; PyTorch does not check them. */
const ASSUMED_MIN = 2;

/**
 * `range_constraints`, as far as PyTorch checks them when a loaded program is called, by the key of the size. `replaced`: symbols that
 * were given another meaning. Throws ModelFileError.
 */
export function readRanges(
  json: Json | undefined,
  replaced: ReadonlyMap<string, Dim>,
): Map<string, SymbolRange> {
  const ranges = new Map<string, SymbolRange>();
  for (const [text, value] of asMap(json, "range_constraints")) {
    const range = asMap(value, "range_constraints");
    const min = bound(range.get("min_val")) ?? 0;
    const checked = { min: min > ASSUMED_MIN ? min : 0, max: bound(range.get("max_val")) };
    ranges.set(keyOfText(text, replaced), checked);
  }
  return ranges;
}

/** A range belongs to a symbol, or to an expression as sympy prints it: `2*s7 + 1`. */
function keyOfText(text: string, replaced: ReadonlyMap<string, Dim>): string {
  try {
    return keyOf(substitute(parseSrepr(text), replaced));
  } catch (error) {
    if (error instanceof ModelFileError) return text;
    throw error;
  }
}

/** A bound that is absent, infinite or beyond what an array can have is not a bound. */
function bound(json: Json | undefined): number | undefined {
  return typeof json === "number" && Number.isSafeInteger(json) ? json : undefined;
}
