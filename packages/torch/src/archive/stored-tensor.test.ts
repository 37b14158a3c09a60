import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ModelFileError } from "../errors.ts";
import { memorySource, rangeSource } from "./byte-range.ts";
import {
  contiguousStrides,
  denseBytes,
  isContiguous,
  locateTensor,
  rangeStorage,
  type StoredTensor,
} from "./stored-tensor.ts";

const source = memorySource(
  "x",
  Uint8Array.from({ length: 4_096 }, (_, index) => index % 251),
);

function tensor(part: Partial<StoredTensor> & { shape: readonly number[] }): StoredTensor {
  const storage = rangeStorage(source, { offset: 16, byteLength: 2_048 });
  return { dtype: "int16", strides: contiguousStrides(part.shape), storageOffset: 0, storage, ...part };
}

const corrupt = (error: unknown): boolean => error instanceof ModelFileError && error.kind === "corrupt";

test("strided tensors become row-major bytes, element by element", () => {
  const dims = fc.array(fc.record({ size: fc.integer({ min: 1, max: 4 }), stride: fc.nat(9) }), {
    maxLength: 4,
  });
  fc.assert(
    fc.property(dims, fc.nat(20), (axes, storageOffset) => {
      const t = tensor({ shape: axes.map((a) => a.size), strides: axes.map((a) => a.stride), storageOffset });
      const elements = axes.reduce(
        (starts, { size, stride }) =>
          starts.flatMap((start) => Array.from({ length: size }, (_, i) => start + i * stride)),
        [storageOffset],
      );
      const expected = elements.flatMap((at) => [...source.read(16 + at * 2, 2)]);
      assert.deepEqual([...denseBytes("t", t)], expected);
    }),
    { numRuns: 300 },
  );
});

test("a contiguous tensor is a view, and is located in the outermost file", () => {
  const t = tensor({ shape: [1, 2, 3], strides: [99, 3, 1], storageOffset: 4 });
  assert.ok(isContiguous(t));
  assert.deepEqual(locateTensor(t), { offset: 16 + 8, byteLength: 12 });
  assert.equal(denseBytes("t", t).buffer, source.read(0, 1).buffer);
  const nested = rangeStorage(rangeSource("in", source, { offset: 100, byteLength: 50 }), {
    offset: 7,
    byteLength: 8,
  });
  assert.equal(nested.locate()?.offset, 107);
  assert.equal(locateTensor(tensor({ shape: [2, 2], strides: [1, 2] })), undefined);
});

test("an empty tensor needs no bytes", () => {
  assert.equal(denseBytes("t", tensor({ shape: [0, 2 ** 40, 2 ** 40], strides: [1, 1, 1] })).byteLength, 0);
});

test("a tensor must lie inside its storage: the last element fits, one more does not", () => {
  assert.equal(denseBytes("t", tensor({ shape: [2], storageOffset: 1022 })).byteLength, 4);
  assert.throws(() => denseBytes("t", tensor({ shape: [2], storageOffset: 1023 })), corrupt);
  assert.throws(() => denseBytes("t", tensor({ shape: [2, 2], strides: [1023, 1] })), corrupt);
});

for (const [what, part] of Object.entries({
  "a negative size": { shape: [-1] },
  "a fractional size": { shape: [1.5] },
  "sizes that overflow": { shape: [2 ** 30, 2 ** 30], strides: [1, 1] },
  "an extent that overflows": { shape: [2 ** 30], strides: [2 ** 50] },
  "a negative stride": { shape: [2], strides: [-1] },
  "a missing stride": { shape: [2], strides: [] },
  "a negative offset": { shape: [2], storageOffset: -1 },
  "65 dimensions": { shape: new Array<number>(65).fill(1) },
})) {
  test(`${what} is refused`, () => {
    assert.throws(() => denseBytes("t", tensor(part)), corrupt);
  });
}

test("a repeated storage stays below 64 MiB when made dense", () => {
  const repeats = (count: number): StoredTensor => tensor({ shape: [count, 1], strides: [0, 1] });
  assert.equal(denseBytes("t", repeats(2 ** 25)).byteLength, 2 ** 26);
  assert.throws(() => denseBytes("t", repeats(2 ** 25 + 1)), /repeats its storage/);
});
