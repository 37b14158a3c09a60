import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonMap } from "./fields.ts";
import { nameInputs } from "./input-names.ts";

const leaf = { type: null, context: null, children_spec: [] };
const node = (type: string, context: unknown, ...children: unknown[]): unknown => ({
  type,
  context: JSON.stringify(context),
  children_spec: children,
});
const dict = (...keys: string[]): unknown => node("builtins.dict", keys, ...keys.map(() => leaf));

/** A call of `forward` with these positional arguments, and keywords. */
function call(names: readonly string[], args: readonly unknown[], kwargs: unknown = dict()): JsonMap {
  const root = node("builtins.tuple", null, node("builtins.tuple", null, ...args), kwargs);
  return new Map<string, never>([
    ["forward_arg_names", names as never],
    ["in_spec", JSON.stringify([1, root]) as never],
  ]);
}

const named = (leaves: readonly (string | undefined)[], signature: JsonMap | undefined): string[] =>
  nameInputs(leaves, signature, new Map()).map(({ name, value, aliases = [] }) =>
    [name, value, ...aliases].join(" "),
  );

test("names have the case that forward writes them in; those of the graph are taken, too", () => {
  const signature = call(["inputIds", "X__0", "plain"], [leaf, leaf, leaf]);
  assert.deepEqual(named(["inputids", "x__0", "plain"], signature), [
    "inputIds inputids inputids",
    "X__0 x__0 x__0",
    "plain plain",
  ]);
});

test("constants among the arguments keep their place", () => {
  const signature = call(["A", "B", "C"], [leaf, leaf, leaf]);
  assert.deepEqual(named(["a", undefined, "c"], signature), ["A a a", "C c c"]);
});

test("what is inside containers is joined as before, and so are keywords", () => {
  const signature = call(["Batch", "Rest_0"], [dict("pixelValues", "a-B"), leaf], dict("Scale"));
  assert.deepEqual(named(["batch_pixelvalues", "batch_a_b", "rest_0", "scale"], signature), [
    "Batch_pixelValues batch_pixelvalues batch_pixelvalues",
    "Batch_a_B batch_a_b batch_a_b",
    "Rest_0 rest_0 rest_0",
    "Scale scale scale",
  ]);
});

test("a name wins over the alias of another input", () => {
  assert.deepEqual(named(["x", "x_1"], call(["X", "x"], [leaf, leaf])), ["X x", "x x_1 x_1"]);
});

test("where two inputs would have one name, both keep those of the graph", () => {
  const signature = call(["a", "a_b"], [dict("b"), leaf]);
  assert.deepEqual(named(["a_b", "a_b_1"], signature), ["a_b a_b", "a_b_1 a_b_1"]);
});

test("a signature that fits the graph badly, or none, leaves the names of the graph", () => {
  assert.deepEqual(named(["x", "y"], call(["other", "y"], [leaf, leaf])), ["x x", "y y"]);
  assert.deepEqual(named(["x", "y"], call(["Y", "X"], [leaf, leaf])), ["x x", "y y"]);
  assert.deepEqual(named(["x", "y"], call(["X"], [leaf])), ["X x x", "y y"]);
  assert.deepEqual(named(["x"], undefined), ["x x"]);
  assert.deepEqual(named(["x"], new Map()), ["x x"]);
});
