import assert from "node:assert/strict";
import { test } from "node:test";
import { readShadow } from "./shadow-settings.ts";

test("a share is a percentage or a part of one", () => {
  assert.equal(readShadow(undefined), undefined);
  assert.deepEqual(readShadow({ runtime: "python", share: "1%" }), { share: 0.01, tolerance: 1e-4 });
  assert.deepEqual(readShadow({ share: "100 %", tolerance: "0" }), { share: 1, tolerance: 0 });
  assert.deepEqual(readShadow({ share: "0.25", tolerance: "1e-3" }), { share: 0.25, tolerance: 1e-3 });
});

test("anything else is refused, with the key", () => {
  for (const [given, words] of [
    [{}, /^shadow: share: expected .*, got nothing$/],
    [{ share: "0%" }, /^shadow: share: .*got "0%"$/],
    [{ share: "101%" }, /^shadow: share/],
    [{ share: "1", tolerance: "-1" }, /^shadow: tolerance/],
    [{ share: "1", tolerance: "" }, /^shadow: tolerance/],
    [{ share: "1", runtime: "onnx" }, /^shadow: runtime: expected python, got "onnx"$/],
    [{ shere: "1%" }, /^shadow: unknown key "shere"; did you mean share\?$/],
  ] as const)
    assert.throws(() => readShadow(given), { code: "invalid_argument", message: words });
});
