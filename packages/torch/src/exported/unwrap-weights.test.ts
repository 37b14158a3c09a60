import assert from "node:assert/strict";
import { test } from "node:test";
import type { StoredTensor } from "../archive/stored-tensor.ts";
import { ModelFileError } from "../errors.ts";
import type { Arg, Graph, Node } from "../graph/ir.ts";
import { unwrapWeights } from "./unwrap-weights.ts";

const tensor: StoredTensor = {
  dtype: "int8",
  shape: [4],
  strides: [1],
  storageOffset: 0,
  storage: { byteLength: 4, locate: () => undefined, read: () => new Uint8Array(4) },
};
const wrapped = new Map([
  [
    "p_w",
    { name: "l.weight", className: "torchao.quantization.Int8Tensor", parts: new Map([["qdata", tensor]]) },
  ],
]);
const value = (name: string): Arg => ({ kind: "value", name });

function access(attribute: string): Node {
  return {
    target: "export.access_subclass_inner_tensor.default",
    args: new Map<string, Arg>([
      ["src_subclass_tensor", value("p_w")],
      ["attr", { kind: "string", value: attribute }],
    ]),
    outputs: [`got_${attribute}`],
  };
}

function graphOf(...nodes: Node[]): Graph {
  return { inputs: ["p_w"], outputs: [value("y")], nodes, values: new Map() };
}

test("a tensor that the program takes out of a subclass becomes a weight under its own name", () => {
  const { graph, weights } = unwrapWeights(graphOf(access("qdata")), wrapped);
  assert.deepEqual(graph.nodes, []);
  assert.deepEqual([...weights], [["got_qdata", { name: "l.weight.qdata", tensor }]]);
});

test("a subclass that the program uses whole is refused with its class and what to do", () => {
  const whole: Node = {
    target: "aten.relu.default",
    args: new Map([["self", value("p_w")]]),
    outputs: ["y"],
  };
  for (const node of [whole, access("scale")]) {
    assert.throws(
      () => unwrapWeights(graphOf(node), wrapped),
      (error) =>
        error instanceof ModelFileError &&
        error.kind === "unsupported" &&
        /'l\.weight'.*Int8Tensor.*run_decompositions/.test(error.message),
    );
  }
});
