import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { modelRight } from "./model-right.ts";

test("a star stands for any text, a name for itself", () => {
  const right = modelRight(["resnet*", "digits", "*-v2", "a*b*c"])!;
  for (const name of ["resnet", "resnet50", "digits", "x-v2", "abc", "a1b2c", "abbc"]) {
    assert.ok(right.includes(name), name);
  }
  for (const name of ["resne", "Resnet50", "digits2", "xdigits", "x-v2x", "acb", "ac", "a", ""]) {
    assert.ok(!right.includes(name), name);
  }
});

test("all models are undefined, and so is a list with a star alone", () => {
  assert.equal(modelRight(undefined), undefined);
  assert.equal(modelRight(["digits", "*"]), undefined);
  for (const patterns of [[], ["a/b"], [""], ["(a+)+$"], Array.from({ length: 101 }, (_, i) => `m${i}`)]) {
    assert.throws(() => modelRight(patterns), { reason: "bad_option" });
  }
});

test("equal rights have equal texts, in whatever order they are named", () => {
  assert.equal(modelRight(["b", "a", "b"])!.text, modelRight(["a", "b"])!.text);
  assert.notEqual(modelRight(["a", "b"])!.text, modelRight(["a"])!.text);
});

test("patterns mean what the same regular expressions mean", () => {
  const word = fc.string({ unit: fc.constantFrom("a", "b", "-"), maxLength: 8 });
  const pattern = fc.string({ unit: fc.constantFrom("a", "b", "-", "*"), minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(pattern, word, (given, name) => {
      const expected = new RegExp(`^${given.replaceAll("*", ".*")}$`).test(name);
      assert.equal(modelRight([given])?.includes(name) ?? true, expected);
    }),
  );
});
