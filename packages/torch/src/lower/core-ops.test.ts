// Tests table.ts: Core ATen is complete, but for what is listed.
import assert from "node:assert/strict";
import { test } from "node:test";
import { COMPLEX_LOWERINGS } from "./complex-table.ts";
import { coreOps } from "./supported-ops.ts";
import { LOWERINGS } from "./table.ts";
import { DISSOLVED, UNTRANSLATED } from "./untranslated.ts";

test("every overload of Core ATen is translated, dissolved before that, or left out for a reason", () => {
  const ops = coreOps();
  assert.equal(ops.length, 193);
  assert.deepEqual(
    ops.filter(({ state }) => state === "unknown"),
    [],
  );
});

test("no op is both translated and listed as left out or dissolved", () => {
  const listed = [...Object.keys(UNTRANSLATED), ...Object.keys(DISSOLVED)];
  assert.deepEqual(
    listed.filter((target) => Object.hasOwn(LOWERINGS, target) || Object.hasOwn(COMPLEX_LOWERINGS, target)),
    [],
  );
});
