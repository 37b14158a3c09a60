import assert from "node:assert/strict";
import { test } from "node:test";
import { Tensor } from "onnxruntime-node";
import { faultOf, fixtureOf } from "../fixture.kit.ts";

test("the bits of NaN are not guessed", async () => {
  const values = new Float32Array(16).fill(Number.NaN, 3, 4);
  assert.equal(
    await faultOf(fixtureOf("bit-views", "view_bits_of_floats"), [new Tensor("float32", values, [16])]),
    "aten.view reads the bits of numbers, and one of them is NaN, which has many forms",
  );
});
