import assert from "node:assert/strict";
import { test } from "node:test";
import { LOWERINGS } from "../../lower/table.ts";
import { shapeOf } from "./table.ts";

/** Reads of a value are not tensors; the others are steps of decompositions that only exported programs have. */
const EXCEPTIONS = [
  "aten.item.default",
  "aten._local_scalar_dense.default",
  "aten._trilinear.default",
  "aten._linalg_det.default",
  "aten._linalg_slogdet.default",
  "aten._linalg_eigh.default",
  "aten._linalg_svd.default",
  "aten._linalg_solve_ex.default",
  "aten._cholesky_solve_helper.default",
];

test("every op that is translated has a known result type, so that it also loads from TorchScript", () => {
  const missing = Object.keys(LOWERINGS).filter(
    (target) => shapeOf(target) === undefined && !EXCEPTIONS.includes(target),
  );
  assert.deepEqual(missing, []);
});
