import type { Arg, Graph, Node, ValueType } from "./ir.ts";
import { asLinear } from "./linear.ts";
import { add, type Dim, type SymExpr, substitute, sym, symbol } from "./sym.ts";

/** A program's graph after `exposeSizes`. */
export interface ExposedSizes {
  readonly graph: Graph;
  /** What stands for the symbols that were given another meaning, by their names. */
  readonly replaced: ReadonlyMap<string, Dim>;
}

/**
 * Gives every dimension of an input a symbol of its own where it is described by one that is nobody's size: for `2*s7`, as
 * `2 * Dim("half")` leaves it, s7 becomes the dimension itself, and `s7 // 2` stands where s7 stood. Whether the size is even is a
 * guard's matter: where no guard says so, PyTorch runs the program at odd sizes too.
 */
export function exposeSizes(graph: Graph, inputs: readonly string[]): ExposedSizes {
  const sizes = inputs
    .flatMap((name) => inputSizes(graph.values.get(name)))
    .filter((dim): dim is SymExpr => typeof dim !== "number");
  const visible = new Set(sizes.filter(({ op }) => op === "symbol").map(({ key }) => key));
  const replaced = new Map<string, Dim>();
  for (const dim of sizes) {
    const linear = asLinear(dim);
    if (linear === undefined || visible.has(linear.name)) continue;
    const { name, factor, offset } = linear;
    visible.add(name);
    replaced.set(name, sym("cleandiv", add(symbol(name), -offset), factor));
  }
  return { graph: replaced.size === 0 ? graph : withSizes(graph, replaced), replaced };
}

/** The sizes of a tensor, or the value of a number. */
export function inputSizes(type: ValueType | undefined): readonly Dim[] {
  if (type === undefined) return [];
  return type.kind === "tensor" ? type.dims : [type.expr];
}

function withSizes(graph: Graph, by: ReadonlyMap<string, Dim>): Graph {
  return {
    ...graph,
    nodes: graph.nodes.map((node) => nodeWithSizes(node, by)),
    values: new Map([...graph.values].map(([name, type]) => [name, typeWithSizes(type, by)])),
  };
}

function typeWithSizes(type: ValueType, by: ReadonlyMap<string, Dim>): ValueType {
  if (type.kind !== "tensor") return { ...type, expr: substitute(type.expr, by) };
  return {
    ...type,
    dims: type.dims.map((dim) => substitute(dim, by)),
    strides: type.strides?.map((stride) => substitute(stride, by)),
    ...(type.offset !== undefined && { offset: substitute(type.offset, by) }),
  };
}

function nodeWithSizes(node: Node, by: ReadonlyMap<string, Dim>): Node {
  const hasGraph = [...node.args.values()].some((arg) => arg.kind === "graph");
  if (!hasGraph) return node;
  const args = [...node.args].map(([name, arg]): [string, Arg] => [
    name,
    arg.kind === "graph" ? { kind: "graph", graph: withSizes(arg.graph, by) } : arg,
  ]);
  return { ...node, args: new Map(args) };
}
