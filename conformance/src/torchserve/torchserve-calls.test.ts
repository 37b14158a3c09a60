// Tests packages/server/src/edge/torchserve against what the real TorchServe was recorded to answer (conformance/fixtures/torchserve-answers.json).
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { runExample } from "../page-examples.kit.ts";
import { commandsOf, partsOfPage } from "../pages/page-blocks.ts";
import { projectFile } from "../pages/walk-page.ts";
import { requirePython, runPython } from "../python.ts";
import { startServerProcess } from "../server-process.ts";
import { type RecordedGrpcAnswer, torchserveClients } from "./ask-grpc.ts";
import { CONTINUOUS_CALLS } from "./continuous-calls.ts";
import { differences } from "./differences.ts";
import { GRPC_CALLS } from "./grpc-calls.ts";
import { inferenceCalls } from "./inference-calls.ts";
import { managementCalls } from "./management-calls.ts";
import { measuredMetrics } from "./measured-metrics.ts";
import type { Recorded } from "./recorded-call.ts";
import { torchserveAddresses } from "./torchserve-addresses.ts";
import { WORKFLOW_CALLS } from "./workflow-calls.ts";

const MODELS = fileURLToPath(new URL("../../../scripts/python/torchserve_models.py", import.meta.url));
const WORKFLOWS = fileURLToPath(new URL("../../../scripts/python/torchserve_workflows.py", import.meta.url));
const RECORDED_WORKFLOWS = fileURLToPath(
  new URL("../../fixtures/torchserve-workflows.json", import.meta.url),
);
const RECORDED = fileURLToPath(new URL("../../fixtures/torchserve-answers.json", import.meta.url));
const RECORDED_METRICS = fileURLToPath(new URL("../../fixtures/torchserve-metrics.json", import.meta.url));
const BIN = fileURLToPath(new URL("../../../packages/server/bin/sconce.js", import.meta.url));
const TOKEN = "the-administrators";

const ONE_NAME = "a model has the name of its file, and version 1 unless a folder says otherwise";
const ONLY_POST = "what predicts is POST and PUT; TorchServe gives the handler a request of any method";
const NOT_INTERNAL =
  "what does not exist is NOT_FOUND; TorchServe says INTERNAL here and NOT_FOUND elsewhere";
/** What is answered in another way on purpose, or not there yet. */
const DIFFERENT: Readonly<Record<string, string>> = {
  "DELETE /predictions/eager x (text/plain)": ONLY_POST,
  "GET /predictions/eager": ONLY_POST,
  "POST /models?url=eager_v2.mar&initial_workers=1&synchronous=true": ONE_NAME,
  "GET /models/eager/2.0": ONE_NAME,
  "POST /predictions/eager/2.0": ONE_NAME,
  "PUT /models/eager/2.0/set-default": ONE_NAME,
  "DELETE /models/eager/2.0": ONE_NAME,
  "GET /models": ONE_NAME,
};
/** The same over gRPC. */
const DIFFERENT_OVER_GRPC: Readonly<Record<string, string>> = {
  "ListModels {}": "no limit is the largest, and not none",
  'RegisterModel {"url":"orders.mar","initialWorkers":1,"synchronous":true}':
    "TorchServe has no code for what is there already",
  "Predictions orders 9.0 text": NOT_INTERNAL,
  "Predictions nobody  text": NOT_INTERNAL,
  "StreamPredictions orders  text": "TorchServe ends a stream of one piece with an error",
};
/** The same of workflows. */
const DIFFERENT_WORKFLOWS: Readonly<Record<string, string>> = {};

