// Tests every way by which the bytes of a BOOL tensor reach a model, through a whole server.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Client, credentials } from "@grpc/grpc-js";
import { ModelInferRequestSchema, ModelInferResponseSchema } from "@sconce/protocol/messages";
import { loadConfig } from "../config/load-config.ts";
import { tinyOnnx } from "../runtime/onnx/tiny-onnx.kit.ts";
import { startServer } from "./start-server.ts";

const folder = mkdtempSync(join(tmpdir(), "sconce-bool-"));
const DIMS = ["batch", 4];
writeFileSync(
  join(folder, "truth.onnx"),
  tinyOnnx({
    inputs: [{ name: "x", type: "BOOL", dims: DIMS }],
    outputs: [{ name: "y", type: "BOOL", dims: DIMS }],
    nodes: [{ op: "Identity", inputs: ["x"], outputs: ["y"] }],
  }),
);
const server = await startServer({
  paths: [folder],
  config: loadConfig({ flags: new Map([["--port", "0"]]) }),
});
await server.settled;
const client = new Client(new URL(server.url).host, credentials.createInsecure());
test.after(async () => {
  client.close();
  await server.stop();
  rmSync(folder, { recursive: true });
});

const TRUTHS = [0, 1, 2, 255];
const EXPECTED = [0, 1, 1, 1];
const INPUT = { name: "x", datatype: "BOOL", shape: [1, 4] };

async function post(body: Buffer, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${server.url}/v2/models/truth/infer`, { method: "POST", body, headers });
}

function grpc(init: Parameters<typeof create<typeof ModelInferRequestSchema>>[1]): Promise<number[]> {
  const message = create(ModelInferRequestSchema, init);
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      "/inference.GRPCInferenceService/ModelInfer",
      (request: typeof message) => Buffer.from(toBinary(ModelInferRequestSchema, request)),
      (bytes: Buffer) => fromBinary(ModelInferResponseSchema, bytes),
      message,
      (error, answer) => (error ? reject(error) : resolve([...answer!.rawOutputContents[0]!])),
    );
  });
}

test("a truth of 2 or 255 is true and nothing else, whichever way it came", async () => {
  const input = { ...INPUT, parameters: { binary_data_size: 4 } };
  const json = JSON.stringify({ inputs: [input], parameters: { binary_data_output: true } });
  const length = { "inference-header-content-length": String(json.length) };
  const binary = await post(Buffer.concat([Buffer.from(json), Buffer.from(TRUTHS)]), length);
  assert.deepEqual([...new Uint8Array(await binary.arrayBuffer())].slice(-4), EXPECTED);
  const raw = await post(Buffer.from(TRUTHS), { "inference-header-content-length": "0" });
  assert.deepEqual([...new Uint8Array(await raw.arrayBuffer())].slice(-4), EXPECTED);
  const shape = INPUT.shape.map(BigInt);
  const inputs = [{ name: "x", datatype: "BOOL", shape }];
  assert.deepEqual(
    await grpc({ modelName: "truth", inputs, rawInputContents: [Uint8Array.from(TRUTHS)] }),
    EXPECTED,
  );
  const contents = { boolContents: [false, true, true, true] };
  assert.deepEqual(await grpc({ modelName: "truth", inputs: [{ ...inputs[0]!, contents }] }), EXPECTED);
});

test("in JSON a truth is true or false; a number that is neither 0 nor 1 is not taken for one", async () => {
  const ask = async (data: unknown): Promise<number> =>
    (await post(Buffer.from(JSON.stringify({ inputs: [{ ...INPUT, data }] })))).status;
  assert.equal(await ask([true, false, true, false]), 200);
  for (const value of [2, -1, 0.5, "true", null]) assert.equal(await ask([value, true, true, true]), 400);
});
