import assert from "node:assert/strict";
import { test } from "node:test";
import { least } from "../graph/bounds.ts";
import { add, type Dim, keyOf, mul, sub, sym } from "../graph/sym.ts";
import { tensorType } from "./shapes/shape-args.ts";
import { SizeFacts } from "./size-facts.ts";
import type { SizeNeed } from "./size-need.ts";

const example = (dims: Readonly<Record<string, readonly number[]>>): SizeFacts =>
  SizeFacts.ofExample(
    new Map(Object.entries(dims).map(([name, sizes]) => [name, tensorType("float32", sizes)])),
    { isBatch: false },
  );

function dim(facts: SizeFacts, input: string, axis: number): Dim {
  return facts.inputs.get(input)!.dims[axis]!;
}

function shown(facts: SizeFacts, input: string): string[] {
  return facts.inputs.get(input)!.dims.map(keyOf);
}

/** What is known once a need, as it is seen with what is known, teaches nothing more. */
function settled(facts: SizeFacts, needOf: (known: SizeFacts) => SizeNeed): SizeFacts {
  const next = facts.learn(needOf(facts), "why");
  return next === undefined ? facts : settled(next, needOf);
}

test("every size of an example is free at first", () => {
  assert.deepEqual(shown(example({ x: [2, 8] }), "x"), ["x_0", "x_1"]);
});

test("sizes that have to be equal become one", () => {
  const facts = example({ x: [2, 8], y: [2, 8] });
  const learnt = facts.learn({ kind: "same", a: dim(facts, "x", 0), b: dim(facts, "y", 0) }, "")!;
  assert.equal(keyOf(dim(learnt, "x", 0)), keyOf(dim(learnt, "y", 0)));
  assert.deepEqual(learnt.warnings(), []);
});

test("sizes that make equal sums with a third one are one size, as of the keys and values of a cache", () => {
  const facts = example({ x: [2], keys: [5], values: [5] });
  const grown = (input: string): Dim => add(dim(facts, input, 0), dim(facts, "x", 0));
  const learnt = facts.learn({ kind: "same", a: grown("keys"), b: grown("values") }, "")!;
  assert.deepEqual(
    ["x", "keys", "values"].flatMap((input) => shown(learnt, input)),
    ["x_0", "values_0", "values_0"],
  );
});

test("a size that was broadcast in the example stays 1, and the other one stays free", () => {
  const facts = example({ x: [1, 8], y: [5, 8] });
  const learnt = facts.learn({ kind: "same", a: dim(facts, "x", 0), b: dim(facts, "y", 0) }, "")!;
  assert.deepEqual([shown(learnt, "x")[0], shown(learnt, "y")[0]], ["1", "y_0"]);
});

test("a size that meets a weight's is that number", () => {
  const facts = example({ x: [2, 8] });
  assert.deepEqual(shown(facts.learn({ kind: "same", a: dim(facts, "x", 1), b: 8 }, "")!, "x"), ["x_0", "8"]);
});

test("a table of positions bounds the length of texts", () => {
  const facts = example({ ids: [2, 8] });
  const length = dim(facts, "ids", 1);
  const learnt = facts.learn({ kind: "same", a: least(length, 512), b: length }, "")!;
  assert.deepEqual(learnt.symbols().get("ids_1")!.range, { min: 0, max: 512 });
  const known = dim(learnt, "ids", 1);
  assert.equal(keyOf(least(known, 512)), "ids_1");
});

test("a picture that is halved and doubled again has even sides", () => {
  const facts = example({ x: [2, 3, 8, 8] });
  const side = dim(facts, "x", 2);
  const again = mul(2, sym("floordiv", side, 2));
  const learnt = facts.learn({ kind: "same", a: again, b: side }, "")!;
  assert.equal(shown(learnt, "x")[2], "mul(2,x_2)");
});

test("a size divided into windows is a multiple of them, and fixed where the example was none", () => {
  const facts = example({ x: [2, 14, 15] });
  const learnt = facts.learn({ kind: "multiple", dim: dim(facts, "x", 1), of: 7 }, "")!;
  assert.equal(shown(learnt, "x")[1], "mul(7,x_1)");
  const fixed = settled(facts, (known) => ({ kind: "multiple", dim: add(dim(known, "x", 2), 6), of: 7 }));
  assert.equal(shown(fixed, "x")[2], "15");
  assert.deepEqual(fixed.warnings(), ["dimension 2 of 'x' is fixed at 15, as traced: why"]);
});

test("a size that decides a rank is at least 2, or 1 as in the example", () => {
  const facts = example({ x: [1, 8] });
  const many = facts.learn({ kind: "at least", dim: dim(facts, "x", 1), least: 2 }, "")!;
  assert.deepEqual(many.symbols().get("x_1")!.range!.min, 2);
  const one = facts.learn({ kind: "at least", dim: dim(facts, "x", 0), least: 2 }, "")!;
  assert.deepEqual(shown(one, "x"), ["1", "x_1"]);
});

test("a size that is counted in is not 0 where that decides something", () => {
  const facts = example({ x: [2, 8] });
  const length = dim(facts, "x", 1);
  const learnt = facts.learn({ kind: "numbers", dims: [sym("gt", length, 0)] }, "")!;
  assert.deepEqual(learnt.symbols().get("x_1")!.range!.min, 1);
});

test("a position behind the end of nothing is counted from the end, as in the example", () => {
  const facts = example({ x: [2, 8] });
  const learnt = facts.learn({ kind: "sign", dim: sub(3, dim(facts, "x", 1)) }, "")!;
  assert.deepEqual(learnt.symbols().get("x_1")!.range!.min, 4);
});

test("a size that is 1 in the example stays in the range in which it is 1", () => {
  const facts = example({ x: [2, 9] });
  const windows = sym("floordiv", dim(facts, "x", 1), 8);
  let learnt = facts.learn({ kind: "one", dim: windows }, "")!;
  learnt = learnt.learn({ kind: "one", dim: sym("floordiv", dim(learnt, "x", 1), 8) }, "")!;
  assert.deepEqual(learnt.symbols().get("x_1")!.range, { min: 8, max: 15 });
});

test("two inputs whose sizes follow from each other are fixed: requests are checked for equal sizes alone", () => {
  const facts = example({ x: [8], y: [4] });
  const learnt = settled(facts, (known) => {
    const [x, y] = [dim(known, "x", 0), dim(known, "y", 0)];
    return { kind: "same", a: sub(x, 4), b: y };
  });
  assert.deepEqual([...learnt.symbols().keys()], []);
});

test("what a user states becomes no number", () => {
  const stated = SizeFacts.ofStated(new Map([["x", example({ x: [2] }).inputs.get("x")]]));
  assert.equal(stated.learn({ kind: "same", a: dim(stated, "x", 0), b: 4 }, ""), undefined);
});
