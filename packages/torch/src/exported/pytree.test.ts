import assert from "node:assert/strict";
import { test } from "node:test";
import { leafNames } from "./pytree.ts";

const leaf = { type: null, context: null, children_spec: [] };
const node = (type: string, context: unknown, ...children: unknown[]): unknown => ({
  type,
  context: JSON.stringify(context),
  children_spec: children,
});
const names = (tree: unknown, fields: [string, string[]][] = []): string[] =>
  leafNames(JSON.stringify([1, tree]), "output", new Map(fields));

test("a lone tensor is the output", () => {
  assert.deepEqual(names(leaf), ["output"]);
  assert.deepEqual(names(node("builtins.tuple", null, leaf)), ["output"]);
});

test("positions number the outputs", () => {
  assert.deepEqual(names(node("builtins.tuple", null, leaf, leaf)), ["output_0", "output_1"]);
});

test("dictionaries, dataclasses and named tuples name them", () => {
  assert.deepEqual(names(node("builtins.dict", ["probabilities"], leaf)), ["probabilities"]);
  const dataclass = node(
    "ModelOutput",
    [["last", "all"], ["loss"]],
    leaf,
    node("builtins.tuple", null, leaf, leaf),
  );
  assert.deepEqual(names(dataclass), ["last", "all.0", "all.1"]);
  const tuple = { type: "collections.namedtuple", context: "Point", children_spec: [leaf, leaf] };
  assert.deepEqual(names(tuple, [["Point", ["x", "y"]]]), ["x", "y"]);
  assert.deepEqual(names(node("collections.defaultdict", { dict_context: ["a"] }, leaf)), ["a"]);
});

test("a context whose keys do not fit is left aside", () => {
  assert.deepEqual(names(node("Foreign", ["only one"], leaf, leaf)), ["output_0", "output_1"]);
});
