import { overloadsOf, type Param, schemaOf } from "../aten/schemas.ts";
import type { Arg, Graph, Node, ValueType } from "./ir.ts";
import { sameDims } from "./sym.ts";

const INTO_OUT = /^(aten\.[^.]+)\.(?:(\w+)_)?out(?:_\w+)?$/;

/**
 * Ops with `out=` become the op without it and a copy into that tensor, which is then followed as every other write; a tensor of nothing
 * (`out=torch.empty(0)`) is replaced. Those whose result has another size than `out`, and those with several results, stay as they are.
 */
export function copyIntoOut(graph: Graph): Graph {
  if (!graph.nodes.some(({ target }) => INTO_OUT.test(target))) return graph;
  const state: State = { values: new Map(graph.values), replaced: new Map() };
  const nodes = graph.nodes.flatMap((given) => {
    const args = new Map([...given.args].map(([name, arg]) => [name, now(arg, state)]));
    const node = { ...given, args };
    return withoutOut(node, state) ?? [node];
  });
  return { ...graph, nodes, values: state.values, outputs: graph.outputs.map((arg) => now(arg, state)) };
}

interface State {
  readonly values: Map<string, ValueType>;
  /** What stands for a tensor of nothing that a result took the place of. */
  readonly replaced: Map<string, string>;
}

function now(arg: Arg, state: State): Arg {
  if (arg.kind === "list") return { kind: "list", items: arg.items.map((item) => now(item, state)) };
  const name = arg.kind === "value" ? state.replaced.get(arg.name) : undefined;
  return name === undefined ? arg : { kind: "value", name };
}

function withoutOut(node: Node, { values, replaced }: State): Node[] | undefined {
  const [, op, overload] = INTO_OUT.exec(node.target) ?? [];
  const out = node.args.get("out");
  const [result] = node.outputs;
  if (op === undefined || out?.kind !== "value" || result === undefined) return undefined;
  const [before, after] = [values.get(out.name), values.get(result)];
  if (before?.kind !== "tensor" || after?.kind !== "tensor") return undefined;
  const given = new Map([...node.args].filter(([name]) => name !== "out"));
  const fitting = overloadsOf(op).filter((candidate) => takes(candidate, given, values));
  const target = fitting.find((candidate) => candidate === `${op}.${overload}`) ?? fitting[0];
  if (target === undefined) return undefined;
  const args = withDefaults(target, given);
  if (before.dims.includes(0) && before.dtype === after.dtype) {
    replaced.set(out.name, result);
    return [{ ...node, target, args }];
  }
  if (!sameDims(before.dims, after.dims)) return undefined;
  const fresh = `${result}_to_copy`;
  values.set(fresh, after);
  const copied = new Map<string, Arg>([
    ["self", out],
    ["src", { kind: "value", name: fresh }],
  ]);
  return [
    { ...node, target, args, outputs: [fresh] },
    { ...node, target: "aten.copy_.default", args: copied, outputs: [result] },
  ];
}

function withDefaults(target: string, given: ReadonlyMap<string, Arg>): Map<string, Arg> {
  const args = new Map<string, Arg>();
  for (const param of schemaOf(target)!.params) {
    const arg = given.get(param.name) ?? param.default;
    if (arg !== undefined) args.set(param.name, arg);
  }
  return args;
}

function takes(
  target: string,
  args: ReadonlyMap<string, Arg>,
  values: ReadonlyMap<string, ValueType>,
): boolean {
  const { params = [], returns = [] } = schemaOf(target) ?? {};
  if (returns.length !== 1 || params.some(({ isMutated }) => isMutated)) return false;
  const names = new Set(params.map(({ name }) => name));
  if ([...args.keys()].some((name) => !names.has(name))) return false;
  return params.every((param) => fits(param, args.get(param.name), values));
}

function fits(param: Param, arg: Arg | undefined, values: ReadonlyMap<string, ValueType>): boolean {
  if (arg === undefined) return param.default !== undefined;
  const isTensor = arg.kind === "value" && values.get(arg.name)?.kind === "tensor";
  return param.type.startsWith("Tensor") ? isTensor || arg.kind === "none" || arg.kind === "list" : !isTensor;
}
