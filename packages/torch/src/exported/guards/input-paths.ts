import { asList, asMap, type JsonMap } from "../fields.ts";
import { type Json, parseJson } from "../json.ts";
import { childKeys, type Fields } from "../pytree.ts";

const MAX_PATHS = 100_000;

/** A flattened argument of a call. */
export interface InputPath {
  /** How guards name it: `['x']`, `['boxes'][0]`, `['batch'].mask`. */
  readonly spellings: readonly string[];
  /** The steps to it joined as torch.export joins them, in the case they are written in; undefined: the file does not say it. */
  readonly name: string | undefined;
}

/**
 * The arguments of a call, in the order in which they are flattened. `signature`: the program's call signature. What it does not say is
 * left out.
 */
export function inputPaths(signature: JsonMap, fields: Fields): InputPath[] {
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
  const paths: InputPath[] = [];
  for (const [i, child] of children(args).entries()) walk(child, argument(names[i]), { fields, paths });
  const keys = kwargs === undefined ? undefined : childKeys("builtins.dict", kwargs.get("context"), fields);
  for (const [i, child] of children(kwargs).entries()) walk(child, argument(keys?.[i]), { fields, paths });
  return paths;
}

/** `*rest` arrives as rest_0, rest_1; guards call them `['rest'][0]`. */
function argument(name: Json | undefined): InputPath {
  if (typeof name !== "string") return { spellings: [], name: undefined };
  const [, base, index] = /^(.+)_(\d+)$/.exec(name) ?? [];
  const spellings = base === undefined ? [`['${name}']`] : [`['${name}']`, `['${base}'][${index}]`];
  return { spellings, name: plain(name) };
}

/** torch.export keeps letters and digits of a key. */
function plain(key: string): string {
  return key.replace(/[^A-Za-z0-9]/g, "_");
}

interface Walk {
  readonly fields: Fields;
  readonly paths: InputPath[];
}

function walk(node: JsonMap, path: InputPath, state: Walk): void {
  const { fields, paths } = state;
  const type = node.get("type");
  if (typeof type !== "string") {
    if (paths.length < MAX_PATHS) paths.push(path);
    return;
  }
  const keys = childKeys(type, node.get("context"), fields);
  for (const [i, child] of children(node).entries()) {
    const key = keys?.[i];
    const step = key === undefined ? `[${i}]` : /dict$|OrderedDict$/i.test(type) ? `['${key}']` : `.${key}`;
    const spellings = path.spellings.map((begin) => begin + step);
    const name = path.name === undefined ? undefined : `${path.name}_${plain(key ?? String(i))}`;
    walk(child, { spellings, name }, state);
  }
}

function children(node: JsonMap | undefined): JsonMap[] {
  return node === undefined
    ? []
    : asList(node.get("children_spec"), "the input tree").map((child) => asMap(child, "the input tree"));
}
