// Tests docs/library.md: its example runs as it stands, and prints what the page says.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

test("the example of docs/library.md runs, prints what the page says, and ends by itself", async (t) => {
  const page = readFileSync(join(ROOT, "docs/library.md"), "utf8");
  const [, program, , printed] = /^```js\n([\s\S]*?)^```$([\s\S]*?)^```\n([\s\S]*?)^```$/m.exec(page) ?? [];
  assert.ok(program !== undefined && printed !== undefined, "the page shows no program and what it prints");
  // Where the package's name leads to the built package.
  const folder = mkdtempSync(fileURLToPath(new URL("library-page-", import.meta.url)));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "example.mjs");
  writeFileSync(file, program);
  const { stdout } = await promisify(execFile)(process.execPath, [file], { cwd: ROOT });
  assert.equal(stdout, printed);
});
