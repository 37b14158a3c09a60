import { asList, asMap, type JsonMap } from "../fields.ts";
import { type Json, parseJson } from "../json.ts";
import { childKeys, type Fields } from "../pytree.ts";

const MAX_PATHS = 100_000;

/**
 * How guards name the arguments of a call: `['x']`, `['boxes'][0]`, `['batch'].mask`, in the order of the flattened arguments.
 * `signature`: the program's call signature. What it does not say is left out.
 */
export function inputPaths(signature: JsonMap, fields: Fields): string[][] {
  const names = signature.get("forward_arg_names");
  const spec = signature.get("in_spec");
  if (!Array.isArray(names) || typeof spec !== "string") return [];
  const root = asMap(
    asList(parseJson(new TextEncoder().encode(spec)), "the input tree")[1],
    "the input tree",
  );
  const [args, kwargs] = asList(root.get("children_spec"), "the input tree").map((child) =>
    asMap(child, "the input tree"),
  );
  const paths: string[][] = [];
  for (const [i, child] of children(args).entries()) walk(child, argumentNames(names[i]), { fields, paths });
  const keys = kwargs === undefined ? undefined : childKeys("builtins.dict", kwargs.get("context"), fields);
  for (const [i, child] of children(kwargs).entries())
    walk(child, argumentNames(keys?.[i]), { fields, paths });
  return paths;
}

/** `*rest` arrives as rest_0, rest_1; guards call them `['rest'][0]`. */
function argumentNames(name: Json | undefined): string[] {
  if (typeof name !== "string") return [];
  const [, base, index] = /^(.+)_(\d+)$/.exec(name) ?? [];
  return base === undefined ? [`['${name}']`] : [`['${name}']`, `['${base}'][${index}]`];
}

interface Walk {
  readonly fields: Fields;
  readonly paths: string[][];
}

function walk(node: JsonMap, path: readonly string[], state: Walk): void {
  const { fields, paths } = state;
  const type = node.get("type");
  if (typeof type !== "string") {
    if (paths.length < MAX_PATHS) paths.push([...path]);
    return;
  }
  const keys = childKeys(type, node.get("context"), fields);
  for (const [i, child] of children(node).entries()) {
    const key = keys?.[i];
    const step = key === undefined ? `[${i}]` : /dict$|OrderedDict$/i.test(type) ? `['${key}']` : `.${key}`;
    walk(
      child,
      path.map((begin) => begin + step),
      state,
    );
  }
}

function children(node: JsonMap | undefined): JsonMap[] {
  return node === undefined
    ? []
    : asList(node.get("children_spec"), "the input tree").map((child) => asMap(child, "the input tree"));
}