test("TorchServe's calls are answered as TorchServe answers them", { timeout: 600_000 }, async (t) => {
  const python = requirePython(t);
  if (python === undefined) return;
  const store = mkdtempSync(join(tmpdir(), "sconce-torchserve-"));
  t.after(() => rmSync(store, { recursive: true, force: true }));
  await runPython(python, ["-W", "ignore", MODELS, store]);
  const server = await startServerProcess(
    [
      ...[store, "--python", python, "--compat", "torchserve", "--model-control", "explicit"],
      ...["--torchserve-metrics", join(store, "metrics.yaml")],
    ],
    { env: { SCONCE_ADMIN_TOKEN: TOKEN }, until: "listening" },
  );
  t.after(() => server.stop("SIGKILL"));
  const { recorded, grpc: recordedOverGrpc } = JSON.parse(readFileSync(RECORDED, "utf8")) as {
    readonly recorded: readonly Recorded[];
    readonly grpc: readonly { readonly call: string; readonly answer: RecordedGrpcAnswer }[];
  };
  const { management, metrics, grpcInference, grpcManagement } = torchserveAddresses(server.output());
  const addresses = {
    inference: server.url,
    management: `http://${management}`,
    metrics: `http://${metrics}`,
    token: TOKEN,
  };

  await t.test("over HTTP", async () => {
    const found = await differences(managementCalls(inferenceCalls(store)), recorded, addresses);
    assertExpected(found, DIFFERENT);
    await fetch(`${addresses.management}/models/eager_v2`, {
      method: "DELETE",
      headers: { authorization: `Bearer ${TOKEN}` },
    });
  });

  await t.test("over gRPC", async () => {
    const clients = torchserveClients({ inference: grpcInference, management: grpcManagement }, TOKEN);
    const found = [];
    for (const [index, call] of GRPC_CALLS.entries()) {
      const actual = await clients.ask(call);
      const { call: name, answer: expected } = recordedOverGrpc[index]!;
      assert.equal(name, call.name, "record again");
      if (!isDeepStrictEqual(actual, expected)) found.push({ call: name, actual, expected });
    }
    clients.close();
    assertExpected(found, DIFFERENT_OVER_GRPC);
  });

  await t.test("workflows", async () => {
    await runPython(python, [WORKFLOWS, store]);
    const { recorded } = JSON.parse(readFileSync(RECORDED_WORKFLOWS, "utf8")) as {
      readonly recorded: readonly Recorded[];
    };
    assertExpected(await differences(WORKFLOW_CALLS, recorded, addresses), DIFFERENT_WORKFLOWS);
  });

  await t.test("the numbers that a handler reports", async () => {
    const { metrics: expected } = JSON.parse(readFileSync(RECORDED_METRICS, "utf8")) as {
      readonly metrics: readonly string[];
    };
    assert.deepEqual(await measuredMetrics(addresses), expected);
  });

  await t.test("continuousBatching: requests join those that run, and leave when they are done", async () => {
    const { continuous } = JSON.parse(readFileSync(RECORDED_METRICS, "utf8")) as {
      readonly continuous: readonly Recorded[];
    };
    assertExpected(await differences(CONTINUOUS_CALLS, continuous, addresses), {});
    const description = await fetch(`${addresses.management}/models/continuous`);
    const [described] = (await description.json()) as readonly Record<string, unknown>[];
    assert.deepEqual([described!["continuousBatching"], described!["batchSize"]], [true, 4]);
    const ask = (body: string): Promise<Response> =>
      fetch(`${server.url}/predictions/continuous`, { method: "POST", body });
    // As many as run at once; they go on until somebody joins, and their clients leave.
    const client = new AbortController();
    const leaving = { method: "POST", body: "wait", signal: client.signal };
    await Promise.all(
      Array.from({ length: 4 }, () => fetch(`${server.url}/predictions/continuous`, leaving)),
    );
    client.abort();
    assert.equal(await (await ask("3")).text(), "3 2 1 ", "there is room again");
    // It goes on until another request has joined it; its first piece is there.
    const waiting = await ask("wait");
    assert.equal(await (await ask("join")).text(), "1 ");
    assert.match(await waiting.text(), /^2147483648 2147483647 (.* )?$/);
  });

  await t.test("metrics and management have ports of their own, and nothing else is there", async () => {
    assert.match(await (await fetch(`${addresses.metrics}/metrics`)).text(), /sconce_inferences_total/);
    for (const path of ["/ping", "/models", "/v2", "/predictions/eager"])
      assert.equal((await fetch(`${addresses.metrics}${path}`)).status, 404, path);
    for (const path of ["/ping", "/v2/models", "/"])
      assert.equal((await fetch(`${addresses.management}${path}`)).status, path === "/" ? 405 : 404, path);
    const { message } = (await (await fetch(`${server.url}/no/such/url`)).json()) as {
      readonly message: string;
    };
    assert.equal(message, "Requested resource is not found, please refer to API document.");
  });

  await t.test("docs/migrate-from-torchserve.md shows what sconce migrate prints", async () => {
    const folder = join(store, "page");
    mkdirSync(join(folder, "store"), { recursive: true });
    for (const name of ["eager.mar", "scripted.mar"])
      copyFileSync(join(store, name), join(folder, "store", name));
    const { blocks } = partsOfPage(projectFile("docs/migrate-from-torchserve.md"), "the page");
    const file = blocks.find(({ use }) => use.kind === "file")!;
    writeFileSync(join(folder, "config.properties"), file.text);
    const commands = blocks.flatMap(({ use, text }) => (use.kind === "commands" ? commandsOf(text) : []));
    const { shown } = commands.find(({ command }) => command === "sconce migrate store")!;
    const printed = await runExample(`"${process.execPath}" "${BIN}" migrate store`, {
      cwd: folder,
    });
    assert.equal(printed.trim(), shown.trim());
  });

  await t.test("all ports close when the server ends", async () => {
    assert.equal((await server.stop()).code, 0);
    for (const url of [server.url, addresses.management, addresses.metrics, `http://${grpcInference}`])
      await assert.rejects(fetch(url), url);
  });
});

function assertExpected(
  found: readonly { readonly call: string }[],
  different: Readonly<Record<string, string>>,
): void {
  const unexpected = found.filter(({ call }) => different[call] === undefined);
  assert.deepEqual(unexpected, []);
  const names = new Set(found.map(({ call }) => call));
  assert.deepEqual(
    Object.keys(different).filter((name) => !names.has(name)),
    [],
    "these agree: they are no differences any more",
  );
}
