// Tests that every snippet of README.md and docs/ runs as it stands, in order, and prints what the page shows.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { pythonOrReason } from "../python.ts";
import { checkBlock } from "./check-block.ts";
import { partsOfPage } from "./page-blocks.ts";
import { clientsPython, pythonFor } from "./page-python.ts";
import { startPython } from "./python-zygote.ts";
import { ownServer, projectFile, ROOT, walkPage } from "./walk-page.ts";

const GENERATED = "docs/api.md";
/** Pages whose snippets another test runs, or that are made by a script. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  [GENERATED]: "made of the packages' own types by scripts/api-page.mjs",
  "docs/library.md": "conformance/src/library-page.test.ts runs its program",
  "docs/migrate-from-torchserve.md": "conformance/src/torchserve-archives.test.ts",
  "docs/protocols.md": "conformance/src/protocols-page.test.ts runs its commands",
};

const DONE = new Set(["commands", "file", "checked"]);

const pages = [
  "README.md",
  ...readdirSync(join(ROOT, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];
const folder = mkdtempSync(join(tmpdir(), "pages-"));
const python = pythonOrReason();
const ready = "path" in python ? startPython(python.path) : undefined;
after(() => {
  ready?.close();
  rmSync(folder, { recursive: true });
});

describe("every snippet runs as it stands", () => {
  for (const page of pages) {
    if (page in ELSEWHERE) continue;
    const parts = partsOfPage(projectFile(page), page);
    if (!parts.blocks.some(({ use }) => DONE.has(use.kind))) continue;
    test(page, { timeout: 600_000 }, async (t) => {
      const needsPython = parts.blocks.some(({ language }) => language === "python");
      if (needsPython && "skip" in python) return t.skip(python.skip);
      const clients = await clientsPython(parts);
      if (clients !== undefined && "skip" in clients) return t.skip(clients.skip);
      await walkPage(parts, mkdtempSync(join(folder, "page-")), {
        python: pythonFor({ ready, clients: clients?.python }),
        serve: (args, cwd, env) =>
          ownServer(
            args.map((arg) => (arg === "PYTHON" && "path" in python ? python.path : arg)),
            cwd,
            env,
          ),
      });
    });
  }
});

test("pages that are run elsewhere are still there", () => {
  for (const page of Object.keys(ELSEWHERE)) assert.ok(pages.includes(page), page);
});

test("what pages that are run elsewhere show besides is right", async () => {
  for (const page of Object.keys(ELSEWHERE).filter((name) => name !== GENERATED)) {
    for (const { use, text } of partsOfPage(projectFile(page), page).blocks)
      if (use.kind === "checked") await checkBlock(use.as, text, { folder, root: ROOT });
  }
});
