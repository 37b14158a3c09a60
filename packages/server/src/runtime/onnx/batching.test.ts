import assert from "node:assert/strict";
import { test } from "node:test";
import type { Dim, TensorSpec } from "../../base/signature.ts";
import { decideBatching } from "./batching.ts";

const batch = (symbol = "batch", max?: number): Dim => ({ symbol, min: 1, max });
const spec = (name: string, ...dims: Dim[]): TensorSpec => ({ name, datatype: "FP32", dims });

test("batching is on when the first dimension is one symbol everywhere", () => {
  assert.deepEqual(decideBatching([spec("x", batch("b", 64), 3)], [spec("y", batch("b", 64))], "pytorch"), {
    kind: "on",
    symbol: "b",
    maxRows: 64,
  });
});

test("batching is off with a reason, and with how to export again", () => {
  const cases: [TensorSpec[], TensorSpec[], RegExp][] = [
    [
      [spec("x", 1, 3)],
      [spec("y", 1)],
      /^the first dimension of input x is fixed at 1; .*dynamic_shapes=\{"x": \{0: batch\}\}/,
    ],
    [[spec("x", batch())], [spec("y")], /^output y is a scalar/],
    [
      [spec("x", batch("a")), spec("z", batch("b"))],
      [spec("y", batch("a"))],
      /^the first dimension of input z is b, not a/,
    ],
    [
      [spec("x", batch("a"), batch("a"))],
      [spec("y", batch("a"))],
      /^a also sizes another dimension of input x/,
    ],
    [
      [spec("x", { symbol: "a", min: 2, max: undefined, multipleOf: 2 })],
      [spec("y", batch("a"))],
      /^a must be a multiple of 2/,
    ],
    [[], [spec("y", batch())], /^the model has no inputs/],
  ];
  for (const [inputs, outputs, reason] of cases) {
    const batching = decideBatching(inputs, outputs, "pytorch");
    assert.equal(batching.kind, "off");
    assert.match((batching as { reason: string }).reason, reason);
  }
});
