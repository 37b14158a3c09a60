import { ModelFileError } from "../errors.ts";
import { asList, asMap, asString, type JsonMap } from "./fields.ts";
import { type Json, parseJson } from "./json.ts";

const MAX_LEAVES = 100_000;

/**
 * The names of a pytree's leaves, in order, from a serialized treespec (protocol 1): dictionary and dataclass keys, named tuple
 * fields, positions otherwise, joined by dots. A lone unnamed leaf is called `single`; unnamed leaves of the outermost tuple get
 * `single_0`, `single_1`, ….
 */
export function leafNames(spec: string, single: string, namedTupleFields: Fields): string[] {
  const parsed = asList(parseJson(new TextEncoder().encode(spec)), "the output tree");
  const names: string[][] = [];
  walk(asMap(parsed[1], "the output tree"), [], { names, fields: namedTupleFields });
  if (names.length === 1 && names[0]!.every((part) => /^\d+$/.test(part))) return [single];
  return names.map((path) =>
    (/^\d+$/.test(path[0] ?? "0") ? [`${single}_${path[0] ?? 0}`, ...path.slice(1)] : path).join("."),
  );
}

/** The fields of named tuples, by type. */
export type Fields = ReadonlyMap<string, readonly string[]>;

interface Walk {
  readonly names: string[][];
  readonly fields: Fields;
}

function walk(node: JsonMap, path: readonly string[], state: Walk): void {
  const type = node.get("type");
  if (type === null) {
    if (state.names.length >= MAX_LEAVES)
      throw new ModelFileError("limit", "the output tree has too many leaves");
    state.names.push([...path]);
    return;
  }
  const children = asList(node.get("children_spec"), "children of the output tree");
  const found = childKeys(asString(type, "a type in the output tree"), node.get("context"), state.fields);
  const keys = found?.length === children.length ? found : undefined;
  for (const [i, child] of children.entries()) {
    walk(asMap(child, "a child of the output tree"), [...path, keys?.[i] ?? String(i)], state);
  }
}

/** The keys of a container's children, from what its type serialized about itself; undefined for one that has positions only. */
export function childKeys(
  type: string,
  context: Json | undefined,
  fields: Fields,
): readonly string[] | undefined {
  if (type.endsWith("namedtuple")) return fields.get(contextText(context) ?? "");
  const text = contextText(context);
  if (text === undefined) return undefined;
  let value: Json;
  try {
    value = parseJson(new TextEncoder().encode(text));
  } catch {
    // A context is whatever the class serialized; one that is not JSON holds no keys for us.
    return undefined;
  }
  // Dictionaries have [keys], dataclasses [[keys], [names of None fields]], defaultdict {dict_context: [keys]}.
  if (value instanceof Map) value = value.get("dict_context") ?? null;
  if (isKeys(value)) return value.map(String);
  if (!Array.isArray(value)) return undefined;
  return value.find(isKeys)?.map(String);
}

function contextText(context: Json | undefined): string | undefined {
  return typeof context === "string" && context !== "null" ? context : undefined;
}

function isKeys(value: Json): value is readonly (string | number)[] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((k) => typeof k === "string" || typeof k === "number")
  );
}
