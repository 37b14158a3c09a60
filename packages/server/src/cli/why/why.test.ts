// Tests `sconce why` on servers that are slow for a reason that is known. Nothing here depends on speed but by factors of ten.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { until } from "../../base/until.kit.ts";
import { tinyOnnx } from "../../runtime/onnx/tiny-onnx.kit.ts";
import { main } from "../main.ts";
import { startPrivateServer } from "../private/private-server.ts";

const folder = mkdtempSync(join(tmpdir(), "sconce-why-"));
after(() => rmSync(folder, { recursive: true }));

/** Large enough for a run to take far longer than the way to the worker. */
const SIDE = 256;
const PRODUCTS = 8;

/** A model that multiplies a matrix by itself, again and again. */
function slowModel(name: string, batch: number | string): string {
  const dims = [batch, SIDE, SIDE];
  const nodes = Array.from({ length: PRODUCTS }, (_, i) => ({
    op: "MatMul",
    inputs: ["x", i === 0 ? "x" : `t${i}`],
    outputs: [i === PRODUCTS - 1 ? "y" : `t${i + 1}`],
  }));
  const port = { type: "FP32" as const, dims };
  return written(
    name,
    tinyOnnx({ inputs: [{ name: "x", ...port }], outputs: [{ name: "y", ...port }], nodes }),
  );
}

/** A model that does next to nothing with a tensor of that shape. */
function quickModel(name: string, shape: readonly number[]): string {
  const port = { type: "FP32" as const, dims: ["batch", ...shape] };
  const nodes = [{ op: "Relu", inputs: ["x"], outputs: ["y"] }];
  return written(
    name,
    tinyOnnx({ inputs: [{ name: "x", ...port }], outputs: [{ name: "y", ...port }], nodes }),
  );
}

function written(name: string, bytes: Uint8Array): string {
  const path = join(folder, `${name}.onnx`);
  writeFileSync(path, bytes);
  return path;
}

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function why(...args: readonly string[]): Promise<Ended> {
  let stdout = "";
  let stderr = "";
  const code = await main(["why", ...args], {
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
    env: {},
    readStdin: async () => Buffer.alloc(0),
  });
  return { code, stdout, stderr };
}

async function report(...args: readonly string[]) {
  const { code, stdout, stderr } = await why(...args, "--json");
  assert.equal(code, 0, stderr);
  const { findings, evidence } = JSON.parse(stdout);
  return { findings, evidence, ids: findings.map((finding: { id: string }) => finding.id) };
}

/** Far longer than a busy machine needs for a request that does not wait. */
const DELAY = "1s";
const ONE_BY_ONE = ["--connections", "1", "--requests", "1", "--window", "60s", "--try"];

test("a queue delay for one client: found first, and trying it without shows the gain", async () => {
  const path = quickModel("delayed", [4]);
  const { ids, findings } = await report(path, "--max-queue-delay", DELAY, ...ONE_BY_ONE);
  assert.equal(ids[0], "queue_delay");
  const { before, after, gain, helped } = findings[0].tried;
  assert.ok(
    before.meanMs >= 950 && gain === before.meanMs / after.meanMs && helped,
    JSON.stringify(findings[0]),
  );
});

test("a batch that the file fixes at 1, with many clients", async () => {
  const path = slowModel("fixed", 1);
  const { ids } = await report(path, "--protocol", "binary", "--connections", "16", "--requests", "48");
  assert.equal(ids[0], "batch_fixed");
});

test("a queue that is saturated, batches that may not grow, and more threads than there are processors", async () => {
  const path = slowModel("queued", "batch");
  const args = ["--protocol", "binary", "--connections", "16", "--requests", "48"];
  assert.ok((await report(path, ...args, "--max-batch-size", "2")).ids.includes("batch_limit"));
  const threads = String(availableParallelism() * 2);
  const { ids, findings } = await report(path, ...args, "--batching=false", "--threads", threads);
  assert.ok(ids.includes("batching_off"));
  const found = findings.find(({ id }: { id: string }) => id === "too_many_threads");
  assert.match(
    found.evidence,
    new RegExp(`1 instances × ${threads} threads share ${availableParallelism()} processors`),
  );
});

/** Stands between the command and a server: the end of its window, the second look at the metrics, comes when `isOver` says so. */
async function watched(origin: string, isOver: () => boolean) {
  let looks = 0;
  const proxy = http.createServer(async (request, response) => {
    const isLook = request.url === "/metrics";
    if (isLook && looks === 1) await until("enough was asked in the window", isOver);
    const answer = await fetch(origin + request.url);
    const body = Buffer.from(await answer.arrayBuffer());
    if (isLook) looks += 1;
    response.writeHead(answer.status, { "content-length": body.length }).end(body);
  });
  await once(proxy.listen(0, "127.0.0.1"), "listening");
  const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  return { url, hasBegun: () => looks > 0, close: () => void proxy.close() };
}

