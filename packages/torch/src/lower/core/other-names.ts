import type { Lowering, LoweringTable } from "./lowering.ts";

/** The entries of `table` once more under other names: `{ clip: "clamp" }` gives `aten.clip.default` what `aten.clamp.default` has. */
export function underOtherNames(
  table: LoweringTable,
  names: Readonly<Record<string, string>>,
): LoweringTable {
  const entries: [string, Lowering][] = Object.entries(names).flatMap(([name, known]) =>
    Object.entries(table)
      .filter(([target]) => target.split(".")[1] === known)
      .map(([target, lowering]): [string, Lowering] => [target.replace(`.${known}.`, `.${name}.`), lowering]),
  );
  return Object.fromEntries(entries);
}
