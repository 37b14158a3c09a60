// Tests the first walk through the pages on real terminals of 80 and 200 columns: the commands of README.md and docs/commands.md as they stand there, in their
// order, against the transcripts in walk/. With SCONCE_WRITE_TRANSCRIPTS=1 they are written anew.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { commandsOf, partsOfPage } from "../pages/page-blocks.ts";
import { projectFile, ROOT } from "../pages/walk-page.ts";
import { BIN, noTerminal, onTerminal, screen } from "./terminal.kit.ts";

const TRANSCRIPTS = join(ROOT, "conformance/src/terminal/walk");
/** What needs PyTorch or a server of its own, is the shell's, or takes longer than it tells here: pages.test.ts runs it. */
const NOT_HERE = /iris|^npx sconce (?:serve|check|init|inspect .*\.pt2)|^source/;

/** The commands that a page shows. */
function commandsOfPage(page: string): string[] {
  return partsOfPage(projectFile(page), page)
    .blocks.filter(({ use }) => use.kind === "commands")
    .flatMap(({ text }) => commandsOf(text).map(({ command }) => command))
    .filter((command) => !NOT_HERE.test(command) && !command.startsWith("python "));
}

const STEPS = [...commandsOfPage("README.md"), ...commandsOfPage("docs/commands.md")];

/** An empty folder but for what pages take from the project's. */
function emptyFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "walk-"));
  symlinkSync(join(ROOT, "examples"), join(folder, "examples"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** Lines of the log, with what goes on below them: they tell times and process numbers. */
const LOG_LINES = /^\d\d:\d\d:\d\d .*\n(?: {15}.*\n)*/gm;

/** What differs from run to run and from machine to machine. */
function settled(text: string): string {
  return (
    screen(text)
      .replace(LOG_LINES, "")
      // A machine that takes long to load it says so meanwhile.
      .replace(/^loading .*; \d+ of \d+ done\n/gm, "")
      .replace(/127\.0\.0\.1:\d+/g, "127.0.0.1:8080")
      .replace(/in \d+ workers?(?: of [\d.]+ MiB)?/g, "in 1 worker")
      .replace(/after [\d.]+ s/g, "after … s")
      .replace(/\d\.\d+e-\d+/g, "…")
      // Last bits are the processor's.
      .replace(/"data":\[[^\]]*\]/g, '"data":[…]')
  );
}

function assertFits(text: string, columns: number): void {
  for (const line of text.split("\n")) {
    // What is for pasting, and what a program or a file is.
    const isWhole = /^(?:curl|\$|\{|#|[+-] ?#|note: )/.test(line);
    assert.ok(isWhole || line.length <= columns, `${line.length} columns: ${line}`);
  }
}

async function walked(t: TestContext, columns: number): Promise<string> {
  const cwd = emptyFolder(t);
  const serve = `exec ${process.execPath} ${BIN} serve examples/models --port 0`;
  const server = onTerminal(serve, { cwd, columns });
  t.after(() => server.close());
  await server.sees(/Try:\s+curl [^\n]*\n/);
  const [, authority] = /listens on http:\/\/(\S+)/.exec(server.shown())!;
  assertFits(screen(server.shown()), columns);
  // As `npx sconce` and a server at its usual place.
  const url = `http://${authority}`;
  const lines = STEPS.map((command) => {
    const isAsking = /^npx sconce predict /.test(command);
    const here = command.replaceAll("http://127.0.0.1:8080", url) + (isAsking ? ` --url ${url}` : "");
    return `echo ${quoted(`$ ${command}`)}\n${here}\necho`;
  });
  const script = join(cwd, "walk.sh");
  writeFileSync(script, `npx() { shift; ${process.execPath} ${BIN} "$@"; }\n${lines.join("\n")}\n`);
  const reader = onTerminal("exec bash walk.sh", { cwd, columns });
  t.after(() => reader.close());
  await reader.ended();
  server.type("\x03");
  assert.equal(await server.ended(), 0);
  return settled(`$ npm start\n${server.shown()}\n${reader.shown()}`);
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

describe("the walk of somebody new, at a terminal", { skip: noTerminal }, () => {
  for (const columns of [80, 200]) {
    test(`of ${columns} columns`, { timeout: 300_000 }, async (t) => {
      const transcript = await walked(t, columns);
      const file = join(TRANSCRIPTS, `${columns}-columns.txt`);
      if (process.env["SCONCE_WRITE_TRANSCRIPTS"] === "1") {
        mkdirSync(TRANSCRIPTS, { recursive: true });
        writeFileSync(file, transcript);
      }
      assert.equal(transcript, readFileSync(file, "utf8"), "SCONCE_WRITE_TRANSCRIPTS=1 writes it anew");
      assertFits(transcript, columns);
    });
  }
});
