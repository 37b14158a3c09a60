// Tests a configuration that comes with a load request (config/json-proto.ts, edge/control-parameters.ts) through a whole server.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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

function loadOverGrpc(server: RunningServer, config: string, files: object = {}): Promise<boolean> {
  const client = new Client(new URL(server.url).host, credentials.createInsecure());
  const contents = Object.entries(files).map(([name, value]) => [
    name,
    { parameterChoice: { case: "bytesParam", value } },
  ]);
  const message = create(RepositoryModelLoadRequestSchema, {
    modelName: "negate",
    parameters: {
      config: { parameterChoice: { case: "stringParam", value: config } },
      ...Object.fromEntries(contents),
    } as never,
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
      [{ "file:1/model.onnx": "AAAA" }, /--allow-model-upload/],
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

const identity = unary("Identity", { name: "x", type: "FP32", dims: DIMS }, { type: "FP32", dims: DIMS });
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

/** What the model makes of 1 and 2. */
async function answer(server: RunningServer): Promise<unknown> {
  const inputs = [{ name: "x", datatype: "FP32", shape: [1, 2], data: [1, 2] }];
  const response = await fetch(`${server.url}/v2/models/negate/infer`, {
    method: "POST",
    body: JSON.stringify({ inputs }),
  });
  return ((await response.json()) as { outputs?: readonly { data: unknown }[] }).outputs?.[0]?.data;
}

const uploadFolders = (): string[] =>
  readdirSync(tmpdir()).filter((name) => name.startsWith("sconce-uploads-"));

test("with --allow-model-upload a load brings the model's files, which are gone when it is unloaded", async () => {
  const before = uploadFolders();
  const onDisk = (): unknown => [readdirSync(join(folder, "negate")), readdirSync(join(folder, "negate/1"))];
  const listed = onDisk();
  const server = await open([
    ["--allow-model-upload", "true"],
    ["--uploads-size", "8KiB"],
  ]);
  const own = uploadFolders().filter((name) => !before.includes(name));
  try {
    assert.equal(own.length, 1);
    const uploads = (): string[] => readdirSync(join(tmpdir(), own[0]!));
    assert.deepEqual(await answer(server), [-1, -2]);
    const brought = { "file:1/model.onnx": base64(identity), config: '{"max_batch_size": 4}' };
    assert.deepEqual(await load(server, brought), { status: 200, text: '{"name":"negate","load":true}' });
    assert.deepEqual([await answer(server), await maxBatchSize(server)], [[1, 2], 4]);
    assert.equal((await load(server, {})).status, 200);
    assert.deepEqual(await answer(server), [1, 2], "a load without files changes nothing");
    for (const [wrong, status, words] of [
      [{ "file:1/model.onnx": base64(Buffer.from("no model")) }, 400, /"reason":"load_failed"/],
      [{ "file:1/model.onnx": base64(Buffer.alloc(5000)) }, 429, /--uploads-size/],
      [{ "file:1/model.onnx": base64(identity), "file:a.txt": "", "file:b.txt": "" }, 429, /--uploads-size/],
      [{ "file:../negate/1/model.onnx": "AAAA" }, 400, /plain name/],
      [{ "file:/etc/model.onnx": "AAAA" }, 400, /plain name/],
      [{ "file:1/.model.onnx": "AAAA" }, 400, /plain name/],
      [{ "file:1/2/model.onnx": "AAAA" }, 400, /plain name/],
      [{ "file:model.py": "AAAA" }, 400, /plain name/],
      [{ "file:handler.ts": "AAAA" }, 400, /plain name/],
      [{ "file:model.yaml": "AAAA" }, 400, /plain name/],
      [{ "file:1/model.onnx": "AA*A" }, 400, /base64/],
      [{ "file:1/model.onnx": "AAAAA" }, 400, /base64/],
      [{ "file:1/model.onnx": 7 }, 400, /base64/],
    ] as const) {
      const { status: given, text } = await load(server, wrong);
      assert.equal(given, status, `${text} for ${JSON.stringify(wrong).slice(0, 80)}`);
      assert.match(text, words);
      assert.deepEqual(await answer(server), [1, 2], "what was rejected changed nothing");
      assert.equal(uploads().length, 1, "nor is it left");
    }
    const negate = readFileSync(join(folder, "negate/1/model.onnx"));
    assert.equal(await loadOverGrpc(server, "{}", { "file:1/model.onnx": negate }), true);
    assert.deepEqual(await answer(server), [-1, -2]);
    assert.equal(uploads().length, 1, "the files before are gone");
    assert.equal((await load(server, { "file:2/model.onnx": base64(identity) })).status, 200);
    assert.deepEqual(await answer(server), [1, 2]);
    assert.equal((await load(server, {}, "unload")).status, 200);
    assert.deepEqual(uploads(), []);
    assert.equal((await load(server, {})).status, 200);
    assert.deepEqual([await answer(server), await maxBatchSize(server)], [[-1, -2], 8]);
    assert.deepEqual(onDisk(), listed, "the operator's folder is as it was");
    await load(server, { "file:1/model.onnx": base64(identity) });
  } finally {
    await server.stop();
  }
  assert.equal(uploadFolders().includes(own[0]!), false);
});

test("--allow-model-upload does not go with --allow-pickle", async () => {
  const both = [
    ["--allow-model-upload", "true"],
    ["--allow-pickle", "true"],
  ] as const;
  await assert.rejects(open(both), { reason: "bad_option" });
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
