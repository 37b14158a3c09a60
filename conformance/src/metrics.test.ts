// Tests the built server: what `/metrics` counts, and how it is spelled.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type ChaosServer, startChaosServer } from "./chaos/chaos-server.ts";
import { createModelFolder, type ModelFolder } from "./chaos/model-folder.ts";
import { ROW_BYTES } from "./chaos/row.ts";
import { type ProtoClient, protoClient } from "./grpc-client.ts";
import { lintMetrics } from "./metrics-lint.kit.ts";
import { until } from "./until.kit.ts";

/** Longer than the tests take. */
const RUN_MS = 600_000;
const INPUT = { name: "x", datatype: "UINT8", shape: [1, ROW_BYTES] };
const ROW = JSON.stringify({ inputs: [{ ...INPUT, data: new Array(ROW_BYTES).fill(1) }] });

describe("metrics", () => {
  let folder: ModelFolder;
  let server: ChaosServer;
  let client: ProtoClient;

  before(async () => {
    folder = createModelFolder();
    folder.publish("fast", 1, { model: {}, options: {} });
    folder.publish("slow", 1, {
      model: { sleepMs: RUN_MS },
      options: { max_batch_size: 1, warmup_runs: 0 },
    });
    folder.publishFiles("broken", 1, { "model.onnx": "no model at all" });
    server = await startChaosServer(folder.path, [
      "--readiness=settled",
      "--triton-metrics=true",
      "--drain-timeout=100ms",
    ]);
    client = protoClient({
      proto: "inference/grpc_service.proto",
      service: "inference.GRPCInferenceService",
      target: new URL(server.url).host,
    });
  });

  after(async () => {
    client?.close();
    await server?.stop();
    folder?.remove();
  });

  const get = async (accept = "*/*"): Promise<Response> =>
    fetch(`${server.url}/metrics`, { headers: { accept } });
  const rest = async (model: string, headers: Readonly<Record<string, string>> = {}): Promise<number> => {
    const url = `${server.url}/v2/models/${model}/infer`;
    return (await fetch(url, { method: "POST", body: ROW, headers })).status;
  };
  const grpc = (model: string, headers: Readonly<Record<string, string>> = {}): Promise<unknown> =>
    client
      .unary(
        "ModelInfer",
        { modelName: model, inputs: [INPUT], rawInputContents: [Buffer.alloc(ROW_BYTES)] },
        headers,
      )
      .catch((error: unknown) => error);
  /** Codes by protocol of one model's inferences, with their counts. */
  const ends = async (model: string): Promise<readonly string[]> => {
    const text = await (await get()).text();
    const lines = text.matchAll(
      /^sconce_inferences_total\{model="([^"]*)",protocol="(\w+)",code="(\w+)"\} (\d+)$/gm,
    );
    return Array.from(lines)
      .filter(([, name]) => name === model)
      .map(([, , protocol, code, count]) => `${protocol} ${code} ${count}`)
      .sort();
  };

  test("a model that never answered fails under its own name; names of no model share one", async () => {
    await Promise.all([
      rest("broken"),
      grpc("broken"),
      rest("made-up"),
      rest("made%20up"),
      grpc("made-up-2"),
    ]);
    assert.deepEqual(await ends("broken"), ["grpc unavailable 1", "rest unavailable 1"]);
    assert.deepEqual(await ends("unknown"), ["grpc not_found 1", "rest not_found 2"]);
    assert.deepEqual(await ends("made-up"), []);
  });

  test("a passed deadline is deadline_exceeded on both protocols, whoever notices first", async () => {
    const deadline = { "x-request-timeout-ms": "200" };
    await Promise.all([
      rest("slow", deadline),
      grpc("slow", deadline),
      grpc("slow", { "grpc-timeout": "200m" }),
    ]);
    let seen: readonly string[] = [];
    await until("three are counted", async () => {
      seen = await ends("slow");
      return seen.reduce((sum, line) => sum + Number(line.split(" ")[2]), 0) === 3;
    });
    assert.deepEqual(seen, ["grpc deadline_exceeded 2", "rest deadline_exceeded 1"]);
  });

  test("promtool finds no fault in names, types and help; only Triton's own names break its rules", async () => {
    await rest("fast");
    const response = await get();
    assert.match(response.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
    const faults = lintMetrics(await response.text());
    assert.deepEqual(
      faults.filter((fault) => !fault.startsWith("nv_")),
      [],
    );
  });

  test("OpenMetrics when it is asked for", async () => {
    const accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3";
    const response = await get(accept);
    assert.match(
      response.headers.get("content-type") ?? "",
      /^application\/openmetrics-text; version=1\.0\.0/,
    );
    const text = await response.text();
    assert.match(
      text,
      /^# TYPE sconce_inferences counter\n# HELP sconce_inferences Inferences by how they ended\.$/m,
    );
    assert.match(text, /^sconce_inferences_total\{/m);
    assert.match(text, /le="1\.0"/);
    assert.doesNotMatch(text, /le="\d+"|\n\n/);
    assert.ok(text.endsWith("\n# EOF\n"));
    const none = await get("application/openmetrics-text;q=0, text/plain");
    assert.match(none.headers.get("content-type") ?? "", /^text\/plain/);
  });

  test("Triton's names say what the statistics say", async () => {
    for (let i = 0; i < 3; i++) await rest("fast");
    const stats = (await (await fetch(`${server.url}/v2/models/fast/stats`)).json()) as {
      readonly model_stats: readonly [
        {
          readonly inference_count: number;
          readonly execution_count: number;
          readonly inference_stats: Readonly<Record<string, { readonly count: number; readonly ns: number }>>;
        },
      ];
    };
    const [model] = stats.model_stats;
    const text = await (await get()).text();
    const value = (series: string): number =>
      Number(new RegExp(`^nv_${series}\\{model="fast",version="1"\\} (\\S+)$`, "m").exec(text)?.[1]);
    assert.equal(value("inference_request_success"), model.inference_stats["success"]!.count);
    assert.equal(value("inference_count"), model.inference_count);
    assert.equal(value("inference_exec_count"), model.execution_count);
    const us = Math.floor(model.inference_stats["compute_infer"]!.ns / 1000);
    assert.equal(value("inference_compute_infer_duration_us"), us);
    assert.match(text, /^# TYPE nv_inference_request_success counter$/m);
    assert.match(text, /^nv_inference_request_failure\{model="slow",version="1",reason="REJECTED"\} 3$/m);
  });
});
