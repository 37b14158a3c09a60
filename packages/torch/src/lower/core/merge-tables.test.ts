import assert from "node:assert/strict";
import { test } from "node:test";
import { mergeTables } from "./merge-tables.ts";

test("two files cannot translate the same op", () => {
  const table = { "aten.relu.default": () => [] };
  assert.throws(() => mergeTables([table, table]), /two lowerings translate aten\.relu\.default/);
});
