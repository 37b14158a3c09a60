// Tests the built server: new versions under load.
import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { startServerProcess } from "./server-process.ts";
import { until } from "./until.kit.ts";

const DIGITS = fileURLToPath(new URL("../../examples/models/digits.pt2", import.meta.url));
const RELOADS = 4;
const CLIENTS = 3;

/** Puts a version in place as a careful operator does: complete, then renamed. */
function publish(root: string, version: number): void {
  const staged = join(root, `.staged-${version}`);
  mkdirSync(staged, { recursive: true });
  cpSync(DIGITS, join(staged, "model.pt2"));
  renameSync(staged, join(root, "digits", String(version)));
}

/** Puts a broken file in the place of a version's, by rename: one that is written into takes its version out of service at once. */
function breakVersion(root: string, version: number): void {
  const staged = join(root, ".staged-broken");
  writeFileSync(staged, "no model at all");
  renameSync(staged, join(root, "digits", String(version), "model.pt2"));
}

test("new versions take over under load: no request fails, versions never go back, broken ones change nothing", async () => {
  const root = mkdtempSync(join(tmpdir(), "sconce-reload-"));
  mkdirSync(join(root, "digits"));
  publish(root, 1);
  const server = await startServerProcess([root, "--model-control", "poll", "--poll-interval", "100ms"]);
  try {
    let running = true;
    let newest = 0;
    const body = JSON.stringify({
      inputs: [{ name: "image", datatype: "FP32", shape: [1, 1, 8, 8], data: new Array(64).fill(0.5) }],
    });
    const client = async (): Promise<number> => {
      let last = 0;
      let answers = 0;
      while (running) {
        const response = await fetch(`${server.url}/v2/models/digits/infer`, { method: "POST", body });
        assert.equal(response.status, 200, await response.clone().text());
        const version = Number(((await response.json()) as { readonly model_version: string }).model_version);
        assert.ok(version >= last, `version ${version} after ${last}`);
        last = version;
        newest = Math.max(newest, version);
        answers += 1;
      }
      return answers;
    };
    const clients = Array.from({ length: CLIENTS }, client);
    for (let version = 2; version <= RELOADS + 1; version++) {
      if (version === 4) breakVersion(root, 3);
      publish(root, version);
      if (version > 2) rmSync(join(root, "digits", String(version - 2)), { recursive: true });
      await Promise.race([...clients, until(`version ${version} answers`, () => newest === version)]);
      assert.equal(newest, version, "a client gave up");
    }
    running = false;
    const answers = (await Promise.all(clients)).reduce((sum, count) => sum + count, 0);
    assert.ok(answers > RELOADS, `${answers} answers`);
    const metrics = async (): Promise<string> => (await fetch(`${server.url}/metrics`)).text();
    assert.match(await metrics(), /^sconce_rows_total\{model="digits",version="5"\}/m);
    // What versions that are gone have counted would pile up with every reload.
    await until("the metrics have forgotten version 1", async () => !/version="1"/.test(await metrics()));
  } finally {
    const { code } = await server.stop();
    rmSync(root, { recursive: true, force: true });
    assert.equal(code, 0);
  }
});
