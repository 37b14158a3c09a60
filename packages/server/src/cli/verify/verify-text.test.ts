import assert from "node:assert/strict";
import { test } from "node:test";
import { compareTensors } from "../../base/compare-tensors.ts";
import type { NamedTensor } from "../../base/tensor.ts";
import type { Outcome } from "./ask-model.ts";
import { type Compared, exitCodeOf, verdictOf, verifyText } from "./verify-text.ts";

const tensor = (values: readonly number[], shape = [values.length]): NamedTensor => ({
  name: "y",
  datatype: "FP32",
  shape,
  bytes: new Uint8Array(Float32Array.from(values).buffer),
});
const gives = (...values: readonly number[]): Outcome => ({ kind: "outputs", outputs: [tensor(values)] });
const rejects: Outcome = { kind: "rejected", why: "too few rows" };
const verdict = (...all: readonly Compared[]): ReturnType<typeof verdictOf> =>
  verdictOf(all, { tolerance: 0.01, compare: compareTensors });

test("equal within the tolerance, which is relative to large values", () => {
  const found = verdict({ label: "a", got: gives(1000, 0), want: gives(1001, 0.001) });
  assert.deepEqual([found.kind, found.compared, exitCodeOf(found)], ["equal", 1, 0]);
});

test("NaN equals NaN, an infinity itself, and nothing else equals either", () => {
  const same = [Number.NaN, Number.POSITIVE_INFINITY, 0];
  assert.equal(compareTensors(tensor(same), tensor(same)).error, 0);
  for (const [got, want] of [
    [Number.NaN, 0],
    [0, Number.NaN],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
    [3.4e38, Number.POSITIVE_INFINITY],
  ])
    assert.equal(compareTensors(tensor([got!]), tensor([want!])).error, Number.POSITIVE_INFINITY);
});

test("the worst place is told by its indices and both values", () => {
  const [got, want] = [tensor([0, 0, 0, 5, 0, 0], [2, 3]), tensor([0, 0, 0, 1, 0, 0.5], [2, 3])];
  assert.deepEqual(compareTensors(got, want), { output: "y", error: 2, words: "at [1, 0]: 5 instead of 1" });
});

test("another shape is a difference, told as such", () => {
  const { error, words } = compareTensors(tensor([1, 2], [1, 2]), tensor([1, 2], [2]));
  assert.deepEqual([error, words], [Number.POSITIVE_INFINITY, "FP32 [1, 2] instead of FP32 [2]"]);
});

test("a difference is told with its worst place and with the layer where it begins", () => {
  const found = verdict({ label: "[2]", got: gives(1, 2), want: gives(1, 3) });
  const difference = { output: "relu_1", error: 1, words: "at [1]: -1 instead of 0" };
  const begins = {
    ...{ name: "relu_1", op: "aten.relu.default", module: "features.6", type: "torch.nn.ReLU" },
    ...{ line: "", difference },
  };
  assert.equal(
    verifyText("m.pt2", found, begins),
    "m.pt2: the translation differs from PyTorch\n" +
      "  y: at most 0.25, at [1]: 2 instead of 3 ([2])\n" +
      "  it begins in features.6 (ReLU), at aten.relu.default, value relu_1: at [1]: -1 instead of 0\n",
  );
  assert.equal(exitCodeOf(found), 1);
});

test("what one side alone answers is a difference; what both reject is none", () => {
  assert.equal(verdict({ label: "a", got: gives(1), want: rejects }).kind, "different");
  assert.equal(verdict({ label: "a", got: rejects, want: gives(1) }).kind, "different");
  const both = [
    { label: "a", got: rejects, want: rejects },
    { label: "b", got: gives(1), want: gives(1) },
  ] as const;
  assert.equal(verdict(...both).kind, "equal");
  assert.match(
    verifyText("m.pt2", verdict(...both)),
    /equal to the last bit\n {2}both reject a: too few rows\n$/,
  );
});

test("where both reject everything, nothing was compared", () => {
  assert.equal(verdict({ label: "a", got: rejects, want: rejects }).kind, "nothing");
});
