import assert from "node:assert/strict";
import { test } from "node:test";
import type { Dim, TensorSpec } from "../../base/signature.ts";
import { decideBatching } from "./batching.ts";

const batch = (symbol = "batch", max?: number): Dim => ({ symbol, min: 1, max });
const spec = (name: string, ...dims: Dim[]): TensorSpec => ({ name, datatype: "FP32", dims });

test("batching is on when the first dimension is one symbol everywhere", () => {
  const ports = { inputs: [spec("x", batch("b", 64), 3)], outputs: [spec("y", batch("b", 64))] };
  assert.deepEqual(decideBatching(ports, "pytorch"), { kind: "on", symbol: "b", maxRows: 64 });
});

test("the rows of a state may lie along another dimension, as those of PyTorch's recurrent layers do", () => {
  const inputs = [spec("h", 2, batch(), 8), spec("x", batch(), 3)];
  const outputs = [spec("y", batch()), spec("h_out", 2, batch(), 8)];
  const state = new Set(["h", "h_out"]);
  assert.equal(decideBatching({ inputs, outputs, state }, "pytorch").kind, "on");
  assert.equal(decideBatching({ inputs, outputs }, "pytorch").kind, "off");
  const other = { inputs: [spec("h", 2, 1, 8), spec("x", batch(), 3)], outputs, state };
  const batching = decideBatching(other, "pytorch") as { reason: string };
  assert.match(batching.reason, /^the state input h has no dimension batch/);
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
    const batching = decideBatching({ inputs, outputs }, "pytorch");
    assert.equal(batching.kind, "off");
    assert.match((batching as { reason: string }).reason, reason);
  }
});
