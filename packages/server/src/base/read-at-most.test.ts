import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readAtMost, readAtMostSync } from "./read-at-most.ts";

test("a file is read whole up to the limit, and one larger, or without an end, is not", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "read-at-most-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "file");
  const limit = 100_000;
  for (const size of [0, 1, 65_536, limit, limit + 1]) {
    const content = Buffer.alloc(size, 7);
    writeFileSync(path, content);
    const expected = size <= limit ? content : undefined;
    assert.deepEqual(await readAtMost(path, limit), expected, `${size}`);
    assert.deepEqual(readAtMostSync(path, limit), expected, `${size}`);
  }
  if (process.platform !== "win32") {
    assert.equal(await readAtMost("/dev/zero", limit), undefined);
    assert.equal(readAtMostSync("/dev/zero", limit), undefined);
  }
  await assert.rejects(readAtMost(join(folder, "nothing"), limit), { code: "ENOENT" });
  assert.throws(() => readAtMostSync(folder, limit), { code: "EISDIR" });
});
