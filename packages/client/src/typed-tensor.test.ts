import assert from "node:assert/strict";
import { test } from "node:test";
import { DATATYPES, elementBytes } from "@sconce/protocol";
import fc from "fast-check";
import { nestedTensor } from "./nested-values.ts";
import { fromWire, type TypedTensor, tensor, texts, wireBytes } from "./typed-tensor.ts";

test("every tensor comes back from its bytes, bit by bit, wherever they lie", () => {
  const anyTensor = fc
    .tuple(fc.constantFrom(...DATATYPES), fc.array(fc.uint8Array({ minLength: 8, maxLength: 8 })))
    .map(([datatype, elements]) => ({ datatype, elements }));
  fc.assert(
    fc.property(anyTensor, fc.nat(9), ({ datatype, elements }, offset) => {
      const shape = [elements.length];
      const width = elementBytes(datatype);
      const bytes =
        datatype === "BYTES"
          ? wireBytes(tensor("BYTES", shape, elements))
          : new Uint8Array(elements.flatMap((element) => [...element.subarray(0, width)]));
      const moved = new Uint8Array(offset + bytes.length);
      moved.set(bytes, offset);
      const read = fromWire(datatype, shape, { bytes: moved.subarray(offset), field: "y" });
      assert.equal(read.data.length, elements.length);
      assert.deepEqual(Buffer.from(wireBytes(read)), Buffer.from(bytes));
    }),
  );
});

test("an array of the datatype's kind is not copied", () => {
  const data = Float32Array.of(1, 2);
  assert.equal(tensor("FP32", [2], data).data, data);
});

test("numbers become the datatype's elements, halves among them", () => {
  assert.deepEqual(tensor("FP16", [2], [1, 65520]).data, Uint16Array.of(0x3c00, 0x7c00));
  assert.deepEqual(tensor("BF16", [1], [1]).data, Uint16Array.of(0x3f80));
  assert.deepEqual(tensor("INT64", [2], [-1, 2n ** 62n]).data, BigInt64Array.of(-1n, 2n ** 62n));
  assert.deepEqual(tensor("BOOL", [3], [true, 0, 1]).data, Uint8Array.of(1, 0, 1));
  assert.deepEqual(texts(tensor("BYTES", [2], ["å", ""]) as TypedTensor<"BYTES">), ["å", ""]);
});

test("what is no element of the datatype is refused, never clipped", () => {
  const wrong = [
    ["UINT8", 256],
    ["UINT8", -1],
    ["INT8", 128],
    ["INT32", 1.5],
    ["INT32", 2 ** 31],
    ["INT64", 2 ** 53],
    ["INT64", 2n ** 63n],
    ["UINT64", -1],
    ["BOOL", 2],
    ["FP32", "1"],
    ["BYTES", 1],
  ] as const;
  for (const [datatype, value] of wrong)
    assert.throws(() => tensor(datatype, [1], [value]), { code: "invalid_argument" }, `${datatype} ${value}`);
});

test("nested lists have the shape of their nesting; ragged ones and such that hold themselves are refused", () => {
  assert.deepEqual(nestedTensor("FP32", [[1, 2]], "x"), tensor("FP32", [1, 2], [1, 2]));
  assert.deepEqual(nestedTensor("FP32", 3, "x").shape, []);
  assert.deepEqual(nestedTensor("FP32", [[], []], "x").shape, [2, 0]);
  for (const ragged of [
    [[1], [1, 2]],
    [1, [2]],
    [[1], 2],
    [[], [1]],
  ])
    assert.throws(() => nestedTensor("FP32", ragged, "x"), /^ServeError: x: /);
  const circle: never[] = [];
  circle.push(circle as never);
  assert.throws(() => nestedTensor("FP32", circle, "x"), /nested more than 32 deep/);
});
