// Tests the walk of somebody new, on terminals of 80 and 200 columns and through a pipe, against the transcripts in walk/: what is printed, and that it
// fits. With SCONCE_WRITE_TRANSCRIPTS=1 they are written anew.
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type RunningServer, startServer } from "../app/start-server.ts";
import { banner, readyReport } from "./banner.ts";
import { main } from "./main.ts";

const at = (path: string): string => fileURLToPath(new URL(`../../../../${path}`, import.meta.url));
const TRANSCRIPTS = at("packages/server/src/cli/walk");
const folder = mkdtempSync(join(tmpdir(), "walk-"));
const cwd = process.cwd();
let server: RunningServer;

before(async () => {
  mkdirSync(join(folder, "models"));
  copyFileSync(at("examples/models/digits.pt2"), join(folder, "models/digits.pt2"));
  copyFileSync(at("examples/digits/scans/7.png"), join(folder, "7.png"));
  writeFileSync(join(folder, "row.json"), '{"input": [[1, 2, 3]]}');
  writeFileSync(
    join(folder, "models/half.pt2"),
    readFileSync(at("examples/models/digits.pt2")).subarray(0, 20_000),
  );
  server = await startServer({ paths: [join(folder, "models")] });
  await server.settled;
  process.chdir(folder);
});

after(async () => {
  process.chdir(cwd);
  await server.stop();
  rmSync(folder, { recursive: true });
});

/** In the order in which somebody comes to them. */
const STEPS: readonly (readonly string[])[] = [
  [],
  ["srve", "models"],
  ["serve", "--help"],
  ["inspect", "models/digits.pt2"],
  ["inspect", "models"],
  ["check", "models"],
  ["serve", "nope"],
  ["serve", "models", "--port", "abc"],
  ["list"],
  ["predict", "digits", "--input", "7.png"],
  ["predict", "digits", "--input", "row.json"],
  ["quantize", "models/digits.pt2", "--int8", "-o", "small.onnx", "--exclude", "nobody"],
  ["convert", "models/half.pt2", "-o", "half.onnx"],
  ["init", "models/digits.pt2"],
];

/** What differs from run to run and from machine to machine. */
function settled(text: string): string {
  return text
    .replaceAll(server.url, "http://127.0.0.1:8080")
    .replaceAll(new URL(server.url).host, "127.0.0.1:8080")
    .replaceAll(folder, "/home/me")
    .replace(/in \d+ workers?(?: of [\d.]+ MiB)?/g, "in 1 worker")
    .replace(/after [\d.]+ s/g, "after … s")
    .replace(/\d\.\d+e-\d+/g, "…");
}

async function walked(columns: number | undefined): Promise<string> {
  const parts = [`$ sconce serve models\n${banner(server)}${readyReport(server, 400, { columns })}`];
  for (const argv of STEPS) {
    let printed = "";
    const stream = { write: (text: string) => (printed += text) };
    const asks = ["list", "predict"].includes(argv[0] ?? "") ? ["--url", server.url] : [];
    const code = await main([...argv, ...asks], {
      stdout: stream,
      stderr: stream,
      env: {},
      readStdin: async () => Buffer.alloc(0),
      ...(columns !== undefined && {
        isInteractive: true,
        columns,
        widths: { stdout: columns, stderr: columns },
      }),
    });
    // Of lists of commands and options, which others add to, the beginning is enough.
    const isList = argv.length === 0 || argv.includes("--help");
    const shown = isList ? `${printed.split("\n").slice(0, 12).join("\n")}\n…\n` : printed;
    parts.push(`$ sconce ${argv.join(" ")}\n${shown}${code === 0 ? "" : `(exit code ${code})\n`}`);
  }
  return settled(parts.join("\n"));
}

describe("the walk of somebody new", () => {
  for (const [name, columns] of [
    ["80 columns", 80],
    ["200 columns", 200],
    ["piped", undefined],
  ] as const) {
    test(name, async () => {
      const file = join(TRANSCRIPTS, `${name.replace(" ", "-")}.txt`);
      const transcript = await walked(columns);
      if (process.env["SCONCE_WRITE_TRANSCRIPTS"] === "1") {
        mkdirSync(TRANSCRIPTS, { recursive: true });
        writeFileSync(file, transcript);
      }
      assert.equal(transcript, readFileSync(file, "utf8"), "SCONCE_WRITE_TRANSCRIPTS=1 writes it anew");
      for (const line of transcript.split("\n")) {
        const isForPasting = /^(?:curl|\$) /.test(line);
        assert.ok(
          columns === undefined || isForPasting || line.length <= columns,
          `${line.length} columns: ${line}`,
        );
      }
    });
  }
});
