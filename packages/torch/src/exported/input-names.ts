import type { NamedValue } from "../graph/ir.ts";
import type { JsonMap } from "./fields.ts";
import type { InputLeaf } from "./guards/input-leaves.ts";
import { inputPaths } from "./guards/input-paths.ts";
import type { Fields } from "./pytree.ts";

/**
 * The inputs of a program under the names that `forward` has for them, which torch.export keeps in the signature of the call alone: in the
 * graph they are in lower case, and numbered where that makes them equal. `leaves`: the flattened arguments, in order.
 */
export function nameInputs(
  leaves: readonly InputLeaf[],
  call: JsonMap | undefined,
  fields: Fields,
): NamedValue[] {
  const paths = call === undefined ? [] : inputPaths(call, fields);
  const found = leaves.flatMap((value, i) => (value === undefined ? [] : [{ value, own: paths[i]?.name }]));
  const counts = countOf(found.map(({ own }) => own));
  const taken = new Set(found.map(({ value }) => value));
  const named = found.map(({ value, own }) => ({
    value,
    name: own !== undefined && counts.get(own) === 1 && isNameOf(own, value) ? own : value,
  }));
  const names = countOf(named.map(({ name }) => name));
  if ([...names.values()].some((count) => count > 1))
    return [...taken].map((value) => ({ name: value, value }));
  return named.map(({ name, value }) =>
    names.has(value) ? { name, value } : { name, value, aliases: [value] },
  );
}

/** Whether torch.export makes the one of the other; a file that says something else keeps the names of its graph. */
function isNameOf(own: string, value: string): boolean {
  const plain = own.toLowerCase();
  return value === plain || (value.startsWith(`${plain}_`) && /^_\d+$/.test(value.slice(plain.length)));
}

function countOf<T>(items: readonly T[]): Map<T, number> {
  const counts = new Map<T, number>();
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1);
  return counts;
}
