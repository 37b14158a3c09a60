// Tests packages/server/src/edge/torchserve against what the real TorchServe was recorded to answer (conformance/fixtures/torchserve-answers.json).
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { requirePython, runPython } from "../python.ts";
import { startServerProcess } from "../server-process.ts";
import { differences } from "./differences.ts";
import { inferenceCalls } from "./inference-calls.ts";
import { managementCalls } from "./management-calls.ts";
import type { Recorded } from "./recorded-call.ts";

const MODELS = fileURLToPath(new URL("../../../scripts/python/torchserve_models.py", import.meta.url));
const RECORDED = fileURLToPath(new URL("../../fixtures/torchserve-answers.json", import.meta.url));
const TOKEN = "the-administrators";

const ONE_PORT = "all is on one port";
const ONE_NAME = "a model has the name of its file, and version 1 unless a folder says otherwise";
const ONLY_POST = "what predicts is POST and PUT; TorchServe gives the handler a request of any method";
/** What is answered in another way on purpose, or not there yet. */
const DIFFERENT: Readonly<Record<string, string>> = {
  "POST /predictions/eager": ONE_PORT,
  "OPTIONS /": ONE_PORT,
  "GET /api-description": ONE_PORT,
  "GET /ping": ONE_PORT,
  "GET /models on the inference port": ONE_PORT,
  "DELETE /predictions/eager x (text/plain)": ONLY_POST,
  "GET /predictions/eager": ONLY_POST,
  "POST /predictions/batched a row (text/plain)": "nobody waits for others while a worker is idle",
  'POST /predictions/batched {"a":1} (application/json)': "nobody waits for others while a worker is idle",
  "predict without workers": "404",
  "POST /models?url=eager_v2.mar&initial_workers=1&synchronous=true": ONE_NAME,
  "GET /models/eager/2.0": ONE_NAME,
  "POST /predictions/eager/2.0": ONE_NAME,
  "PUT /models/eager/2.0/set-default": ONE_NAME,
  "DELETE /models/eager/2.0": ONE_NAME,
  "GET /models": ONE_NAME,
};

test("TorchServe's calls are answered as TorchServe answers them", { timeout: 600_000 }, async (t) => {
  const python = requirePython(t);
  if (python === undefined) return;
  const store = mkdtempSync(join(tmpdir(), "sconce-torchserve-"));
  t.after(() => rmSync(store, { recursive: true, force: true }));
  await runPython(python, ["-W", "ignore", MODELS, store]);
  const server = await startServerProcess(
    [store, "--python", python, "--compat", "torchserve", "--model-control", "explicit"],
    { env: { SCONCE_ADMIN_TOKEN: TOKEN }, until: "listening" },
  );
  t.after(() => server.stop("SIGKILL"));
  const { recorded } = JSON.parse(readFileSync(RECORDED, "utf8")) as {
    readonly recorded: readonly Recorded[];
  };
  const { url } = server;
  const addresses = { inference: url, management: url, metrics: url, token: TOKEN };
  const found = await differences(managementCalls(inferenceCalls(store)), recorded, addresses);
  const unexpected = found.filter(({ call }) => DIFFERENT[call] === undefined);
  assert.deepEqual(unexpected, []);
  const names = new Set(found.map(({ call }) => call));
  assert.deepEqual(
    Object.keys(DIFFERENT).filter((name) => !names.has(name)),
    [],
    "these agree: they are no differences any more",
  );
});
