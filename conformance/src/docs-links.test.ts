// Tests README.md and docs/: their links, and that their blocks say how they are tested.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, normalize } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { partsOfPage } from "./pages/page-blocks.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Folders at the top that a path in a page may begin with. */
const TOP = ["packages", "conformance", "bench", "scripts", "docs", "examples", ".ci"] as const;
/** Written by commands, not kept. */
const WRITTEN = ["bench/results"] as const;
const PATH = new RegExp(
  `(?<![\\w./@-])(?:${TOP.join("|").replace(".", "\\.")})/[\\w./-]*[\\w/](?![\\w*<…])`,
  "g",
);

const sources = TOP.flatMap((top) =>
  readdirSync(join(ROOT, top), { recursive: true, encoding: "utf8" }).map((name) => join(top, name)),
).filter((name) => !/(?:^|\/)(?:node_modules|dist)\//.test(name));
const pages = [
  ...readdirSync(ROOT).filter((name) => name.endsWith(".md")),
  ...readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => join("docs", name)),
  ...sources.filter((name) => name.startsWith("packages/") && name.endsWith("README.md")),
];

const read = (page: string): string => readFileSync(join(ROOT, page), "utf8");

/** Inline code and fenced blocks: where pages name files. */
function codeOf(text: string): string[] {
  return [...text.matchAll(/^```[\s\S]*?^```|`[^`\n]+`/gm)].map(([code]) => code);
}

/** The anchors of a page's headings, as GitHub makes them. */
function anchorsOf(page: string): Set<string> {
  const headings = read(page).matchAll(/^#{1,6} (.+)$/gm);
  return new Set(
    [...headings].map(([, heading = ""]) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

function brokenLinks(page: string): string[] {
  const links = [...read(page).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g)];
  return links.flatMap(([link, file = "", anchor]) => {
    const target = file === "" ? page : normalize(join(dirname(page), file));
    if (!existsSync(join(ROOT, target))) return [`${page}: ${link} leads to no file`];
    if (anchor === undefined || !target.endsWith(".md") || anchorsOf(target).has(anchor)) return [];
    return [`${page}: ${link} leads to no heading`];
  });
}

/** `fixtures/NAME.py` stands for any file of that kind. */
const isPattern = (path: string): boolean => /\bNAME\b/.test(path);

/** What is compiled has its source beside it: `bench/dist/main.js` is `bench/src/main.ts`. */
function isThere(path: string): boolean {
  const source = path.replace("/dist/", "/src/").replace(/\.js$/, ".ts");
  return existsSync(join(ROOT, path)) || existsSync(join(ROOT, source));
}

test("every link between the pages leads to a file, and to a heading where it names one", () => {
  assert.deepEqual(pages.flatMap(brokenLinks), []);
});

test("every path that a page names exists", () => {
  const missing = pages.flatMap((page) => {
    const paths = codeOf(read(page)).flatMap((code) => [...code.matchAll(PATH)].map(([path]) => path));
    return paths
      .filter((path) => !isPattern(path) && !WRITTEN.some((folder) => path.startsWith(folder)))
      .filter((path) => !isThere(path))
      .map((path) => `${page}: ${path}`);
  });
  assert.deepEqual(missing, []);
});

test("every source file that a page names without its folder exists", () => {
  const missing = pages.flatMap((page) => {
    const names = codeOf(read(page)).flatMap((code) =>
      [...code.matchAll(/^`([\w./-]+\.(?:ts|mjs))`$/g)].map(([, name = ""]) => name),
    );
    return names
      .filter((name) => !/^(?:x|handler)\./.test(name)) // `x.ts` stands for any file, `handler.ts` is a user's
      .filter((name) => !sources.some((source) => source === name || source.endsWith(`/${name}`)))
      .map((name) => `${page}: ${name}`);
  });
  assert.deepEqual(missing, []);
});

/** What no test can have. All else is run, checked, shown, or run by a test that takes it from the page. */
const NOT_HERE = /^it needs (?:Docker|grpcurl)$/;
/** Made by a script, of what the compiler reads. */
const GENERATED = "docs/api.md";

test("a block that is not run needs what no test can have: mark it console, file, checked as, run by or shown", () => {
  const forUsers = pages.filter((page) => page === "README.md" || /^docs\/[^/]+\.md$/.test(page));
  for (const page of forUsers.filter((name) => name !== GENERATED)) {
    for (const { use, line } of partsOfPage(read(page), page).blocks) {
      if (use.kind === "not run") assert.match(use.reason, NOT_HERE, `${page}:${line}`);
      if (use.kind === "elsewhere") assert.ok(read(use.test).includes(basename(page)), `${page}:${line}`);
    }
  }
});
