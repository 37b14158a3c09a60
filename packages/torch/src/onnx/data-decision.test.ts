import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { dataDecision } from "./data-decision.ts";
import type { Initializer, OnnxGraph, OnnxModel, OnnxNode } from "./model.ts";

const node = (
  type: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: OnnxNode["attributes"] = {},
): OnnxNode => ({ type, domain: "", inputs, outputs, attributes });

const port = (name: string) => ({ name, dtype: "float32", dims: undefined }) as const;

const graphOf = (
  nodes: readonly OnnxNode[],
  { inputs = [], outputs }: { inputs?: readonly string[]; outputs: readonly string[] },
): OnnxGraph => ({
  name: "g",
  nodes,
  initializers: [] as readonly Initializer[],
  inputs: inputs.map(port),
  outputs: outputs.map(port),
});

const modelOf = (...nodes: readonly OnnxNode[]): OnnxModel => ({
  graph: graphOf(nodes, { inputs: ["x"], outputs: ["y"] }),
  opsets: new Map([["", 21]]),
});

const branch = (...nodes: readonly OnnxNode[]) => ({ graph: graphOf(nodes, { outputs: ["b"] }) });
const branches = {
  then_branch: branch(node("Neg", ["x"], ["b"])),
  else_branch: branch(node("Abs", ["x"], ["b"])),
};

/** A loop that carries two values: the first becomes the second in every round. */
const loop = (carried: readonly string[], ...inside: readonly OnnxNode[]): OnnxNode =>
  node("Loop", ["often", "", ...carried], ["y", "z"], {
    body: {
      graph: graphOf([node("Identity", ["a"], ["a2"]), ...inside], {
        inputs: ["i", "cond", "a", "b"],
        outputs: ["go", "a2", "a2"],
      }),
    },
  });

describe("dataDecision()", () => {
  test("a branch by numbers, and not by sizes or stored numbers", () => {
    assert.equal(
      dataDecision(modelOf(node("ReduceMax", ["x"], ["c"]), node("If", ["c"], ["y"], branches))),
      "If",
    );
    assert.equal(
      dataDecision(modelOf(node("Shape", ["x"], ["c"]), node("If", ["c"], ["y"], branches))),
      undefined,
    );
    assert.equal(dataDecision(modelOf(node("If", ["stored"], ["y"], branches))), undefined);
  });

  test("a branch that gives the same either way does not count, what is inside it does", () => {
    const called = (name: string, inside: typeof branches) =>
      modelOf(node("IsNaN", ["x"], ["c"]), { ...node("If", ["c"], ["y"], inside), name });
    assert.equal(dataDecision(called("shortcut of aten.max_pool2d", branches)), undefined);
    assert.equal(dataDecision(called("another", branches)), "If");
    const inner = { ...branches, else_branch: branch(node("If", ["c"], ["b"], branches)) };
    assert.equal(dataDecision(called("shortcut of aten.max_pool2d", inner)), "If");
  });

  test("a branch inside a branch that sizes choose", () => {
    const inner = node("If", ["x"], ["b"], branches);
    const outer = { ...branches, else_branch: branch(inner) };
    assert.equal(dataDecision(modelOf(node("Size", ["x"], ["c"]), node("If", ["c"], ["y"], outer))), "If");
  });

  test("what a branch gives is data when the branch reads some", () => {
    const chosen = node("If", ["stored"], ["c"], branches);
    assert.equal(dataDecision(modelOf(chosen, node("If", ["c"], ["y"], branches))), "If");
  });

  test("a loop that ends by numbers, also by what a round before made of them", () => {
    const counted = node("Identity", ["cond"], ["go"]);
    assert.equal(dataDecision(modelOf(loop(["x", "stored"], counted))), undefined);
    assert.equal(dataDecision(modelOf(loop(["x", "stored"], node("Less", ["a", "i"], ["go"])))), "Loop");
    assert.equal(dataDecision(modelOf(loop(["x", "stored"], node("Less", ["b", "i"], ["go"])))), "Loop");
    assert.equal(
      dataDecision(modelOf(loop(["stored", "stored"], node("Less", ["b", "i"], ["go"])))),
      undefined,
    );
    const often = node("Cast", ["x"], ["often"]);
    assert.equal(dataDecision(modelOf(often, loop(["stored", "stored"], counted))), "Loop");
  });
});
