import { type DtypeRule, dtypeRuleOf, RULED } from "../../aten/dtype-rules.ts";
import type { DType } from "../../dtype.ts";
import type { Arg, Graph, Node, TensorType, UnsupportedOps } from "../../graph/ir.ts";
import { category, common } from "../core/promote.ts";

/** The calls of a program, as its file has them, that PyTorch raises for whatever the numbers: it takes no such dtypes. */
export function dtypeFaults(graph: Graph): UnsupportedOps[] {
  const found = new Map<string, { op: string; reason: string; count: number }>();
  for (const node of nodesOf(graph)) {
    const reason = faultOf(node.node, node.graph);
    if (reason === undefined) continue;
    const key = `${node.node.target}\n${reason}`;
    const known = found.get(key);
    if (known === undefined) found.set(key, { op: node.node.target, reason, count: 1 });
    else known.count += 1;
  }
  return [...found.values()];
}

function* nodesOf(graph: Graph): Generator<{ readonly node: Node; readonly graph: Graph }> {
  for (const node of graph.nodes) {
    yield { node, graph };
    for (const arg of node.args.values()) if (arg.kind === "graph") yield* nodesOf(arg.graph);
  }
}

function faultOf(node: Node, graph: Graph): string | undefined {
  if (!node.target.startsWith("aten.")) return undefined;
  const wanted = node.args.get("dtype");
  if (wanted?.kind === "dtype") return wrongConversion(node, graph, wanted.value);
  const operands = new Map([...node.args].map(([name, arg]) => [name, tensorsOf(arg, graph)]));
  const types = [...operands.values()].flat();
  // Of nothing PyTorch takes any dtype.
  if (types.some(({ dtype, dims }) => !RULED.has(dtype) || dims.includes(0))) return undefined;
  const given = new Map([...operands].map(([name, known]) => [name, known.map(({ dtype }) => dtype)]));
  const reduction = node.args.get("reduction");
  const rule = dtypeRuleOf({
    target: node.target,
    reduction: reduction?.kind === "int" ? Number(reduction.value) : undefined,
    kernel: kernelOf(node, operands),
    hasNumber: types.some(({ dims }) => dims.length === 0),
    operands: [...operands].flatMap(([name, known]) => (known.length > 0 ? [name] : [])),
  });
  if (rule === undefined) return wrongNumber(node, given);
  const all = types.map(({ dtype }) => dtype);
  return (
    wrongOperand(rule, given) ??
    wrongPair(rule, given) ??
    wrongWrite(rule, given) ??
    wrongTogether(rule, all) ??
    wrongAtAll(rule, given) ??
    wrongNumber(node, given)
  );
}

/** What beside the reduction chooses the kernel, by the table's names. */
function kernelOf({ target, args }: Node, operands: ReadonlyMap<string, readonly TensorType[]>): string {
  const rank = (name: string): number => operands.get(name)?.[0]?.dims.length ?? 0;
  // Classes, or their probabilities.
  if (target.startsWith("aten.cross_entropy_loss")) return rank("target") < rank("self") ? "c" : "p";
  if (target.startsWith("aten.take_along_dim")) return args.get("dim")?.kind === "none" ? "flat" : "";
  const [transposed, mode] = [args.get("transposed"), args.get("mode")];
  if (transposed?.kind === "bool" && transposed.value) return `t${rank("input") - 2}`;
  return mode?.kind === "string" ? mode.value.slice(0, 4) : "";
}

/** Where a dtype is asked for, operands are converted first; norms convert nothing but floats, and into nothing narrower. */
function wrongConversion({ target, args }: Node, graph: Graph, to: DType): string | undefined {
  const self = args.get("self");
  const [from] = self === undefined ? [] : tensorsOf(self, graph);
  if (!target.startsWith("aten.linalg_vector_norm") || from === undefined) return undefined;
  if (category(from.dtype) !== 2)
    return `PyTorch takes floats as its argument 'self', and it is ${from.dtype}`;
  return common(from.dtype, to) === to
    ? undefined
    : `PyTorch takes no norm of ${from.dtype} in ${to}, which is narrower`;
}

