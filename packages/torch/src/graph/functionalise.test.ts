import assert from "node:assert/strict";
import { test } from "node:test";
import { functionalise } from "./functionalise.ts";
import { guardKey } from "./guard.ts";
import type { Arg, Graph, Node, ValueType } from "./ir.ts";
import { type Dim, mul, symbol } from "./sym.ts";

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

const n = symbol("n");
const free = (dims: readonly Dim[], strides: readonly Dim[]): ValueType => ({
  kind: "tensor",
  dtype: "float32",
  dims,
  strides,
});

/** x [n, 3] → relu → `made` → transpose → `turned` → contiguous or flatten → `copy` → add_ → `written`, with `made` as the output. */
function writesIntoCopy(copies: string, shown: string): Graph {
  const turned: Node = {
    ...call("transpose.int", "made", "turned"),
    args: new Map<string, Arg>([
      ["self", value("made")],
      ["dim0", { kind: "int", value: 0 }],
      ["dim1", { kind: "int", value: 1 }],
    ]),
  };
  const copy = copies.startsWith("flatten") ? free([mul(3, n)], [1]) : free([3, n], [n, 1]);
  return {
    inputs: ["x"],
    outputs: [value(shown)],
    nodes: [
      call("relu.default", "x", "made"),
      turned,
      call(copies, "turned", "copy"),
      call("add_.Tensor", "copy", "written"),
    ],
    values: new Map([
      ["x", free([n, 3], [3, 1])],
      ["made", free([n, 3], [3, 1])],
      ["turned", free([3, n], [1, 3])],
      ["copy", copy],
      ["written", copy],
    ]),
  };
}

test("where a copy is the original itself at size 1, and is written into, that size is refused", () => {
  for (const copies of ["contiguous.default", "flatten.using_ints"]) {
    const { demands } = functionalise(writesIntoCopy(copies, "made"));
    assert.deepEqual(
      demands.map(({ condition }) => guardKey(condition)),
      ["ne(size(n),1)"],
    );
  }
});

test("where nothing of the original is used after a copy was written into, every size is taken", () => {
  assert.deepEqual(functionalise(writesIntoCopy("contiguous.default", "written")).demands, []);
});
