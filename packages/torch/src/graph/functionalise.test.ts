import assert from "node:assert/strict";
import { test } from "node:test";
import { functionalise } from "./functionalise.ts";
import type { Arg, Graph, Node, ValueType } from "./ir.ts";

/** Graphs that PyTorch may write although its exporter of today does not: names of a tensor are used after its shape has changed. */

const value = (name: string): Arg => ({ kind: "value", name });
const matrix = (rows: number, columns: number): ValueType => ({
  kind: "tensor",
  dtype: "float32",
  dims: [rows, columns],
  strides: [columns, 1],
});

function call(target: string, operand: string, output: string): Node {
  return { target: `aten.${target}`, args: new Map([["self", value(operand)]]), outputs: [output] };
}

/** x [2, 3] → relu → `made` → t_ → `turned` [3, 2], with `between` before t_, and `shown` as the output. */
function program(between: readonly Node[], shown: string): Graph {
  const names = ["x", "made", "other"].map((name): [string, ValueType] => [name, matrix(2, 3)]);
  return {
    inputs: ["x"],
    outputs: [value(shown)],
    nodes: [call("relu.default", "x", "made"), ...between, call("t_.default", "made", "turned")],
    values: new Map([...names, ["turned", matrix(3, 2)]]),
  };
}

test("every name of a tensor whose shape is changed in place has the new shape", () => {
  const dropout: Node = {
    target: "aten.dropout.default",
    args: new Map<string, Arg>([
      ["input", value("made")],
      ["p", { kind: "float", value: 0.5 }],
      ["train", { kind: "bool", value: false }],
    ]),
    outputs: ["other"],
  };
  for (const [between, shown] of [
    [[], "made"],
    [[dropout], "other"],
  ] as const) {
    const { graph, unsupported } = functionalise(program(between, shown));
    assert.deepEqual([graph.outputs, unsupported], [[value("turned")], []]);
    assert.equal(graph.nodes.at(-1)!.target, "aten.t.default");
  }
});

test("a tensor of its own on the same memory keeps its shape", () => {
  const { graph, unsupported } = functionalise(program([call("detach.default", "made", "other")], "other"));
  assert.deepEqual([graph.outputs, unsupported], [[value("other")], []]);
});

test("what may be the tensor under another name is refused once it is used", () => {
  const { unsupported } = functionalise(program([call("atleast_2d.default", "made", "other")], "other"));
  assert.deepEqual(
    unsupported!.map(({ op }) => op),
    ["aten.t_.default"],
  );
});
