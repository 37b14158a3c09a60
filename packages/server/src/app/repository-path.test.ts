import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { repositoryPath } from "./repository-path.ts";

test("a name before a path is the model's; what is no name belongs to the path", () => {
  assert.deepEqual(repositoryPath("digits=/mnt/models"), { name: "digits", path: "/mnt/models" });
  assert.deepEqual(repositoryPath("digits=a=b.onnx"), { name: "digits", path: "a=b.onnx" });
  for (const path of ["/mnt/models", "=/mnt", "digits=", "a/b=c.onnx", "../x=y", ""])
    assert.deepEqual(repositoryPath(path), { path });
});

test("a file whose name has an equals sign is that file", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "paths-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const before = process.cwd();
  process.chdir(folder);
  t.after(() => process.chdir(before));
  writeFileSync("a=b.onnx", "");
  assert.deepEqual(repositoryPath("a=b.onnx"), { path: "a=b.onnx" });
});
