import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { writeWhole } from "./write-whole.ts";

const folder = mkdtempSync(join(tmpdir(), "sconce-write-whole-"));
after(() => rmSync(folder, { recursive: true }));

test("many who write one file at once leave one of their texts, and no drafts", async () => {
  const path = join(folder, "shared.json");
  const texts = Array.from({ length: 16 }, (_, i) => String(i).repeat(10_000 + i));
  await Promise.all(texts.map((text) => writeWhole(path, text)));
  assert.ok(texts.includes(readFileSync(path, "utf8")));
  assert.equal(statSync(path).mode & 0o777, process.platform === "win32" ? 0o666 : 0o600);
  assert.deepEqual(readdirSync(folder), ["shared.json"]);
});

test("a file that cannot be replaced stays, and no draft beside it", async () => {
  mkdirSync(join(folder, "taken", "by-a-folder"), { recursive: true });
  await assert.rejects(writeWhole(join(folder, "taken"), "text"));
  await assert.rejects(writeWhole(join(folder, "nowhere", "file"), "text"), { code: "ENOENT" });
  assert.deepEqual(readdirSync(folder).sort(), ["shared.json", "taken"]);
});
