import assert from "node:assert/strict";
import { test } from "node:test";
import { LOWERINGS } from "../../lower/table.ts";
import { shapeOf } from "./table.ts";

/** Reads of a value are not tensors; the last is a step of `bilinear` that only decomposed exported programs have. */
const EXCEPTIONS = ["aten.item.default", "aten._local_scalar_dense.default", "aten._trilinear.default"];

test("every op that is translated has a known result type, so that it also loads from TorchScript", () => {
  const missing = Object.keys(LOWERINGS).filter(
    (target) => shapeOf(target) === undefined && !EXCEPTIONS.includes(target),
  );
  assert.deepEqual(missing, []);
});
