import assert from "node:assert/strict";
import { test } from "node:test";
import { Tensor } from "onnxruntime-node";
import { faultOf, fixtureOf } from "../fixture.kit.ts";

test("a matrix that only rounding makes regular is not inverted", async () => {
  const fixture = fixtureOf("linear-systems", "inverse_singular");
  // The third row is the sum of the others. PyTorch 2.13 answers with numbers around 1e7.
  const matrix = new Tensor("float32", [1, 2, 3, 4, 5, 6, 5, 7, 9], [3, 3]);
  assert.equal(
    await faultOf(fixture, [matrix]),
    "aten.linalg_inv needs matrices that can be inverted, and one of them is singular",
  );
  const scaled = new Tensor("float32", [1e-30, 0, 0, 0, 1, 0, 0, 0, 1e30], [3, 3]);
  assert.equal(await faultOf(fixture, [scaled]), undefined);
});
