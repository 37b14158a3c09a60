// Tests the traces of the built server against a collector made from OpenTelemetry's own protocol files.
import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { expectedDigits, MODELS_FOLDER, nestedImage } from "../expected-digits.ts";
import { protoClient } from "../grpc-client.ts";
import { startServerProcess } from "../server-process.ts";
import { until } from "../until.kit.ts";
import { type Collector, type ReceivedSpan, startCollector } from "./otlp-collector.kit.ts";

const image = nestedImage(expectedDigits().digits[0]!);
const pixels = image.flat(2) as number[];
const SERVER = "SPAN_KIND_SERVER";
const STAGES = ["receive", "decode", "queue", "batch", "transfer", "compute", "encode"];

function modelsFolder(t: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), "sconce-tracing-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  mkdirSync(join(root, "gathers"));
  cpSync(join(MODELS_FOLDER, "digits.pt2"), join(root, "gathers", "model.pt2"));
  writeFileSync(join(root, "gathers", "model.yaml"), "max_batch_size: 4\nmax_queue_delay: 60s\n");
  mkdirSync(join(root, "plain"));
  cpSync(join(MODELS_FOLDER, "digits.pt2"), join(root, "plain", "model.pt2"));
  return root;
}

const traceId = (n: number): string => String(n).repeat(32);
const parentId = (n: number): string => String(n).repeat(16);
const traceparent = (n: number, flags = "01"): string => `00-${traceId(n)}-${parentId(n)}-${flags}`;

