import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Signature, TensorSpec } from "../../base/signature.ts";
import type { Datatype } from "../../base/tensor.ts";
import { settleClaims, type TrialRun } from "./claims.ts";

const N = { symbol: "n", min: 0, max: undefined };

function signatureOf(output: TensorSpec["dims"], claims = true): Signature {
  return {
    inputs: [{ name: "x", datatype: "FP32", dims: [N, 2] }],
    outputs: [{ name: "y", datatype: "FP32", dims: output }],
    batching: { kind: "on", symbol: "n", maxRows: undefined },
    areSizesClaimed: claims,
  };
}

const floats = (shape: readonly number[], fill: (i: number) => number): Uint8Array => {
  const length = shape.reduce((a, b) => a * b, 1);
  return new Uint8Array(Float32Array.from({ length }, (_, i) => fill(i)).buffer);
};

/** A run of so many rows whose output has this shape; its last row is 5, 5, … or what `last` says. */
function run(rows: number, shape: readonly number[], last = 5): TrialRun {
  const bytes = floats(shape, (i) => (i >= shape.reduce((a, b) => a * b, 1) - 2 ? last : i));
  return {
    inputs: [{ datatype: "FP32", shape: [rows, 2], bytes: floats([rows, 2], () => 1) }],
    result: { outputs: [{ datatype: "FP32", shape, chunks: [bytes] }], computeMs: 1 },
  };
}

describe("settleClaims()", () => {
  test("leaves what holds as it is", () => {
    const signature = signatureOf([N, 2]);
    const settled = settleClaims(signature, [run(1, [1, 2]), run(8, [8, 2])]);
    assert.deepEqual(settled, { signature, warnings: [] });
  });

  test("without runs there is nothing to compare", () => {
    const signature = signatureOf([3]);
    assert.deepEqual(settleClaims(signature, []), { signature, warnings: [] });
  });

  test("corrects the number of dimensions, and batching with it", () => {
    const { signature, warnings } = settleClaims(signatureOf([N]), [run(1, [2, 2, 1])]);
    assert.equal(signature.outputs[0]!.dims.length, 3);
    assert.equal(signature.batching.kind, "off");
    assert.match(warnings.join("\n"), /'y' has 3 dimensions, and 1 in the file's signature/);
  });

  test("opens a fixed size that is another one", () => {
    const { signature, warnings } = settleClaims(signatureOf([N, 3]), [run(1, [1, 2]), run(8, [8, 2])]);
    assert.deepEqual(signature.outputs[0]!.dims[1], { symbol: "y.1", min: 0, max: undefined });
    assert.equal(signature.batching.kind, "on");
    assert.match(warnings.join(), /dimension 1 of the output 'y' is 2, and 3 in the file's signature/);
  });

  test("turns batching off where there is no row for each row", () => {
    const { signature, warnings } = settleClaims(signatureOf([N, 2]), [run(1, [2, 2]), run(8, [16, 2])]);
    assert.equal(signature.batching.kind, "off");
    assert.match(warnings.join(), /'y' is \[2, 2\] for 1 rows/);
  });

  const WORDS: readonly (readonly [Datatype, Uint8Array, Uint8Array])[] = [
    ["INT64", new Uint8Array(BigInt64Array.of(7n).buffer), new Uint8Array(BigInt64Array.of(9n).buffer)],
    ["UINT8", Uint8Array.of(200), Uint8Array.of(100)],
    ["BOOL", Uint8Array.of(1), Uint8Array.of(0)],
    ["FP16", Uint8Array.of(0x00, 0x3c), Uint8Array.of(0x00, 0x40)],
    ["BF16", Uint8Array.of(0x80, 0x3f), Uint8Array.of(0x00, 0x40)],
  ];
  for (const [datatype, own, other] of WORDS) {
    test(`turns batching off where a row of ${datatype} is another one in company, and only there`, () => {
      const signature: Signature = { ...signatureOf([N]), outputs: [{ name: "y", datatype, dims: [N] }] };
      const ran = (...rows: Uint8Array[]): TrialRun => ({
        inputs: [{ datatype: "FP32", shape: [rows.length, 2], bytes: floats([rows.length, 2], () => 1) }],
        result: { outputs: [{ datatype, shape: [rows.length], chunks: rows }], computeMs: 1 },
      });
      assert.equal(settleClaims(signature, [ran(own), ran(other, own)]).signature.batching.kind, "on");
      assert.equal(settleClaims(signature, [ran(own), ran(own, other)]).signature.batching.kind, "off");
    });
  }

  for (const claims of [true, false]) {
    test(`turns batching off where a row is another one in company (${claims ? "ONNX" : "PyTorch"})`, () => {
      const runs = [run(1, [1, 2], 5), run(8, [8, 2], 4)];
      const { signature, warnings } = settleClaims(signatureOf([N, 2], claims), runs);
      assert.equal(signature.batching.kind, "off");
      assert.match(warnings.join(), /a row of the output 'y' depends on the other rows/);
    });
  }

  test("a hundredth more or less is how the sizes of a run round", () => {
    const runs = [run(1, [1, 2], 5), run(8, [8, 2], 5.05)];
    assert.equal(settleClaims(signatureOf([N, 2]), runs).signature.batching.kind, "on");
  });

  test("NaN in both is the same", () => {
    const runs = [run(1, [1, 2], Number.NaN), run(8, [8, 2], Number.NaN)];
    assert.equal(settleClaims(signatureOf([N, 2]), runs).signature.batching.kind, "on");
    const one = [run(1, [1, 2], Number.NaN), run(8, [8, 2], 5)];
    assert.equal(settleClaims(signatureOf([N, 2]), one).signature.batching.kind, "off");
  });
});
