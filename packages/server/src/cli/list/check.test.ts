// Tests `sconce check` and `sconce list`, which show the same rows.
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { startServer } from "../../app/start-server.ts";
import { runCommand, runCommandWith } from "../command.kit.ts";
import { inspectCommand } from "../inspect/inspect.ts";
import { serveCommand } from "../serve.ts";
import { checkCommand } from "./check.ts";
import { listCommand } from "./list.ts";
import type { ModelRow } from "./model-rows.ts";

const at = (path: string): string => fileURLToPath(new URL(`../../../../../${path}`, import.meta.url));
const DIGITS = at("examples/models/digits.pt2");
const BRANCHES = at("packages/torch/fixtures/rewrite/branches.onnx");
const folder = mkdtempSync(join(tmpdir(), "check-"));
after(() => rmSync(folder, { recursive: true }));

function layOut(name: string, files: Readonly<Record<string, string | undefined>>): string {
  const path = join(folder, name);
  mkdirSync(path);
  for (const [file, from] of Object.entries(files)) {
    if (from === undefined) writeFileSync(join(path, file), "");
    else copyFileSync(from, join(path, file));
  }
  return path;
}

describe("sconce check", () => {
  const good = layOut("good", { "digits.pt2": DIGITS });
  const broken = layOut("broken", { "digits.pt2": DIGITS, "empty.pt2": undefined });
  const odd = layOut("odd", { "branches.onnx": BRANCHES });

  test("0 and the models when all serve", async () => {
    const { code, stdout } = await runCommand(checkCommand, good, "--strict");
    assert.equal(code, 0, stdout);
    assert.match(
      stdout,
      /^digits +1 +READY\n +image: FP32 \[-1, ?1, ?8, ?8\] → probabilities: FP32 \[-1, ?10\]\n/,
    );
    assert.match(stdout, /1 model: all serve\n$/);
  });

  test("that this machine is slow is no warning of the models", async () => {
    const cell = new Int32Array(new SharedArrayBuffer(4));
    const stall = (): void => void Atomics.wait(cell, 0, 0, 700);
    const { code, stdout } = await runCommandWith({ progress: stall }, checkCommand, [good, "--strict"]);
    assert.equal(code, 0, stdout);
  });

  test("1 and the reason when one does not, or when there is none", async () => {
    const { code, stdout } = await runCommand(checkCommand, broken);
    assert.equal(code, 1);
    assert.match(stdout, /^empty +1 +UNAVAILABLE: the file is empty/m);
    assert.match(stdout, /2 models: 1 cannot be served\n$/);
    const none = await runCommand(checkCommand, layOut("none", {}));
    assert.deepEqual([none.code, none.stdout.endsWith("no model was found\n")], [1, true]);
  });

  test("options of the server count, and warnings with --strict", async () => {
    const loose = await runCommand(checkCommand, odd);
    assert.equal(loose.code, 0);
    assert.match(loose.stdout, /^warning: branches: batching is off: a branch is taken/m);
    assert.equal((await runCommand(checkCommand, odd, "--strict")).code, 1);
    assert.equal((await runCommand(checkCommand, odd, "--strict", "--inexact-batching")).code, 0);
    await assert.rejects(runCommand(checkCommand, odd, "--precision", "int3"), { reason: "bad_option" });
    const { stdout } = await runCommand(checkCommand, odd, "--json");
    const report = JSON.parse(stdout) as { isGood: boolean; rows: ModelRow[]; warnings: string[] };
    assert.deepEqual([report.isGood, report.warnings.length, report.rows[0]!.name], [true, 1, "branches"]);
    assert.match(report.rows[0]!.loaded!.batching, /^off: a branch is taken for all rows/);
  });
});

