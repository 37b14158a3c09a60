// Tests that docs/scaling.md shows what the simulation gives; SCONCE_WRITE_SCALING=1 puts it there.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { scenario } from "../suites/scaling.ts";
import { scalingTables } from "./scaling-tables.ts";

const PAGE = new URL("../../../docs/scaling.md", import.meta.url);
/** A name in a comment, and the table below it. */
const TABLE = /<!-- table: (.+?) -->\n(?:\|.*\n)*/g;

function markdown(rows: readonly Readonly<Record<string, string>>[]): string {
  const columns = Object.keys(rows[0]!);
  const lines = [columns, columns.map(() => "---"), ...rows.map((row) => columns.map((name) => row[name]!))];
  return lines.map((cells) => `| ${cells.join(" | ")} |\n`).join("");
}

test("docs/scaling.md shows what npm run bench -- scaling gives", () => {
  const tables = scalingTables(scenario());
  const page = readFileSync(PAGE, "utf8");
  const shown = [...page.matchAll(TABLE)].map(([, name]) => name!);
  assert.deepEqual(shown.toSorted(), Object.keys(tables).toSorted());
  const right = page.replaceAll(
    TABLE,
    (_, name: string) => `<!-- table: ${name} -->\n${markdown(tables[name]!)}`,
  );
  if (process.env["SCONCE_WRITE_SCALING"] === "1") writeFileSync(PAGE, right);
  else
    assert.equal(page, right, "SCONCE_WRITE_SCALING=1 node --test bench/dist/scaling/scaling-page.test.js");
});
