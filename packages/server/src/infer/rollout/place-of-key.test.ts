import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { placeOfKey } from "./place-of-key.ts";

test("a key has one place from 0 to below 1", () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (salt, key) => {
      const place = placeOfKey(salt, key);
      assert.ok(place >= 0 && place < 1);
      assert.equal(placeOfKey(salt, key), place);
    }),
  );
});

test("keys that are alike are spread evenly, and anew for each rollout", () => {
  for (const share of [0.05, 0.3, 0.5]) {
    const [first, second] = ["m\n2", "m\n3"].map(
      (salt) =>
        new Set(
          Array.from({ length: 20_000 }, (_, i) => i).filter((i) => placeOfKey(salt, `user-${i}`) < share),
        ),
    );
    const both = [...first!].filter((i) => second!.has(i)).length;
    // Five standard deviations.
    const near = (count: number, part: number): boolean =>
      Math.abs(count - 20_000 * part) < 5 * Math.sqrt(20_000 * part * (1 - part));
    assert.ok(near(first!.size, share) && near(second!.size, share), `${first!.size}, ${second!.size}`);
    assert.ok(near(both, share * share), `${both}`);
  }
});
