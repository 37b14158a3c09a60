// Tests scripts/system-packages.mjs, and how tests hear of what it found.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { programOrReason } from "./program.ts";

const script = fileURLToPath(new URL("../../scripts/system-packages.mjs", import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), "sconce-system-packages-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

const { programsOf, variablesOf } = (await import(script)) as {
  programsOf(sources: readonly string[]): readonly string[];
  variablesOf(program: string, found: { path?: string; skip?: string }): Record<string, string>;
};

const quoted = (word: string): string => JSON.stringify(word);

function ask(program: string): { readonly code: number | null; readonly out: string } {
  const env = { ...process.env, PATH: scratch, XDG_CACHE_HOME: scratch };
  const { status, stdout } = spawnSync(process.execPath, [script, program], { env, encoding: "utf8" });
  return { code: status, out: stdout.trim() };
}

test("a program on PATH is taken as it is; one that no table has is not installed", () => {
  const file = join(scratch, "testssl");
  writeFileSync(file, "#!/bin/sh\n");
  chmodSync(file, 0o755);
  assert.deepEqual(ask("testssl"), { code: 0, out: file });
  const unknown = ask("no-such-program");
  assert.equal(unknown.code, 1);
  assert.match(unknown.out, /^no-such-program is not in the table/);
});

test("tests name what they need in words that are found in their sources", () => {
  // Put together, or this file would ask for them as well.
  const called = [`const x = programOrReason(${quoted("zsh")});`, `programOrReason(${quoted("chromium")})`];
  assert.deepEqual(programsOf([...called, ...called]), ["zsh", "chromium"]);
});

test("tests hear where a program is, or why there is none", (t) => {
  const program = "redis-server";
  const variables = variablesOf(program, { skip: "no redis" });
  assert.deepEqual(variables, { SCONCE_TEST_REDIS_SERVER: "", SCONCE_TEST_REDIS_SERVER_SKIP: "no redis" });
  const before = { ...process.env };
  t.after(() => {
    process.env = before;
  });
  process.env["SCONCE_REQUIRE_TORCH"] = "";
  Object.assign(process.env, variables);
  assert.deepEqual(programOrReason(program), { skip: "needs redis-server: no redis" });
  process.env["SCONCE_REQUIRE_TORCH"] = "1";
  assert.throws(() => programOrReason(program), /redis-server is required: no redis/);
  Object.assign(process.env, variablesOf(program, { path: "/usr/bin/redis-server" }));
  assert.deepEqual(programOrReason(program), { path: "/usr/bin/redis-server", skip: false });
});
