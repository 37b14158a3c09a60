import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Terminal } from "./command.ts";
import { COMMANDS, main } from "./main.ts";

async function run(
  argv: readonly string[],
  columns?: number,
  env: Terminal["env"] = {},
): Promise<{ code: number; text: string }> {
  let text = "";
  const out = { write: (part: string) => (text += part) };
  const terminal: Terminal = {
    stdout: out,
    stderr: out,
    env,
    columns,
    readStdin: async () => Buffer.alloc(0),
  };
  return { code: await main(argv, terminal), text };
}

describe("help", () => {
  for (const columns of [40, 80, 200, undefined]) {
    test(`at ${columns ?? "an unknown number of"} columns: no line is longer, no word divided`, async () => {
      const width = Math.min(columns ?? 100, 100);
      const words = new Set((await run(["serve", "--help"], 200)).text.split(/\s+/));
      for (const argv of [["--help"], ...Array.from(COMMANDS.keys(), (name) => [name, "--help"])]) {
        const { code, text } = await run(argv, columns);
        assert.equal(code, 0);
        for (const line of text.split("\n")) {
          // One word that does not fit is left whole, and so is what an option takes.
          const isWhole = !/\S\s+\S/.test(line.trim()) || /^ {2}--/.test(line);
          assert.ok(line.length <= width || isWhole, line);
        }
        if (argv[0] === "serve") for (const word of text.split(/\s+/)) assert.ok(words.has(word), word);
      }
    });
  }

  test("is found under every spelling", async () => {
    const { text } = await run(["convert", "--help"]);
    for (const argv of [
      ["help", "convert"],
      ["convert", "-h"],
      ["convert", "x", "--help"],
    ])
      assert.equal((await run(argv)).text, text);
    assert.match(
      (await run(["convert", "--", "--help"])).text,
      /--help: no such file|-o OUT\.onnx is missing/,
    );
  });
});

test("a variable that is called like one of Sconce's and is none is told by every command", async () => {
  const env = { SCONCE_PROT: "1", SCONCE_KEY: "a client's", SCONCE_TEST_PYTHON: "python3" };
  const { text } = await run(["completion", "bash"], undefined, env);
  const warned = text.match(/^warning: .*$/gm);
  assert.deepEqual(warned, [
    "warning: the environment variable SCONCE_PROT has no effect; did you mean SCONCE_PORT?",
  ]);
});

test("under a Node that is too old one line says which it takes", () => {
  const bin = fileURLToPath(new URL("../../bin/sconce.js", import.meta.url));
  for (const [node, code] of [
    ["18.20.8", 1],
    ["20.18.3", 1],
    ["20.19.0", 0],
  ] as const) {
    const pretend = `data:text/javascript,Object.defineProperty(process, "versions", { value: { ...process.versions, node: "${node}" } })`;
    const { status, stderr } = spawnSync(process.execPath, ["--import", pretend, bin, "--help"], {
      encoding: "utf8",
    });
    assert.equal(status, code, stderr);
    assert.equal(stderr, code === 0 ? "" : `sconce: this is Node ${node}, and it takes 20.19 or later\n`);
  }
});
