import assert from "node:assert/strict";
import { test } from "node:test";
import type { DType } from "../dtype.ts";
import type { Arg, Graph, ValueType } from "../graph/ir.ts";
import { mutatedOutputs } from "./mutated-outputs.ts";

const tensor = (dtype: DType): ValueType => ({ kind: "tensor", dtype, dims: [2], strides: [1] });
const value = (name: string): Arg => ({ kind: "value", name });

function graphOf(values: Record<string, ValueType>): Graph {
  return { inputs: ["state"], outputs: [], nodes: [], values: new Map(Object.entries(values)) };
}

test("an output that is written into a buffer has the buffer's dtype", () => {
  const graph = graphOf({ state: tensor("float32"), counted: tensor("int64") });
  const result = mutatedOutputs(graph, [value("counted")], [{ input: "state", value: "counted" }]);
  assert.deepEqual(result.outputs, [value("counted~written")]);
  assert.deepEqual(result.graph.values.get("counted~written"), tensor("float32"));
  assert.equal(result.graph.nodes[0]!.target, "aten.to.dtype");
});

test("an output that is the input itself has its new value", () => {
  const graph = graphOf({ state: tensor("float32"), next: tensor("float32"), other: tensor("float32") });
  const result = mutatedOutputs(graph, [value("state"), value("other")], [{ input: "state", value: "next" }]);
  assert.deepEqual(result.outputs, [value("next"), value("other")]);
  assert.equal(result.graph, graph);
});