describe("what a server would start with", () => {
  const models = layOut("rehearsed", { "digits.pt2": DIGITS });
  const missing = join(folder, "nowhere");
  const keys = join(folder, "keys");
  writeFileSync(keys, JSON.stringify({ keys: [] }));
  const good = [
    "--host",
    "0.0.0.0",
    "--port",
    "8443",
    "--api-keys",
    keys,
    "--cache-store",
    "redis://10.0.0.20",
  ];

  test("is read by serve --dry-run, which serves nothing and says what it would", async () => {
    const { code, stdout } = await runCommand(serveCommand, models, "--dry-run", ...good);
    assert.equal(code, 0, stdout);
    assert.match(stdout, /^port +http:\/\/0\.0\.0\.0:8443 for REST and gRPC$/m);
    assert.match(stdout, /^callers +those with keys of .+keys$/m);
    assert.match(stdout, /^cache store +redis:\/\/10\.0\.0\.20:6379\/0, which is not asked here$/m);
    assert.match(stdout, /^digits +1 +READY$/m);
    assert.match(stdout, /^warning: keys and tokens can be read on their way/m);
    assert.match(stdout, /^1 model: all serve, \d warnings?$/m);
  });

  test("is a fault where it cannot be read: all of them are said at once, and no server would start", async () => {
    const certificate = ["--tls-cert", missing, "--tls-key", missing];
    const wrong = ["--jwt-keys", missing, "--cache-store-secret-file", missing, "--tenant-header", "a b"];
    const { code, stdout } = await runCommand(checkCommand, models, ...good, ...certificate, ...wrong);
    assert.equal(code, 2);
    for (const option of ["--tls-cert", "--jwt-keys", "--cache-store-secret-file", "--tenant-header"])
      assert.match(stdout, new RegExp(`^error: .*${option}`, "m"));
    assert.match(stdout, /^digits +1 +READY$/m, "models are looked at all the same");
    assert.match(stdout, /1 model: all serve.*; a server with these options would not start\n$/);
  });

  test("is not open to a network by mistake", async () => {
    const { code, stdout } = await runCommand(checkCommand, models, "--host", "0.0.0.0", "--json");
    assert.equal(code, 2);
    const { isGood, faults } = JSON.parse(stdout) as { isGood: boolean; faults: string[] };
    assert.equal(isGood, false);
    assert.match(faults.join(), /^--host 0\.0\.0\.0 is reachable from other machines/);
  });
});

test("a pipeline is loaded with the models of its steps, and shown with them", async () => {
  const path = layOut("piped", { "digits.pt2": DIGITS });
  const pipe = join(path, "twice");
  mkdirSync(pipe);
  writeFileSync(
    join(pipe, "model.yaml"),
    "pipeline: {steps: [{model: digits, outputs: {probabilities: first}}]}\n",
  );
  const { code, stdout } = await runCommand(checkCommand, path);
  assert.equal(code, 0, stdout);
  assert.match(stdout, /^twice +1 +READY\n +image: FP32 \[-1, ?1, ?8, ?8\] → first: FP32 \[-1, ?10\]\n/m);
  assert.match(stdout, /^ +steps {5}digits$/m);
  const inspected = await runCommand(inspectCommand, path);
  assert.match(inspected.stdout, /^twice 1 +pipeline of digits$/m);
  writeFileSync(join(pipe, "model.yaml"), "pipeline: {steps: [{model: digit}]}\n");
  assert.match(
    (await runCommand(checkCommand, path)).stdout,
    /^twice +1 +UNAVAILABLE: .*did you mean "digits"\?/m,
  );
});

describe("sconce list", () => {
  test("shows a running server's models with state, ports, batching and memory", async (t) => {
    const broken = layOut("served", { "digits.pt2": DIGITS, "half.pt2": undefined });
    const server = await startServer({ paths: [broken] });
    t.after(() => server.stop());
    await server.settled;
    const { code, stdout } = await runCommand(listCommand, "--url", server.url);
    assert.equal(code, 0);
    assert.match(stdout, /^digits +1 +READY\n +image: FP32/);
    assert.match(stdout, /^ +batching {2}up to 32 rows of a run$/m);
    assert.match(stdout, /^ +runs on {3}onnx in 1 worker.*, 54\.3 KiB of weights$/m);
    assert.match(stdout, /^half +1 +UNAVAILABLE: the file is empty/m);
    const json = await runCommand(listCommand, "--url", server.url, "--json");
    const [digits] = JSON.parse(json.stdout) as ModelRow[];
    assert.equal(digits!.loaded!.instances, 1);
    if (process.platform === "linux") assert.ok(digits!.loaded!.workerBytes! > 2 ** 20);
  });
});
