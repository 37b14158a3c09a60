import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { nearestWord } from "./nearest-word.ts";

test("a slip finds its word, a different word finds none", () => {
  const known = ["digits", "sentiment", "resnet50", "a"];
  for (const [word, nearest] of [
    ["digit", "digits"],
    ["diigts", "digits"],
    ["resent50", "resnet50"],
    ["Digits", "digits"],
    ["sentimnt", "sentiment"],
    ["sentiments", "sentiment"],
    ["resnet-50", "resnet50"],
    ["b", "a"],
    ["numbers", undefined],
    ["resnet-152x", undefined],
    ["", "a"],
  ] as const) {
    assert.equal(nearestWord(word, known), nearest, word);
  }
  assert.equal(nearestWord("digit", []), undefined);
});

test("the nearest of several is found, whatever their order", () => {
  assert.equal(nearestWord("model-10", ["model-1", "model-11", "model-10x"]), "model-1");
  assert.equal(nearestWord("modell", ["model-a", "model"]), "model");
});

test("too many words, and long ones, are not looked through", () => {
  const known = Array.from({ length: 201 }, (_, i) => `model-${i}`);
  assert.equal(nearestWord("model-200x", known), undefined);
  assert.equal(nearestWord("model-199x", known.slice(0, 200)), "model-199");
});

/** The textbook's. */
function distance(a: string, b: string): number {
  if (a === "" || b === "") return a.length + b.length;
  const swapped = distance(a.slice(1), b.slice(1)) + (a[0] === b[0] ? 0 : 1);
  return Math.min(swapped, distance(a.slice(1), b) + 1, distance(a, b.slice(1)) + 1);
}

test("what is found is within the distance, and what is within it is found", () => {
  const word = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 6 });
  fc.assert(
    fc.property(word, word, (asked, known) => {
      const allowed = asked.length < 3 ? 1 : 2;
      assert.equal(nearestWord(asked, [known]) === known, distance(asked, known) <= allowed);
    }),
  );
});
