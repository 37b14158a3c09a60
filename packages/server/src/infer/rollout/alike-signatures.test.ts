import assert from "node:assert/strict";
import { test } from "node:test";
import type { Signature, TensorSpec } from "../../base/signature.ts";
import { ROW_SIGNATURE } from "../../models/models.kit.ts";
import { whyUnlike } from "./alike-signatures.ts";

const [X] = ROW_SIGNATURE.inputs as [TensorSpec];
const withInputs = (...inputs: TensorSpec[]): Signature => ({ ...ROW_SIGNATURE, inputs });
const [Y] = ROW_SIGNATURE.outputs as [TensorSpec];

test("a version that takes all that the old one takes, and gives all that it gives, is alike", () => {
  assert.equal(whyUnlike(ROW_SIGNATURE, ROW_SIGNATURE), undefined);
  const free = { symbol: "n", min: 0, max: undefined };
  assert.equal(whyUnlike(ROW_SIGNATURE, withInputs({ ...X, dims: [free, free] })), undefined);
  const more = { ...ROW_SIGNATURE, outputs: [...ROW_SIGNATURE.outputs.toReversed(), { ...Y, name: "more" }] };
  assert.equal(whyUnlike(ROW_SIGNATURE, more), undefined);
});

test("any other is not, and it is said why", () => {
  for (const [candidate, words] of [
    [withInputs({ ...X, name: "u" }), "it takes an input u more"],
    [withInputs(), "it takes no input x"],
    [withInputs(X, { ...X, name: "mask" }), "it takes an input mask more"],
    [withInputs({ ...X, datatype: "FP64" }), "its input x is FP64, and FP32 of the old version"],
    [withInputs({ ...X, dims: [X.dims[0]!, 2] }), "its input x has another shape"],
    [withInputs({ ...X, dims: [X.dims[0]!] }), "its input x has another shape"],
    [{ ...ROW_SIGNATURE, outputs: [Y] }, "it gives no output z"],
  ] as const)
    assert.equal(whyUnlike(ROW_SIGNATURE, candidate), words);
});
