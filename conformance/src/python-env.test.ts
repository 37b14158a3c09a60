// Tests scripts/python-env.mjs.
import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

const script = fileURLToPath(new URL("../../scripts/python-env.mjs", import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), "sconce-python-env-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function pythonEnv(cache: string, requirements: string, path = process.env["PATH"]): Promise<Outcome> {
  const env = { ...process.env, PATH: path, XDG_CACHE_HOME: cache };
  return new Promise((resolve) => {
    execFile(process.execPath, [script, requirements], { env }, (error, out, err) => {
      resolve({ code: error === null ? 0 : 1, out: out.trim(), err });
    });
  });
}

function requirementsFile(name: string, text: string): string {
  const file = join(scratch, name);
  writeFileSync(file, text);
  return file;
}

const hasVenv =
  spawnSync("python3", ["-c", "import sys, ensurepip; assert sys.version_info >= (3, 11)"]).status === 0;

test("two runs at once make one environment, and a third finds it", {
  skip: !hasVenv && "no python3 with ensurepip",
}, async () => {
  const cache = join(scratch, "shared");
  const empty = requirementsFile("empty.txt", "# nothing\n");
  const [one, two] = await Promise.all([pythonEnv(cache, empty), pythonEnv(cache, empty)]);
  assert.equal(one.code, 0, one.err);
  assert.equal(two.out, one.out);
  assert.equal(`${one.err}${two.err}`.split("making a private").length - 1, 1);
  assert.equal(spawnSync(one.out, ["-c", "pass"]).status, 0);
  assert.deepEqual(await pythonEnv(cache, empty), { code: 0, out: one.out, err: "" });
  assert.equal(readdirSync(join(cache, "sconce")).length, 1);
});

test("a failed installation is a reason, and leaves nothing behind", {
  skip: !hasVenv && "no python3 with ensurepip",
}, async () => {
  const cache = join(scratch, "failed");
  const { code, out } = await pythonEnv(cache, requirementsFile("wrong.txt", "./no-such-folder\n"));
  assert.equal(code, 1);
  assert.match(out, /^no private Python environment: .+no-such-folder/);
  assert.deepEqual(readdirSync(join(cache, "sconce")), []);
});

test("without Python the reason says so", async () => {
  const { code, out } = await pythonEnv(
    join(scratch, "none"),
    requirementsFile("none.txt", ""),
    join(scratch, "empty-path"),
  );
  assert.equal(code, 1);
  assert.equal(out, "no Python 3.11 or later on this machine");
});
