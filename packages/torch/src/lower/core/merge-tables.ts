import { invariant } from "../../errors.ts";
import type { Lowering, LoweringTable } from "./lowering.ts";

/** Several tables as one. Two of them must not translate the same op. */
export function mergeTables(tables: readonly LoweringTable[]): LoweringTable {
  const merged: Record<string, Lowering> = {};
  for (const table of tables) {
    for (const [target, lowering] of Object.entries(table)) {
      invariant(!Object.hasOwn(merged, target), `two lowerings translate ${target}`);
      merged[target] = lowering;
    }
  }
  return merged;
}