/** Ops in place whose numbers take part in the dtype of the result. */
const COUNTING = /^aten\.(add|sub|mul|div|clamp|clamp_min|clamp_max|pow|remainder)_\./;

function wrongNumber({ target, args }: Node, given: Given): string | undefined {
  const [into] = given.get("self") ?? [];
  if (into === undefined || category(into) === 2 || !COUNTING.test(target)) return undefined;
  const number = [...args].find(([name, arg]) => name !== "alpha" && arg.kind === "float");
  return number === undefined
    ? undefined
    : `PyTorch writes no float (its argument '${number[0]}') into a tensor of ${into}`;
}

type Given = ReadonlyMap<string, readonly DType[]>;

function wrongOperand({ each }: DtypeRule, given: Given): string | undefined {
  for (const [name, taken] of each) {
    const wrong = given.get(name)?.find((dtype) => !taken.has(dtype));
    if (wrong !== undefined)
      return `PyTorch takes ${kindsText(taken)} as its argument '${name}', and it is ${wrong}`;
  }
  return undefined;
}

function wrongPair({ alike, alikeFloats }: DtypeRule, given: Given): string | undefined {
  for (const names of [...alike, ...alikeFloats]) {
    const isOfFloats = alikeFloats.includes(names);
    const present = names
      .flatMap((name) => (given.get(name) ?? []).map((dtype) => ({ name, dtype })))
      .filter(({ dtype }) => !isOfFloats || category(dtype) === 2);
    const [first, ...others] = present;
    const other = others.find(({ dtype }) => dtype !== first!.dtype);
    if (first !== undefined && other !== undefined)
      return `PyTorch takes its arguments ${quoted(names)} of one dtype, and '${first.name}' is ${first.dtype}, '${other.name}' ${other.dtype}`;
  }
  return undefined;
}

function wrongWrite({ below }: DtypeRule, given: Given): string | undefined {
  const [into] = given.get("self") ?? [];
  if (into === undefined) return undefined;
  for (const name of below) {
    const higher = given.get(name)?.find((dtype) => category(dtype) > category(into));
    if (higher !== undefined)
      return `PyTorch writes no ${higher} (its argument '${name}') into a tensor of ${into}`;
  }
  return undefined;
}

function wrongTogether({ together }: DtypeRule, all: readonly DType[]): string | undefined {
  if (together === undefined || all.length === 0) return undefined;
  const dtype = all.reduce(common);
  return together.has(dtype)
    ? undefined
    : `PyTorch takes ${kindsText(together)}, and its arguments are ${[...new Set(all)].join(" and ")}`;
}

function wrongAtAll({ not }: DtypeRule, given: Given): string | undefined {
  const found = not.find((refused) =>
    [...refused].every(([name, dtypes]) => given.get(name)?.some((dtype) => dtypes.has(dtype))),
  );
  if (found === undefined) return undefined;
  const known = [...found.keys()].map((name) => `'${name}' of ${given.get(name)!.join(", ")}`);
  return `PyTorch takes no ${known.join(" with ")}`;
}

function tensorsOf(arg: Arg, graph: Graph): TensorType[] {
  if (arg.kind === "list") return arg.items.flatMap((item) => tensorsOf(item, graph));
  const type = arg.kind === "value" ? graph.values.get(arg.name) : undefined;
  return type?.kind === "tensor" ? [type] : [];
}

const GROUPS: readonly (readonly [string, readonly DType[]])[] = [
  ["floats", ["float32", "float64", "float16", "bfloat16"]],
  ["integers", ["int64", "int32", "int16", "int8", "uint8"]],
];

/** `floats, int64`: whole groups by their name. */
function kindsText(dtypes: ReadonlySet<DType>): string {
  const whole = GROUPS.filter(([, members]) => members.every((dtype) => dtypes.has(dtype)));
  const named = new Set(whole.flatMap(([, members]) => members));
  return [...whole.map(([name]) => name), ...[...dtypes].filter((dtype) => !named.has(dtype))].join(", ");
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `'${name}'`).join(", ");
}
