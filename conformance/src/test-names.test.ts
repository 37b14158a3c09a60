// Tests the names of test files and their helpers, in all packages.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const FOLDERS = [
  "packages/protocol/src",
  "packages/client/src",
  "packages/torch/src",
  "packages/server/src",
  "conformance/src",
];
const SUITE_CALL = /^\s*(?:test|it|describe)(?:\.\w+)?\(/m;

interface Source {
  readonly path: string;
  readonly text: string;
}

const files: readonly Source[] = FOLDERS.flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => join(folder, name))
    .map((path) => ({ path, text: readFileSync(join(root, path), "utf8") })),
);
const tests = files.filter(({ path }) => path.endsWith(".test.ts"));

function pathsOf(sources: readonly Source[]): string[] {
  return sources.map(({ path }) => path);
}

test("a name has one ending: x.ts, x.test.ts for its test, x.kit.ts for what tests share", () => {
  const odd = files.filter(
    ({ path }) => !/\/[a-z0-9-]+(?:\.test|\.kit)?\.ts$/.test(path) && !path.includes("/gen/"),
  );
  assert.deepEqual(pathsOf(odd), [], "files with another ending");
});

test("x.test.ts lies beside x.ts, or its first line says what it tests", () => {
  const lost = tests.filter(
    ({ path, text }) =>
      !existsSync(join(root, path.replace(/\.test\.ts$/, ".ts"))) && !text.startsWith("// Tests "),
  );
  assert.deepEqual(pathsOf(lost), [], 'tests without a subject; begin them with "// Tests …"');
});

test("what is called a test has tests, and nothing else has", () => {
  const empty = tests.filter(({ text }) => !SUITE_CALL.test(text));
  assert.deepEqual(pathsOf(empty), [], "helpers that are called tests; name them x.kit.ts");
  const hidden = files.filter(
    ({ path, text }) => !path.endsWith(".test.ts") && /import .*\btest\b.* from "node:test"/.test(text),
  );
  assert.deepEqual(pathsOf(hidden), [], "tests that no runner finds");
});

test("the packages import neither tests nor kits outside of them", () => {
  const leaks = files.filter(
    ({ path, text }) =>
      path.startsWith("packages/") &&
      !/\.(?:test|kit)\.ts$/.test(path) &&
      /from "[^"]*\.(?:test|kit)\.(?:ts|js)"/.test(text),
  );
  assert.deepEqual(pathsOf(leaks), [], "published files that need a test helper");
});
