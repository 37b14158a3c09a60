// Tests the tables of CONTRIBUTING.md and docs/dev that send people to a file: it exists and holds the words beside it.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

interface Row {
  readonly line: string;
  readonly files: readonly string[];
  readonly words: readonly string[];
}

const quoted = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, text = ""]) => text);

/** Rows of three cells, the second of which names files and the third what to look for in them. */
function rowsOf(page: string): Row[] {
  const lines = readFileSync(join(ROOT, page), "utf8").match(/^\|[^|]+\|[^|]+\|[^|]+\|$/gm) ?? [];
  return lines
    .map((line) => {
      const [, , files = "", words = ""] = line.split("|");
      return { line, files: quoted(files), words: quoted(words) };
    })
    .filter(({ files }) => files.some((file) => /^[\w.-]+\/.*\.\w+$/.test(file)));
}

/** What is wrong with a row; undefined: nothing. */
function problemOf({ line, files, words }: Row): string | undefined {
  if (words.length === 0) return `${line}: says nothing to look for`;
  const missing = files.find((file) => !existsSync(join(ROOT, file)) || !statSync(join(ROOT, file)).isFile());
  if (missing !== undefined) return `${line}: ${missing} is not a file`;
  const texts = files.map((file) => readFileSync(join(ROOT, file), "utf8"));
  const strange = words.find((word) => !texts.some((text) => text.includes(word)));
  if (strange !== undefined) return `${line}: ${strange} stands in none of its files`;
  const idle = files.find((_, index) => !words.some((word) => texts[index]!.includes(word)));
  return idle === undefined ? undefined : `${line}: ${idle} holds none of the words`;
}

const howTos = readdirSync(join(ROOT, "docs/dev"))
  .filter((name) => name.startsWith("add-"))
  .map((name) => `docs/dev/${name}`);

for (const page of ["CONTRIBUTING.md", "docs/dev/architecture.md", ...howTos]) {
  test(`${page} sends people to files that hold what it says`, () => {
    const rows = rowsOf(page);
    assert.ok(rows.length >= 4, `${page} has ${rows.length} rows with files`);
    assert.deepEqual(
      rows.map(problemOf).filter((problem) => problem !== undefined),
      [],
    );
  });
}
