// Tests that what the configuration document and the limits say is what a whole server does.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, type ServiceError } from "@grpc/grpc-js";
import { ModelInferRequestSchema, ModelInferResponseSchema } from "@sconce/protocol/messages";
import { loadConfig } from "../config/load-config.ts";
import { tinyOnnx, unary } from "../runtime/onnx/tiny-onnx.kit.ts";
import { startServer } from "./start-server.ts";

const folder = mkdtempSync(join(tmpdir(), "sconce-configuration-"));

function model(name: string, contents: Uint8Array, settings = ""): void {
  mkdirSync(join(folder, name));
  writeFileSync(join(folder, name, "model.onnx"), contents);
  if (settings !== "") writeFileSync(join(folder, name, "model.yaml"), settings);
}

const rows = { type: "FP32", dims: ["batch"] } as const;
model("scalar", unary("Neg", { name: "x", ...rows }, rows), "max_batch_size: 4\n");
model("single", unary("Neg", { name: "x", type: "FP32", dims: [] }, { type: "FP32", dims: [] }));
/** [n, 1] × [1, n] */
model(
  "square",
  tinyOnnx({
    inputs: [
      { name: "a", type: "FP32", dims: ["n", 1] },
      { name: "b", type: "FP32", dims: [1, "m"] },
    ],
    outputs: [{ name: "y", type: "FP32", dims: ["n", "m"] }],
    nodes: [{ op: "MatMul", inputs: ["a", "b"], outputs: ["y"] }],
  }),
);

const server = await startServer({
  paths: [folder],
  config: loadConfig({
    flags: new Map([
      ["--port", "0"],
      ["--max-body", "1MiB"],
    ]),
  }),
});
await server.settled;
const client = new Client(new URL(server.url).host, credentials.createInsecure());
test.after(async () => {
  client.close();
  await server.stop();
  rmSync(folder, { recursive: true });
});

async function get(path: string): Promise<Record<string, unknown>> {
  return (await fetch(`${server.url}/v2/models/${path}`)).json() as Promise<Record<string, unknown>>;
}

async function infer(name: string, shape: readonly number[]): Promise<{ status: number; shape: unknown }> {
  const data = new Array(shape.reduce((product, size) => product * size, 1)).fill(1);
  const body = JSON.stringify({ inputs: [{ name: "x", datatype: "FP32", shape, data }] });
  const answer = await fetch(`${server.url}/v2/models/${name}/infer`, { method: "POST", body });
  const { outputs } = (await answer.json()) as { outputs?: { shape: unknown }[] };
  return { status: answer.status, shape: outputs?.[0]?.shape };
}

test("a scalar has the dims that Triton gives it, and a client that goes by them is answered", async () => {
  const { input } = (await get("scalar/config")) as { input: object[] };
  assert.deepEqual(input, [{ name: "x", data_type: "TYPE_FP32", dims: [1], reshape: { shape: [] } }]);
  for (const shape of [[3], [3, 1]])
    assert.deepEqual(await infer("scalar", shape), { status: 200, shape: [3] });
  assert.equal((await infer("scalar", [3, 2])).status, 400);
  const single = (await get("single/config")) as { max_batch_size: number; output: object[] };
  assert.equal(single.max_batch_size, 0);
  assert.deepEqual(single.output, [{ name: "y", data_type: "TYPE_FP32", dims: [1], reshape: { shape: [] } }]);
  // ONNX Runtime enforces no rank of 0, and what went in as one number comes out as one.
  for (const shape of [[], [1]]) assert.deepEqual(await infer("single", shape), { status: 200, shape });
});

test("no run has more rows than max_batch_size says", async () => {
  assert.equal((await get("scalar/config"))["max_batch_size"], 4);
  assert.equal((await infer("scalar", [11])).status, 200);
  const { model_stats } = (await get("scalar/stats")) as {
    model_stats: { batch_stats: { batch_size: number }[] }[];
  };
  const sizes = model_stats[0]!.batch_stats.map(({ batch_size: size }) => Number(size));
  assert.equal(Math.max(...sizes), 4);
});

/** Asks for the product of n and m numbers; the size of the answer, or the error. */
function square(n: number, m: number, outputs: readonly string[] = []): Promise<number | ServiceError> {
  const message = create(ModelInferRequestSchema, {
    modelName: "square",
    inputs: [
      { name: "a", datatype: "FP32", shape: [BigInt(n), 1n] },
      { name: "b", datatype: "FP32", shape: [1n, BigInt(m)] },
    ],
    outputs: outputs.map((name) => ({ name })),
    rawInputContents: [new Uint8Array(4 * n), new Uint8Array(4 * m)],
  });
  return new Promise((resolve) => {
    client.makeUnaryRequest(
      "/inference.GRPCInferenceService/ModelInfer",
      (request: typeof message) => Buffer.from(toBinary(ModelInferRequestSchema, request)),
      (bytes: Buffer) => fromBinary(ModelInferResponseSchema, bytes),
      message,
      (error, answer) => resolve(error ?? answer!.rawOutputContents[0]!.length),
    );
  });
}

test("a gRPC response that could not be sent is not computed, and the option that allows it is named", async () => {
  assert.equal(await square(500, 500), 1_000_000);
  const before = (await get("square/stats")) as { model_stats: { execution_count: unknown }[] };
  for (const outputs of [[], ["y"]]) {
    const refused = (await square(1024, 257, outputs)) as ServiceError;
    assert.equal(refused.code, 8);
    assert.match(refused.details, /1052672 bytes or more, and one message may have 1048576 \(--max-body\)/);
    assert.equal(refused.metadata.get("sconce-reason")[0], "response_too_large");
  }
  const after = (await get("square/stats")) as { model_stats: { execution_count: unknown }[] };
  assert.equal(after.model_stats[0]!.execution_count, before.model_stats[0]!.execution_count);
  // What a message needs beside its tensors is found out later, and said alike.
  const nearly = (await square(1024, 256)) as ServiceError;
  assert.equal(nearly.code, 8);
  assert.match(nearly.details, /--max-body/);
});
