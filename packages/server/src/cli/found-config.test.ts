import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { withFoundConfig } from "./found-config.ts";

test("sconce.yaml of the current folder is found, unless a file was named, or none is wanted", (t) => {
  const before = process.cwd();
  const folder = mkdtempSync(join(tmpdir(), "found-"));
  t.after(() => {
    process.chdir(before);
    rmSync(folder, { recursive: true });
  });
  process.chdir(folder);
  const flags = new Map([["--port", "0"]]);
  assert.deepEqual(withFoundConfig(flags, {}), { flags, found: undefined });
  writeFileSync("sconce.yaml", "port: 0\n");
  const found = withFoundConfig(flags, {});
  assert.deepEqual([found.found, found.flags.get("--config")], ["sconce.yaml", "sconce.yaml"]);
  assert.deepEqual(withFoundConfig(flags, { SCONCE_CONFIG: "other.yaml" }), { flags, found: undefined });
  const named = new Map([["--config", "other.yaml"]]);
  assert.deepEqual(withFoundConfig(named, {}), { flags: named, found: undefined });
  assert.deepEqual(withFoundConfig(new Map([["--config", "none"]]), {}), {
    flags: new Map(),
    found: undefined,
  });
});
