// Tests the names of files and of what they export against the words that docs/dev/glossary.md rules out.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { productSources } from "./structure/imports.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const glossary = readFileSync(join(ROOT, "docs/dev/glossary.md"), "utf8");
const retired = new Set(
  /^## Words that do not come back\n[\s\S]*?\*([a-z, ]+)\*/m.exec(glossary)?.[1]?.split(", "),
);
const files = ["protocol", "client", "torch", "server"]
  .flatMap((name) => productSources(ROOT, `packages/${name}/src`))
  .filter((file) => !file.includes("/gen/"));

/** The words of `kebab-case` and `camelCase`, each in its singular. */
function wordsOf(name: string): string[] {
  const words = name
    .replace(/([a-z\d])([A-Z])/g, "$1-$2")
    .toLowerCase()
    .split(/[^a-z\d]+/);
  return words.map((word) => word.replace(/(?<!s)s$/, ""));
}

const uses = (name: string): boolean => wordsOf(name).some((word) => retired.has(word));

test("the glossary says which words do not come back", () => {
  assert.ok(retired.size >= 10, `it lists ${retired.size}`);
});

test("no file is called by a word that the glossary rules out", () => {
  assert.deepEqual(
    files.filter((file) => uses(basename(file, ".ts"))),
    [],
  );
});

test("nothing that a file exports is called by a word that the glossary rules out", () => {
  const found = files.flatMap((file) => {
    const names = readFileSync(join(ROOT, file), "utf8").matchAll(
      /^export (?:abstract |async )?(?:interface|type|class|function|const) (\w+)/gm,
    );
    return [...names]
      .map(([, name = ""]) => name)
      .filter(uses)
      .map((name) => `${file}: ${name}`);
  });
  assert.deepEqual(found, []);
});
