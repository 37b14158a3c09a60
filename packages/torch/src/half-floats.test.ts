import assert from "node:assert/strict";
import { test } from "node:test";
import { bfloatBits, fromBfloatBits, fromHalfBits, halfBits } from "./half-floats.ts";

const FORMATS = [
  { name: "float16", bits: halfBits, number: fromHalfBits },
  { name: "bfloat16", bits: bfloatBits, number: fromBfloatBits },
];

for (const { name, bits, number } of FORMATS) {
  test(`every ${name} is a number that becomes the same bits again`, () => {
    for (let pattern = 0; pattern < 65_536; pattern++) {
      const value = number(pattern);
      if (Number.isNaN(value)) assert.ok(Number.isNaN(number(bits(value))), `NaN of ${pattern}`);
      else assert.equal(bits(value), pattern, `${pattern} stands for ${value}`);
    }
  });

  test(`a number between two neighbours of ${name} goes to the nearer one, at the middle to the even one`, () => {
    for (let pattern = 0; pattern < 0x7b00; pattern++) {
      const [low, high] = [number(pattern), number(pattern + 1)];
      if (!Number.isFinite(high)) continue;
      const middle = (low + high) / 2;
      assert.equal(bits(middle), pattern % 2 === 0 ? pattern : pattern + 1, `the middle above ${low}`);
    }
  });
}

test("what is too large for a half float is infinite", () => {
  assert.equal(fromHalfBits(halfBits(65_520)), Number.POSITIVE_INFINITY);
  assert.equal(fromHalfBits(halfBits(-1e9)), Number.NEGATIVE_INFINITY);
  assert.equal(fromBfloatBits(bfloatBits(3.4e38)), Number.POSITIVE_INFINITY);
});
