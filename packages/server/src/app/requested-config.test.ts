// Tests a configuration that comes with a load request (config/json-proto.ts, edge/control-parameters.ts) through a whole server.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import {
  RepositoryModelLoadRequestSchema,
  RepositoryModelLoadResponseSchema,
} from "@sconce/protocol/messages";
import { loadConfig } from "../config/load-config.ts";
import { unary } from "../runtime/onnx/tiny-onnx.kit.ts";
import { type RunningServer, startServer } from "./start-server.ts";

const folder = mkdtempSync(join(tmpdir(), "sconce-requested-"));
after(() => rmSync(folder, { recursive: true }));
mkdirSync(join(folder, "negate/1"), { recursive: true });
const DIMS = ["batch", 2];
writeFileSync(
  join(folder, "negate/1/model.onnx"),
  unary("Neg", { name: "x", type: "FP32", dims: DIMS }, { type: "FP32", dims: DIMS }),
);
writeFileSync(join(folder, "negate/model.yaml"), "max_batch_size: 8\n");
const TOKEN = "a-token-of-the-test";
const AUTHORIZATION = { authorization: `Bearer ${TOKEN}` };

async function open(more: ReadonlyArray<readonly [string, string]>): Promise<RunningServer> {
  const flags = new Map([
    ["--port", "0"],
    ["--model-control", "explicit"],
    ["--load-models", "negate"],
    ["--admin-token", TOKEN],
    ...more,
  ]);
  const server = await startServer({ paths: [folder], config: loadConfig({ flags }) });
  await server.settled;
  return server;
}

async function load(
  server: RunningServer,
  parameters: object,
  action = "load",
): Promise<{ status: number; text: string }> {
  const answer = await fetch(`${server.url}/v2/repository/models/negate/${action}`, {
    method: "POST",
    headers: AUTHORIZATION,
    body: JSON.stringify({ parameters }),
  });
  return { status: answer.status, text: await answer.text() };
}

async function maxBatchSize(server: RunningServer): Promise<number> {
  const answer = await fetch(`${server.url}/v2/models/negate/config`);
  return ((await answer.json()) as { max_batch_size: number }).max_batch_size;
}

function loadOverGrpc(server: RunningServer, config: string): Promise<boolean> {
  const client = new Client(new URL(server.url).host, credentials.createInsecure());
  const message = create(RepositoryModelLoadRequestSchema, {
    modelName: "negate",
    parameters: { config: { parameterChoice: { case: "stringParam", value: config } } } as never,
  });
  const metadata = new Metadata();
  metadata.set("authorization", AUTHORIZATION.authorization);
  return new Promise<boolean>((resolve, reject) => {
    client.makeUnaryRequest(
      "/inference.GRPCInferenceService/RepositoryModelLoad",
      (request: typeof message) => Buffer.from(toBinary(RepositoryModelLoadRequestSchema, request)),
      (bytes: Buffer) => fromBinary(RepositoryModelLoadResponseSchema, bytes),
      message,
      metadata,
      (error, answer) => (error ? reject(error) : resolve(answer!.isLoaded)),
    );
  }).finally(() => client.close());
}

test("with --allow-load-config a load brings settings, which hold until the model is unloaded", async () => {
  const server = await open([["--allow-load-config", "true"]]);
  try {
    assert.equal(await maxBatchSize(server), 8);
    const config = {
      name: "negate",
      backend: "onnxruntime",
      maxBatchSize: 4,
      instance_group: [{ count: 1, kind: "KIND_CPU" }],
    };
    assert.deepEqual(await load(server, { config: JSON.stringify(config) }), {
      status: 200,
      text: '{"name":"negate","load":true}',
    });
    assert.equal(await maxBatchSize(server), 4);
    assert.equal((await load(server, {})).status, 200);
    assert.equal(await maxBatchSize(server), 4, "a load without one changes nothing");
    assert.equal(await loadOverGrpc(server, '{"max_batch_size": 2}'), true);
    assert.equal(await maxBatchSize(server), 2);
    for (const [wrong, words] of [
      ["{", /not valid JSON/],
      ["[]", /expected a JSON object/],
      ['{"max_batch_sizes": 1}', /no field \\"max_batch_sizes\\"/],
      ['{"max_batch_size": "many"}', /max_batch_size: expected a whole number/],
      ['{"platform": "ensemble"}', /an ensemble needs ensemble_scheduling/],
      ['{"backend": "tensorflow"}', /tensorflow is not served/],
      [`${'{"input":'.repeat(40)}1${"}".repeat(40)}`, /nested deeper/],
    ] as const) {
      const { status, text } = await load(server, { config: wrong });
      assert.equal(status, 400, text);
      assert.match(text, words);
    }
    for (const [parameters, words] of [
      [{ config: 7 }, /expected JSON in a string/],
      [{ "file:1/model.onnx": "AAAA" }, /files are not taken from a request/],
      [{ other: true }, /load takes config only/],
    ] as const) {
      const { status, text } = await load(server, parameters);
      assert.equal(status, 400, text);
      assert.match(text, words);
    }
    assert.equal(await maxBatchSize(server), 2, "what was rejected changed nothing");
    assert.equal((await load(server, {}, "unload")).status, 200);
    assert.equal((await load(server, {})).status, 200);
    assert.equal(await maxBatchSize(server), 8, "the files' own settings are back");
  } finally {
    await server.stop();
  }
});

test("without it a configuration is rejected", async () => {
  const server = await open([]);
  try {
    const { status, text } = await load(server, { config: '{"max_batch_size": 4}' });
    assert.equal(status, 400);
    assert.match(text, /--allow-load-config/);
    await assert.rejects(loadOverGrpc(server, "{}"), /--allow-load-config/);
    assert.equal(await maxBatchSize(server), 8);
  } finally {
    await server.stop();
  }
});
