import assert from "node:assert/strict";
import { test } from "node:test";
import { runError } from "./model-error.ts";

const failed = (node: string, why: string): Error =>
  new Error(`Non-zero status code returned while running ${node} node. Name:'n1' Status Message: ${why}`);

const OUTSIDE = "indices element out of data bounds, idx=12 must be within the inclusive range [-10,9]";

for (const op of ["Gather", "GatherND", "GatherElements", "ScatterElements", "OneHot"]) {
  test(`an index that ${op} does not take is the inputs' fault`, () => {
    const { code, reason, message } = runError(failed(op, OUTSIDE));
    assert.deepEqual([code, reason], ["invalid_argument", "invalid_input"]);
    assert.equal(message, "an index in the inputs is 12; the model takes -10 to 9");
  });
}

for (const op of ["Pad", "Transpose", "Slice", "Conv", "MatMul", "Reshape", "Concat", "Squeeze"]) {
  for (const why of ["invalid index", "axis index out of range", OUTSIDE]) {
    test(`where ${op} says "${why.slice(0, 24)}", the engine failed, and no input is blamed`, () => {
      const { code, reason, message } = runError(failed(op, why));
      assert.deepEqual([code, reason], ["internal", "model_failed"]);
      assert.equal(
        message,
        `the engine failed while it ran the model (operation ${op}); the server's log has the details`,
      );
    });
  }
}

for (const [op, why, told] of [
  [
    "Add",
    "axis == 1 || axis == largest was false. Attempting to broadcast an axis by a dimension other than 1. 3 by 5",
    "the sizes of the inputs do not go together: the model meets 3 and 5 where it needs one size",
  ],
  [
    "Concat",
    "Non concat axis dimensions must match: Axis 0 has mismatched dimensions of 4 and 3",
    "the sizes of the inputs do not go together: the model meets 4 and 3 where it needs one size",
  ],
  ["Expand", "invalid expand shape", "the sizes of the inputs do not go together in the model"],
  [
    "MatMul",
    "left operand cannot broadcast on dim 0",
    "the sizes of the inputs do not go together in the model",
  ],
] as const) {
  test(`sizes that ${op} cannot bring together are the inputs' fault`, () => {
    const { reason, message } = runError(failed(op, why));
    assert.deepEqual([reason, message], ["invalid_input", told]);
  });
}

test("a text that nobody knows is the engine's, without the operation", () => {
  const { reason, message } = runError(new Error("bad allocation at /home/user/x.cc:12"));
  assert.equal(reason, "model_failed");
  assert.equal(message, "the engine failed while it ran the model; the server's log has the details");
});

test("what does not fit the declared inputs is the inputs' fault, though no operation ran", () => {
  const text =
    "Got invalid dimensions for input: x for the following indices\n index: 0 Got: 3 Expected: 2\n";
  assert.equal(runError(new Error(text)).message, "dimension 0 of input x is 3; the model takes 2");
});
