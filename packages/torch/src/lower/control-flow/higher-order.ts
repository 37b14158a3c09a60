import type { Arg, Graph, Node } from "../../graph/ir.ts";
import type { OnnxGraph, ValueInfo } from "../../onnx/model.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";

/** What an op with graphs among its arguments needs of the lowering that it is a part of. */
export interface Subgraphs {
  /** The value of an argument, constants included. */
  value(arg: Arg): Val;
  /** Calculates a graph with `g`, its inputs bound to `operands`, and answers its outputs in the types that results of it have. */
  lower(graph: Graph, g: Emitter, operands: readonly Val[]): Val[];
}

/** Translates a node whose arguments hold graphs. Results as for a `Lowering`. */
export type SubgraphLowering = (node: Node, g: Emitter, subgraphs: Subgraphs) => readonly Val[];

/** Ops that hold graphs (torch/_higher_order_ops); their arguments have no names, only positions. */
export const HIGHER_ORDER: Readonly<Record<string, SubgraphLowering>> = {
  "higher_order.cond": cond,
  "higher_order.while_loop": whileLoop,
  "higher_order.scan": scan,
  "higher_order.map_impl": map,
};

/** cond(pred, true_graph, false_graph, operands): the branches see the operands where they are, as ONNX's do. */
function cond(node: Node, g: Emitter, subgraphs: Subgraphs): Val[] {
  const operands = values(node, 3, subgraphs);
  const branch = (position: number): { graph: OnnxGraph; results: Val[] } => {
    const inner = g.child();
    const results = subgraphs.lower(graphAt(node, position), inner, operands).map((val) => own(val, inner));
    const graph = inner.builder.finish(`${g.scope}/branch`, [], results.map(described), false);
    return { graph, results };
  };
  const predicate = g.cast(subgraphs.value(argAt(node, 0)), "bool");
  const [yes, no] = [branch(1), branch(2)];
  checkTypes(yes.results, no.results);
  const attributes = { then_branch: { graph: yes.graph }, else_branch: { graph: no.graph } };
  return g.subgraphOp("If", [predicate], { attributes, dtypes: yes.results.map(({ dtype }) => dtype) });
}

/** while_loop(cond_graph, body_graph, carried, additional): the condition is calculated before the loop and at the end of each turn. */
function whileLoop(node: Node, g: Emitter, subgraphs: Subgraphs): Val[] {
  const [condition, body] = [graphAt(node, 0), graphAt(node, 1)];
  const [initial, additional] = [values(node, 2, subgraphs), values(node, 3, subgraphs)];
  rejectNumbers([condition, body]);
  const goesOn = (at: Emitter, carried: readonly Val[]): Val => {
    const [result] = subgraphs.lower(condition, at, [...carried, ...additional]);
    return at.cast(at.reshape(result ?? unsupported("its condition has no result"), []), "bool");
  };
  const inner = g.child();
  const turn: Val = { name: inner.builder.unique(`${g.scope}/turn`), dtype: "int64" };
  const before: Val = { name: inner.builder.unique(`${g.scope}/goes_on`), dtype: "bool" };
  const carried = initial.map((val) => placeholder(val, inner));
  const results = subgraphs.lower(body, inner, [...carried, ...additional]).map((val) => own(val, inner));
  checkTypes(initial, results);
  const after = own(goesOn(inner.child("same graph"), results), inner);
  const graph = inner.builder.finish(
    `${g.scope}/body`,
    [scalar(turn), scalar(before), ...carried.map(described)],
    [scalar(after), ...results.map(described)],
    false,
  );
  const inputs = [undefined, goesOn(g.child("same graph"), initial), ...initial];
  return g.subgraphOp("Loop", inputs, {
    attributes: { body: { graph } },
    dtypes: results.map(({ dtype }) => dtype),
  });
}

/** scan(combine_graph, init, xs, additional): both scan along the first dimension and stack what each step gives. */
function scan(node: Node, g: Emitter, subgraphs: Subgraphs): Val[] {
  const parts = {
    initial: values(node, 1, subgraphs),
    sequences: values(node, 2, subgraphs),
    additional: values(node, 3, subgraphs),
  };
  return scanOver(graphAt(node, 0), parts, { g, subgraphs });
}

/** map_impl(graph, xs, additional) */
function map(node: Node, g: Emitter, subgraphs: Subgraphs): Val[] {
  const parts = {
    initial: [],
    sequences: values(node, 1, subgraphs),
    additional: values(node, 2, subgraphs),
  };
  return scanOver(graphAt(node, 0), parts, { g, subgraphs });
}

interface ScanParts {
  readonly initial: readonly Val[];
  readonly sequences: readonly Val[];
  readonly additional: readonly Val[];
}

function scanOver(
  body: Graph,
  { initial, sequences, additional }: ScanParts,
  { g, subgraphs }: { readonly g: Emitter; readonly subgraphs: Subgraphs },
): Val[] {
  rejectNumbers([body]);
  const inner = g.child();
  const operands = [...initial, ...sequences].map((val) => placeholder(val, inner));
  const results = subgraphs.lower(body, inner, [...operands, ...additional]).map((val) => own(val, inner));
  checkTypes(initial, results.slice(0, initial.length));
  const graph = inner.builder.finish(
    `${g.scope}/step`,
    operands.map(described),
    results.map(described),
    false,
  );
  return g.subgraphOp("Scan", [...initial, ...sequences], {
    attributes: { body: { graph }, num_scan_inputs: sequences.length },
    dtypes: results.map(({ dtype }) => dtype),
  });
}

/** A result of a subgraph must be a value of that subgraph: outer values and constants pass through a node of it. */
function own(val: Val, inner: Emitter): Val {
  return inner.op("Identity", [val]);
}

function placeholder({ name, dtype }: Val, inner: Emitter): Val {
  return { name: inner.builder.unique(`${name}/item`), dtype };
}

/** Sizes may differ from turn to turn and from branch to branch. */
function described({ name, dtype }: Val): ValueInfo {
  return { name, dtype, dims: undefined };
}

function scalar({ name, dtype }: Val): ValueInfo {
  return { name, dtype, dims: [] };
}

function checkTypes(left: readonly Val[], right: readonly Val[]): void {
  if (left.length === right.length && left.every(({ dtype }, i) => dtype === right[i]!.dtype)) return;
  unsupported("its graphs give results of different types");
}

/** Numbers that change from turn to turn would need symbols with two meanings. */
function rejectNumbers(graphs: readonly Graph[]): void {
  for (const { inputs, values: types } of graphs) {
    for (const input of inputs) {
      const type = types.get(input);
      if (type !== undefined && type.kind !== "tensor" && typeof type.expr !== "number")
        unsupported("it passes Python numbers from step to step; pass them as tensors");
    }
  }
}

function argAt(node: Node, position: number): Arg {
  return node.args.get(String(position)) ?? unsupported(`it has no argument ${position}`);
}

function graphAt(node: Node, position: number): Graph {
  const arg = argAt(node, position);
  return arg.kind === "graph" ? arg.graph : unsupported(`its argument ${position} is not a graph`);
}

function values(node: Node, position: number, subgraphs: Subgraphs): Val[] {
  const arg = node.args.get(String(position));
  if (arg === undefined || arg.kind === "none") return [];
  return arg.kind === "list"
    ? arg.items.map((item) => subgraphs.value(item))
    : unsupported("its operands are not list");
}
