// Tests the examples of docs/protocols.md on the built server.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { MODELS_FOLDER } from "./expected-digits.ts";
import { type ServerProcess, startServerProcess } from "./server-process.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const TOKEN = "a-token-of-some-length";
const ADDRESS = /127\.0\.0\.1:8080/g;

interface Example {
  readonly command: string;
  /** What it prints; `…` stands for anything. */
  readonly shown: string;
}

/** The commands of a page's `console` blocks, each with the lines that follow it. */
function examplesOf(page: string): Example[] {
  const examples: Example[] = [];
  for (const [, block = ""] of page.matchAll(/^```console\n([\s\S]*?)^```$/gm)) {
    for (const line of block.trimEnd().split("\n")) {
      const last = examples.at(-1);
      if (/^(curl|head) /.test(line)) examples.push({ command: line, shown: "" });
      else if (last !== undefined)
        examples[examples.length - 1] = { ...last, shown: `${last.shown}${line}\n` };
    }
  }
  return examples;
}

function matches(output: string, shown: string): boolean {
  const pattern = shown
    .trim()
    .split("…")
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replaceAll("\n", "\\r?\\n"));
  return new RegExp(`^${pattern.join("[\\s\\S]*")}$`).test(output.trim());
}

function run(command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, SCONCE_ADMIN_TOKEN: TOKEN };
    execFile("bash", ["-c", command], { cwd: ROOT, env, encoding: "utf8" }, (error, stdout) => {
      if (error === null) resolve(stdout);
      else reject(error);
    });
  });
}

describe("the examples of docs/protocols.md", () => {
  const page = readFileSync(`${ROOT}/docs/protocols.md`, "utf8");
  const examples = examplesOf(page);
  let server: ServerProcess;
  before(async () => {
    server = await startServerProcess(
      [MODELS_FOLDER, "--model-control", "explicit", "--load-models", "digits"],
      { env: { SCONCE_ADMIN_TOKEN: TOKEN } },
    );
  });
  after(() => server?.stop());

  test("each command prints what the page shows", async () => {
    assert.ok(examples.length > 15);
    const load = examples.find(({ command }) => command.includes("/load "))?.command ?? "";
    for (const { command, shown } of examples) {
      const output = await run(command.replace(ADDRESS, server.authority));
      assert.ok(matches(output, shown), `${command}\nprinted\n${output}\nthe page shows\n${shown}`);
      // The examples after this one need the model again.
      if (command.includes("/unload")) await run(load.replace(ADDRESS, server.authority));
    }
  });
});