/** Four requests for one batch, each in another way, each from another trace. */
async function sendFour(url: string, authority: string): Promise<void> {
  const post = async (path: string, body: unknown, n: number): Promise<void> => {
    const headers = {
      traceparent: traceparent(n),
      tracestate: "vendor=x",
      "content-type": "application/json",
    };
    const response = await fetch(`${url}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
    assert.equal(response.status, 200, await response.text());
  };
  const client = protoClient({
    proto: "inference/grpc_service.proto",
    service: "inference.GRPCInferenceService",
    target: authority,
  });
  const metadata = (await (await fetch(`${url}/v2/models/gathers`)).json()) as {
    readonly inputs: readonly { readonly name: string; readonly shape: readonly number[] }[];
  };
  const { name } = metadata.inputs[0]!;
  const shape = [1, 1, 8, 8].slice(-metadata.inputs[0]!.shape.length);
  try {
    await Promise.all([
      post("/predict/gathers", { input: image }, 1),
      post("/v2/models/gathers/infer", { inputs: [{ name, datatype: "FP32", shape, data: pixels }] }, 2),
      post("/v1/models/gathers:predict", { instances: [image] }, 3),
      client.unary(
        "ModelInfer",
        {
          modelName: "gathers",
          inputs: [{ name, datatype: "FP32", shape, contents: { fp32Contents: pixels } }],
        },
        { traceparent: traceparent(4) },
      ),
    ]);
  } finally {
    client.close();
  }
}

function serverSpan(collector: Collector, n: number): ReceivedSpan | undefined {
  return collector.spans.find((span) => span.traceId === traceId(n) && span.kind === SERVER);
}

async function checkFour(collector: Collector): Promise<void> {
  await until(
    "the collector has four requests and their run",
    () =>
      [1, 2, 3, 4].every((n) => serverSpan(collector, n) !== undefined) &&
      collector.spans.some(({ name }) => name === "run gathers"),
  );
  const run = collector.spans.find(({ name }) => name === "run gathers")!;
  const requests = [1, 2, 3, 4].map((n) => serverSpan(collector, n)!);
  assert.deepEqual(
    run.links.map(({ traceId: trace, spanId }) => `${trace}/${spanId}`).sort(),
    requests.map(({ traceId: trace, spanId }) => `${trace}/${spanId}`).sort(),
  );
  assert.equal(run.attributes["sconce.batch.rows"], 4);
  assert.equal(run.attributes["sconce.batch.requests"], 4);
  for (const [i, request] of requests.entries()) {
    assert.equal(request.parentSpanId, parentId(i + 1));
    assert.deepEqual(
      request.links.map(({ traceId: trace, spanId }) => [trace, spanId]),
      [[run.traceId, run.spanId]],
    );
    assert.equal(request.attributes["sconce.model.name"], "gathers");
    assert.equal(request.attributes["sconce.model.version"], "1");
    assert.equal(request.attributes["sconce.request.rows"], 1);
    assert.equal(request.attributes["sconce.batch.rows"], 4);
    assert.equal(request.status, "STATUS_CODE_UNSET");
    checkStages(collector, request);
  }
  assert.deepEqual(
    requests.map(({ name }) => name),
    [
      "POST /predict/{model}",
      "POST /v2/models/{model}/infer",
      "POST /v1/models/{model}:predict",
      "inference.GRPCInferenceService/ModelInfer",
    ],
  );
  assert.equal(requests[0]!.traceState, "vendor=x");
  assert.equal(requests[0]!.attributes["http.request.method"], "POST");
  assert.equal(requests[0]!.attributes["http.response.status_code"], 200);
  assert.equal(requests[3]!.attributes["rpc.system"], "grpc");
  assert.equal(requests[3]!.attributes["rpc.grpc.status_code"], 0);
}

/** Its stages are its children, follow one another, and lie within it. */
function checkStages(collector: Collector, request: ReceivedSpan): void {
  const stages = collector.spans.filter(({ parentSpanId }) => parentSpanId === request.spanId);
  assert.deepEqual(
    stages.map(({ name }) => name),
    STAGES,
  );
  let beforeNanos = request.startNanos;
  for (const { name, startNanos, endNanos, traceId: trace } of stages) {
    assert.equal(trace, request.traceId);
    assert.ok(startNanos >= beforeNanos - 2000n, `${name} begins before the stage before it ends`);
    assert.ok(endNanos >= startNanos, name);
    beforeNanos = endNanos;
  }
  assert.ok(beforeNanos <= request.endNanos + 2000n, "the last stage ends within the request");
}

describe("traces", () => {
  for (const protocol of ["http/protobuf", "grpc"] as const) {
    test(`a collector over ${protocol} gets the spans of a batch of four with their links`, async (t) => {
      const collector = await startCollector();
      t.after(() => collector.close());
      // The first export is asked to come again.
      collector.refuse(503);
      const server = await startServerProcess(
        [
          modelsFolder(t),
          ...["--traces-endpoint", protocol === "grpc" ? collector.grpcUrl : collector.httpUrl],
          ...["--traces-protocol", protocol, "--trace-sampling", "0%"],
        ],
        { env: { OTEL_EXPORTER_OTLP_HEADERS: "x-key=a%20b", OTEL_SERVICE_NAME: "digits" } },
      );
      t.after(() => server.stop());
      await sendFour(server.url, server.authority);
      await checkFour(collector);
      assert.equal(collector.headers["x-key"], "a b");
      assert.equal(collector.spans[0]!.resource["service.name"], "digits");
      assert.ok(collector.exports >= 2, "the first export came again");
      const counted = `sconce_trace_spans_total{result="exported"} ${collector.spans.length}\n`;
      await until("all spans are counted", async () =>
        (await (await fetch(`${server.url}/metrics`)).text()).includes(counted),
      );
    });
  }

  test("with --edges 2 as well", async (t) => {
    const collector = await startCollector();
    t.after(() => collector.close());
    const server = await startServerProcess([
      modelsFolder(t),
      ...["--edges", "2", "--traces-endpoint", collector.httpUrl, "--trace-sampling", "0%"],
    ]);
    t.after(() => server.stop());
    await sendFour(server.url, server.authority);
    await checkFour(collector);
  });

  test("failures, the log, exemplars and the drain", async (t) => {
    const collector = await startCollector();
    t.after(() => collector.close());
    const server = await startServerProcess([
      modelsFolder(t),
      ...["--access-log", "--log-format", "json", "--traces-endpoint", collector.httpUrl],
    ]);
    t.after(() => server.stop());
    const ask = async (headers: Readonly<Record<string, string>>, body: string): Promise<string> => {
      const response = await fetch(`${server.url}/predict/plain`, { method: "POST", headers, body });
      await response.text();
      return response.headers.get("x-request-id")!;
    };
    const good = JSON.stringify({ input: image });
    const lines = (): readonly Readonly<Record<string, unknown>>[] =>
      server
        .output()
        .split("\n")
        .filter((line) => line.startsWith("{"))
        .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
    const traceInLog = (id: string): unknown =>
      lines().find(({ requestId }) => requestId === id)?.["trace_id"];

    const malformed = await ask({ traceparent: `${traceparent(5)}-more` }, "{");
    const unsampled = await ask({ traceparent: traceparent(6, "00") }, good);
    const sampled = await ask({ traceparent: traceparent(7) }, good);
    const client = protoClient({
      proto: "inference/grpc_service.proto",
      service: "inference.GRPCInferenceService",
      target: server.authority,
    });
    t.after(() => client.close());
    await assert.rejects(
      client.unary(
        "ModelInfer",
        { modelName: "nobody" },
        { traceparent: traceparent(8), "x-request-id": "g" },
      ),
    );
    const response = await fetch(`${server.url}/metrics`, {
      headers: { accept: "application/openmetrics-text" },
    });
    assert.match(
      await response.text(),
      new RegExp(
        `_bucket\\{[^}]*stage="compute",le="[^"]+"\\} [0-9]+ # \\{trace_id="${traceId(7)}"\\} [0-9.e-]+\n`,
      ),
    );
    assert.doesNotMatch(await (await fetch(`${server.url}/metrics`)).text(), /trace_id/);
    // What waits is sent before the server ends.
    await server.stop();

    const failed = collector.spans.find(({ attributes }) => attributes["sconce.request.id"] === malformed)!;
    assert.equal(failed.parentSpanId, "");
    assert.notEqual(failed.traceId, traceId(5));
    assert.equal(failed.attributes["error.type"], "bad_json");
    assert.equal(failed.attributes["http.response.status_code"], 400);
    assert.equal(failed.status, "STATUS_CODE_UNSET");
    assert.equal(traceInLog(malformed), failed.traceId);
    assert.equal(traceInLog(unsampled), traceId(6));
    assert.equal(serverSpan(collector, 6), undefined);
    assert.equal(traceInLog(sampled), traceId(7));
    assert.equal(serverSpan(collector, 7)!.attributes["http.route"], "/predict/{model}");
    const unknown = serverSpan(collector, 8)!;
    assert.equal(unknown.attributes["rpc.grpc.status_code"], 5);
    assert.equal(unknown.attributes["error.type"], "model_not_found");
    assert.equal(traceInLog("g"), traceId(8));
  });

  test("a collector that is not there costs no request anything, nor a drain more than its bound", async (t) => {
    const server = await startServerProcess([modelsFolder(t), "--traces-endpoint", "http://127.0.0.1:1"]);
    t.after(() => server.stop());
    for (let i = 0; i < 20; i++) {
      const body = JSON.stringify({ input: image });
      const response = await fetch(`${server.url}/predict/plain`, { method: "POST", body });
      assert.equal(response.status, 200, await response.text());
    }
    await until("the log says that traces cannot be exported", () =>
      server.output().includes("traces cannot be exported"),
    );
    assert.equal((await server.stop()).code, 0);
  });
});
