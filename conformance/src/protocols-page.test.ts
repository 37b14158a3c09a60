// Tests the examples of docs/protocols.md on the built server.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { MODELS_FOLDER } from "./expected-digits.ts";
import { examplesOf, matches, runExample } from "./page-examples.kit.ts";
import { type ServerProcess, startServerProcess } from "./server-process.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const TOKEN = "a-token-of-some-length";
const ADDRESS = /127\.0\.0\.1:8080/g;

describe("the examples of docs/protocols.md", () => {
  const page = readFileSync(`${ROOT}/docs/protocols.md`, "utf8");
  const examples = examplesOf(page);
  const run = (command: string): Promise<string> =>
    runExample(command, { cwd: ROOT, env: { SCONCE_ADMIN_TOKEN: TOKEN } });
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
