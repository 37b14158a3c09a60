import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { outlyingIndex } from "./index-check.ts";

const ARRAYS = {
  INT64: BigInt64Array,
  INT32: Int32Array,
  INT16: Int16Array,
  INT8: Int8Array,
  UINT8: Uint8Array,
} as const;

const EDGES = [0n, 1n, -1n, 9n, 10n, -10n, -11n, 127n, 2n ** 31n, -(2n ** 31n), 2n ** 32n + 3n, -(2n ** 63n)];

test("finds the first index out of range in every integer type, wherever the bytes lie", () => {
  const datatype = fc.constantFrom(...(Object.keys(ARRAYS) as (keyof typeof ARRAYS)[]));
  const values = fc.array(fc.constantFrom(...EDGES), { maxLength: 40 });
  const range = fc.constantFrom({ min: 0, max: 9 }, { min: -10, max: 9 }, { min: 0, max: -1 });
  fc.assert(
    fc.property(datatype, values, range, fc.nat(8), (type, wanted, { min, max }, offset) => {
      const stored =
        type === "INT64"
          ? BigInt64Array.from(wanted)
          : ARRAYS[type].from(wanted.map((value) => Number(value)));
      const plain = new Uint8Array(stored.buffer);
      const bytes = new Uint8Array(plain.length + offset).subarray(offset);
      bytes.set(plain);
      const numbers = Array.from(stored as Iterable<number | bigint>, BigInt);
      const element = numbers.findIndex((value) => value < min || value > max);
      assert.deepEqual(
        outlyingIndex({ datatype: type, bytes }, { min, max }),
        element < 0 ? undefined : { element, value: numbers[element] },
      );
    }),
  );
});
