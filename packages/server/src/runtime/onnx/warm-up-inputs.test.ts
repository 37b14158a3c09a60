import assert from "node:assert/strict";
import { test } from "node:test";
import type { Dim, Signature } from "../../base/signature.ts";
import { batchInputs, smallestInputs, withUnlikeRows } from "./warm-up-inputs.ts";

const batch: Dim = { symbol: "batch", min: 1, max: undefined };

test("the last row of a batch is that of one row alone, also where rows lie along an inner dimension", () => {
  const signature: Signature = {
    inputs: [
      { name: "h", datatype: "FP32", dims: [2, batch, 3] },
      { name: "n", datatype: "INT32", dims: [2, batch] },
      { name: "x", datatype: "FP32", dims: [batch, 3] },
    ],
    outputs: [],
    batching: { kind: "on", symbol: "batch", maxRows: undefined },
  };
  const alone = smallestInputs(signature);
  const many = withUnlikeRows(batchInputs(signature, 4)!, signature)!;
  const floats = ({ bytes }: { readonly bytes: Uint8Array }) =>
    new Float32Array(Uint8Array.from(bytes).buffer);
  const [h, , x] = many.map(floats) as [Float32Array, Float32Array, Float32Array];
  assert.deepEqual(
    many.map(({ shape }) => shape),
    [
      [2, 4, 3],
      [2, 4],
      [4, 3],
    ],
  );
  assert.deepEqual([...h.slice(9, 12), ...h.slice(21, 24)], [...floats(alone[0]!)]);
  assert.deepEqual([...x.slice(9)], [...floats(alone[2]!)]);
});
