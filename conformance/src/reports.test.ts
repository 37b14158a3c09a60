// Tests the built server: statistics and configuration documents.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { MODELS_FOLDER } from "./expected-digits.ts";
import { type Message, type ProtoClient, protoClient } from "./grpc-client.ts";
import { type ServerProcess, startServerProcess } from "./server-process.ts";

/** What is read of one entry of `model_stats`. */
interface Stats {
  readonly name: string;
  readonly version: string;
  readonly last_inference: number;
  readonly inference_count: number;
  readonly execution_count: number;
  readonly inference_stats: Readonly<Record<string, { readonly count: number; readonly ns: number }>>;
  readonly response_stats: object;
  readonly batch_stats: ReadonlyArray<{ readonly batch_size: number; readonly compute_infer: Message }>;
  readonly memory_usage: readonly Message[];
}

const ROWS = 3;
const REQUEST = {
  inputs: [
    { name: "image", datatype: "FP32", shape: [ROWS, 1, 8, 8], data: new Array(ROWS * 64).fill(0.25) },
  ],
};

describe("statistics and configuration", () => {
  let server: ServerProcess;
  let client: ProtoClient;
  before(async () => {
    server = await startServerProcess([MODELS_FOLDER]);
    client = protoClient({
      proto: "inference/grpc_service.proto",
      service: "inference.GRPCInferenceService",
      target: server.authority,
    });
  });
  after(async () => {
    client?.close();
    await server?.stop();
  });

  const get = async (path: string): Promise<{ readonly status: number; readonly json: Message }> => {
    const answer = await fetch(`${server.url}${path}`);
    return { status: answer.status, json: (await answer.json()) as Message };
  };
  const statsOf = async (path: string): Promise<Stats> => {
    const { status, json } = await get(path);
    assert.equal(status, 200);
    const [stats] = json["model_stats"] as readonly Stats[];
    return stats!;
  };

  test("counters add up: requests, rows, runs, nanoseconds, failures", async () => {
    const startedMs = Date.now();
    assert.equal((await statsOf("/v2/models/digits/stats")).last_inference, 0);
    for (let i = 0; i < 2; i++) {
      const body = JSON.stringify(REQUEST);
      const answer = await fetch(`${server.url}/v2/models/digits/infer`, { method: "POST", body });
      assert.equal(answer.status, 200);
    }
    for (const path of [
      "/v2/models/stats",
      "/v2/models/digits/stats",
      "/v2/models/digits/versions/1/stats",
    ]) {
      const stats = await statsOf(path);
      assert.deepEqual([stats.name, stats.version], ["digits", "1"]);
      assert.deepEqual([stats.inference_count, stats.execution_count], [2 * ROWS, 2]);
      assert.ok(stats.last_inference >= startedMs && stats.last_inference <= Date.now());
      assert.deepEqual(Object.keys(stats.inference_stats), [
        "success",
        "fail",
        "queue",
        "compute_input",
        "compute_infer",
        "compute_output",
        "cache_hit",
        "cache_miss",
      ]);
      const { success, fail, compute_infer: infer } = stats.inference_stats;
      assert.deepEqual([success?.count, infer?.count, fail], [2, 2, { count: 0, ns: 0 }]);
      assert.ok(Number.isInteger(infer!.ns) && infer!.ns > 0 && infer!.ns < success!.ns);
      assert.deepEqual(
        stats.batch_stats.map((batch) => [batch.batch_size, batch.compute_infer["count"]]),
        [[ROWS, 2]],
      );
      assert.deepEqual(stats.response_stats, {});
      const [memory] = stats.memory_usage;
      assert.deepEqual([memory?.["type"], memory?.["id"]], ["CPU", 0]);
      assert.ok(Number(memory?.["byte_size"]) > 1000);
    }
  });

  test("gRPC gives the same figures", async () => {
    const rest = await statsOf("/v2/models/digits/stats");
    for (const request of [{}, { name: "digits" }, { name: "digits", version: "1" }]) {
      const { modelStats } = await client.unary("ModelStatistics", request);
      const stats = (modelStats as readonly Message[])[0]!;
      assert.equal(stats["lastInference"], rest.last_inference);
      assert.equal(stats["inferenceCount"], rest.inference_count);
      const { success, computeInfer } = stats["inferenceStats"] as Message;
      assert.deepEqual(success, rest.inference_stats["success"]);
      assert.deepEqual(computeInfer, rest.inference_stats["compute_infer"]);
      const [batch] = stats["batchStats"] as readonly Message[];
      assert.equal(batch?.["batchSize"], ROWS);
    }
  });

  test("what does not exist has no statistics and no configuration", async () => {
    for (const report of ["stats", "config"]) {
      assert.equal((await get(`/v2/models/nope/${report}`)).status, 404);
      assert.equal((await get(`/v2/models/digits/versions/9/${report}`)).status, 404);
    }
    await assert.rejects(client.unary("ModelStatistics", { name: "nope" }), { code: 5 });
    await assert.rejects(client.unary("ModelConfig", { name: "nope" }), { code: 5 });
  });

  test("the configuration, over REST and gRPC", async () => {
    const expected = {
      name: "digits",
      platform: "pytorch_pt2",
      backend: "onnx",
      max_batch_size: 32,
      input: [{ name: "image", data_type: "TYPE_FP32", dims: [1, 8, 8] }],
      output: [{ name: "probabilities", data_type: "TYPE_FP32", dims: [10] }],
      instance_group: [{ name: "digits", count: 1, kind: "KIND_CPU" }],
      dynamic_batching: {
        preferred_batch_size: [],
        max_queue_delay_microseconds: 0,
        priority_levels: 1,
        default_priority_level: 1,
      },
      model_transaction_policy: { decoupled: false },
      response_cache: { enable: false },
    };
    for (const path of ["/v2/models/digits/config", "/v2/models/digits/versions/1/config"]) {
      assert.deepEqual((await get(path)).json, expected);
    }
    const { config } = await client.unary("ModelConfig", { name: "digits" });
    const { maxBatchSize, input, instanceGroup, dynamicBatching } = config as Message;
    assert.equal(maxBatchSize, 32);
    const [image] = input as readonly Message[];
    // 11 and 2 are TYPE_FP32 and KIND_CPU in Triton's model_config.proto.
    assert.deepEqual(image, { name: "image", dataType: 11, dims: [1, 8, 8], reshape: null });
    assert.deepEqual(instanceGroup, [{ name: "digits", count: 1, kind: 2 }]);
    assert.equal((dynamicBatching as Message)["priorityLevels"], 1);
  });

  test("the server lists the extensions that it serves", async () => {
    const { extensions } = (await get("/v2")).json as { readonly extensions: readonly string[] };
    for (const name of ["statistics", "model_configuration", "model_repository", "binary_tensor_data"]) {
      assert.ok(extensions.includes(name), name);
    }
    assert.deepEqual((await client.unary("ServerMetadata", {}))["extensions"], extensions);
  });
});