test("a running server: what its clients did in the window, in words, and nothing of what was before", async () => {
  const server = await startPrivateServer(quickModel("running", [4]), {});
  let asked = 0;
  const window = await watched(server.origin, () => asked >= 20);
  try {
    const ask = async (): Promise<void> => {
      const body = JSON.stringify({ input: [[1, 2, 3, 4]] });
      assert.ok((await fetch(`${server.origin}/predict/running`, { method: "POST", body })).ok);
    };
    for (let i = 0; i < 5; i++) await ask();
    const nobody = await why("running", "--url", server.origin, "--window", "100ms");
    assert.equal(nobody.code, 1);
    assert.match(nobody.stdout, /No inference was answered in \d+\.\d s/);
    const busy = why("running", "--url", window.url, "--window", "1s");
    await until("the window has begun", window.hasBegun);
    while (asked < 20) {
      await ask();
      asked += 1;
    }
    const { code, stdout } = await busy;
    assert.equal(code, 0, stdout);
    const answers = Number(/\n(\d+) answers in/.exec(stdout)?.[1]);
    assert.equal(answers, asked);
    for (const stage of ["receive", "decode", "queue", "batch", "transfer", "compute", "encode"]) {
      assert.match(stdout, new RegExp(`\n${stage} +\\d+\\.\\d\\d +\\d+\\.\\d\\d +\\d+\\.\\d\\d\n`));
    }
  } finally {
    window.close();
    await server.stop();
  }
});

test("a setting that a model.yaml holds: it is tried without, and that helps", async () => {
  const models = join(folder, "models");
  mkdirSync(join(models, "settled"), { recursive: true });
  renameSync(quickModel("settled", [4]), join(models, "settled", "model.onnx"));
  writeFileSync(join(models, "settled", "model.yaml"), `max_queue_delay: ${DELAY}\n`);
  const { findings } = await report(models, ...ONE_BY_ONE);
  assert.equal(findings[0].id, "queue_delay");
  assert.equal(findings[0].tried.helped, true, JSON.stringify(findings[0]));
});

test("a running server: clients that open a connection for each request, and ask for large answers packed", async () => {
  const port = { type: "FP32" as const, dims: ["batch", "n"] };
  const nodes = [{ op: "Relu", inputs: ["x"], outputs: ["y"] }];
  const model = tinyOnnx({ inputs: [{ name: "x", ...port }], outputs: [{ name: "y", ...port }], nodes });
  const server = await startPrivateServer(written("hasty", model), {});
  let rounds = 0;
  const window = await watched(server.origin, () => rounds >= 25);
  try {
    const ask = async (elements: number): Promise<void> => {
      const body = JSON.stringify({ input: [Array.from({ length: elements }, (_, i) => Math.sin(i))] });
      const headers = { "content-type": "application/json", "accept-encoding": "gzip" };
      const at = { host: "127.0.0.1", port: new URL(server.origin).port, agent: false } as const;
      const request = http.request({ ...at, path: "/predict/hasty", method: "POST", headers });
      const answered = once(request, "response") as Promise<[http.IncomingMessage]>;
      request.end(body);
      const [answer] = await answered;
      await once(answer.resume(), "end");
      assert.equal(answer.statusCode, 200);
    };
    const asked = report("hasty", "--url", window.url, "--window", "1s");
    await until("the window has begun", window.hasBegun);
    for (; rounds < 25; rounds++) for (const elements of [4, 4, 4, 4000]) await ask(elements);
    const { findings, evidence } = await asked;
    const found = findings.find(({ id }: { id: string }) => id === "connection_per_request");
    const text = /^(\d+) connections were opened for (\d+) inferences; with one of its own a request takes/;
    const [, opened, inferences] = text.exec(found?.evidence)!;
    // The command's own looks at the metrics have connections, too.
    assert.ok(Math.abs(Number(opened) - Number(inferences)) < 10, found.evidence);
    const { plain, packed, seconds } = evidence.compression;
    assert.ok(plain > packed && packed > 0 && seconds > 0, JSON.stringify(evidence.compression));
  } finally {
    window.close();
    await server.stop();
  }
});

test("a large image as JSON, and outputs that nobody needs: binary tensors and one output alone are tried on the same values", async () => {
  const port = { type: "FP32" as const, dims: ["batch", 3, 128, 128] };
  const nodes = [
    { op: "Relu", inputs: ["x"], outputs: ["y"] },
    { op: "Neg", inputs: ["x"], outputs: ["z"] },
  ];
  const outputs = ["y", "z"].map((name) => ({ name, ...port }));
  const path = written("both", tinyOnnx({ inputs: [{ name: "x", ...port }], outputs, nodes }));
  const { findings } = await report(path, "--connections", "1", "--requests", "3", "--try");
  const found = (id: string) => findings.find((finding: { id: string }) => finding.id === id);
  const { before, after } = found("json_tensors").tried;
  assert.ok(before.meanMs > 0 && after.meanMs > 0, JSON.stringify(findings));
  assert.match(found("large_outputs")?.change, /"outputs": \[\{"name": "y"\}\]/);
  assert.ok(found("large_outputs").tried.gain > 0, JSON.stringify(findings));
});

test("what can go wrong is said in words", async () => {
  assert.equal((await why()).code, 2);
  const name = await why("digits", "--try");
  assert.equal(name.code, 2);
  assert.match(name.stderr, /--try needs MODEL to be a file/);
  const remote = await why("digits", "--load", "--url", "http://192.0.2.1:8080");
  assert.equal(remote.code, 2);
  assert.match(remote.stderr, /--allow-remote/);
  const nowhere = await why("digits", "--url", "http://127.0.0.1:9");
  assert.match(nowhere.stderr, /no server answers at/);
  const broken = join(folder, "broken.onnx");
  writeFileSync(broken, "no model at all");
  const failed = await why(broken);
  assert.equal(failed.code, 1);
  assert.match(failed.stderr, /broken/);
});
