// Tests sequences through a whole server: REST and gRPC parameters, streams, many sequences in one batch, a reload.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Client, credentials } from "@grpc/grpc-js";
import {
  ModelInferRequestSchema,
  ModelInferResponseSchema,
  ModelStreamInferResponseSchema,
} from "@sconce/protocol/messages";
import { loadConfig } from "../config/load-config.ts";
import { tinyOnnx } from "../runtime/onnx/tiny-onnx.kit.ts";
import { startServer } from "./start-server.ts";

const folder = mkdtempSync(join(tmpdir(), "sconce-sequences-"));
const SUM = tinyOnnx({
  inputs: [
    { name: "x", type: "FP32", dims: ["batch", 1] },
    { name: "h", type: "FP32", dims: ["batch", 1] },
  ],
  outputs: [
    { name: "y", type: "FP32", dims: ["batch", 1] },
    { name: "h_out", type: "FP32", dims: ["batch", 1] },
  ],
  nodes: [
    { op: "Add", inputs: ["x", "h"], outputs: ["y"] },
    { op: "Identity", inputs: ["y"], outputs: ["h_out"] },
  ],
});

/** The state's rows lie along its second dimension, as those of PyTorch's recurrent layers do. */
const LAYERS = tinyOnnx({
  inputs: [
    { name: "h", type: "FP32", dims: [2, "batch", 1] },
    { name: "x", type: "FP32", dims: ["batch", 1] },
  ],
  outputs: [
    { name: "h_out", type: "FP32", dims: [2, "batch", 1] },
    { name: "y", type: "FP32", dims: ["batch", 2] },
  ],
  nodes: [
    { op: "Add", inputs: ["h", "x"], outputs: ["h_out"] },
    { op: "Flatten", inputs: ["h_out"], outputs: ["flat"], attributes: { axis: 1 } },
    { op: "Transpose", inputs: ["flat"], outputs: ["y"], attributes: { perm: [1, 0] } },
  ],
});

function model(name: string, settings: string, contents = SUM): void {
  mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, name, "model.onnx"), contents);
  writeFileSync(join(folder, name, "model.yaml"), settings);
}

model("sum", "state: {h: h_out}\ncache: 1MiB\n");
model("hundred", "state: {h: h_out}\ninitial_state: {h: start.bin}\n");
writeFileSync(join(folder, "hundred", "start.bin"), new Uint8Array(new Float32Array([100]).buffer));
model("layers", "state: {h: h_out}\ninitial_state: {h: start.bin}\n", LAYERS);
writeFileSync(join(folder, "layers", "start.bin"), new Uint8Array(new Float32Array([1000, 2000]).buffer));
model("few", "state: {h: h_out}\nmax_sequences: 1\nsequence_idle: 1h\n");
mkdirSync(join(folder, "together"));
writeFileSync(
  join(folder, "together", "model.yaml"),
  `pipeline:
  steps:
    - {model: sum, outputs: {y: total}}
    - {model: layers, inputs: {x: total}, outputs: {y: both}}
`,
);
model("wrong", "state: {h: z}\n");

const server = await startServer({
  paths: [folder],
  config: loadConfig({
    flags: new Map([
      ["--port", "0"],
      ["--model-control", "explicit"],
    ]),
    env: {
      SCONCE_ADMIN_TOKEN: "0123456789abcdef",
      SCONCE_LOAD_MODELS: "sum,hundred,layers,few,wrong,together",
    },
  }),
});
await server.settled;
const client = new Client(new URL(server.url).host, credentials.createInsecure());
test.after(async () => {
  client.close();
  await server.stop();
  rmSync(folder, { recursive: true });
});

type Parameters = Readonly<Record<string, unknown>>;

async function rest(
  name: string,
  x: number,
  parameters?: Parameters,
): Promise<{ status: number; body: Answer }> {
  const inputs = [{ name: "x", datatype: "FP32", shape: [1, 1], data: [x] }];
  // JSON.stringify would round a 64-bit id.
  const body = JSON.stringify({ inputs, parameters }).replace(/"(\d{17,})n"/g, "$1");
  const response = await fetch(`${server.url}/v2/models/${name}/infer`, { method: "POST", body });
  return { status: response.status, body: (await response.json()) as Answer };
}

interface Answer {
  readonly error?: string;
  readonly reason?: string;
  readonly outputs?: readonly { readonly name: string; readonly data: readonly number[] }[];
}

async function sum(name: string, x: number, parameters?: Parameters): Promise<number> {
  const { status, body } = await rest(name, x, parameters);
  assert.equal(status, 200, JSON.stringify(body));
  assert.deepEqual(
    body.outputs!.map((output) => output.name),
    ["y"],
  );
  return body.outputs![0]!.data[0]!;
}

type Init = MessageInitShape<typeof ModelInferRequestSchema>;
const message = (modelName: string, x: number, parameters: Init["parameters"] = {}): Init => ({
  modelName,
  parameters,
  inputs: [{ name: "x", datatype: "FP32", shape: [1n, 1n] }],
  rawInputContents: [new Uint8Array(new Float32Array([x]).buffer)],
});
const encode = (init: Init): Buffer =>
  Buffer.from(toBinary(ModelInferRequestSchema, create(ModelInferRequestSchema, init)));
const firstOf = (raw: Uint8Array): number => new Float32Array(Uint8Array.from(raw).buffer)[0]!;

function unary(init: Init): Promise<number> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      "/inference.GRPCInferenceService/ModelInfer",
      encode,
      (bytes: Buffer) => fromBinary(ModelInferResponseSchema, bytes),
      init,
      (error, answer) => (error ? reject(error) : resolve(firstOf(answer!.rawOutputContents[0]!))),
    );
  });
}

/** Sends all at once; errors come as texts, in the order of the answers. */
function stream(messages: readonly Init[]): Promise<(number | string)[]> {
  const call = client.makeBidiStreamRequest(
    "/inference.GRPCInferenceService/ModelStreamInfer",
    encode,
    (bytes: Buffer) => fromBinary(ModelStreamInferResponseSchema, bytes),
  );
  return new Promise((resolve, reject) => {
    const answers: (number | string)[] = [];
    call.on("data", ({ errorMessage, inferResponse }) =>
      answers.push(errorMessage === "" ? firstOf(inferResponse!.rawOutputContents[0]!) : errorMessage),
    );
    call.on("error", reject);
    call.on("end", () => resolve(answers));
    for (const init of messages) call.write(init);
    call.end();
  });
}

test("a client sees the model without its state", async () => {
  const metadata = (await (await fetch(`${server.url}/v2/models/sum`)).json()) as Record<
    string,
    { name: string }[]
  >;
  assert.deepEqual(
    [metadata["inputs"]!.map(({ name }) => name), metadata["outputs"]!.map(({ name }) => name)],
    [["x"], ["y"]],
  );
});

test("REST requests of one sequence_id share a state, be it a number, 64 bits of one or a text", async () => {
  for (const sequence_id of [7, "18446744073709551615n", "speaker one"]) {
    assert.equal(await sum("sum", 1, { sequence_id, sequence_start: true }), 1);
    assert.equal(await sum("sum", 1, { sequence_id }), 2);
    assert.equal(await sum("sum", 1, { sequence_id }), 3);
    assert.equal(await sum("sum", 1, { sequence_id, sequence_end: true }), 4);
    const after = await rest("sum", 1, { sequence_id });
    assert.deepEqual([after.status, after.body.reason], [400, "sequence_not_live"]);
  }
  const without = await rest("sum", 1);
  assert.deepEqual([without.status, without.body.reason], [400, "no_sequence"]);
  assert.equal(await sum("sum", 9, { sequence_start: true, sequence_end: true }), 9);
});

test("the short form takes the parameters beside its input", async () => {
  const predict = async (parameters: Parameters): Promise<unknown> => {
    const body = JSON.stringify({ input: [2], parameters });
    const response = await fetch(`${server.url}/predict/sum`, { method: "POST", body });
    return ((await response.json()) as { readonly prediction: unknown }).prediction;
  };
  assert.deepEqual(await predict({ sequence_id: "short", sequence_start: true }), [2]);
  assert.deepEqual(await predict({ sequence_id: "short", sequence_end: true }), [4]);
});

test("Triton's short form and its events do as well", async () => {
  const generate = async (how: string, more: Parameters): Promise<unknown> => {
    const body = JSON.stringify({ x: [[2]], sequence_id: "generated", ...more });
    const response = await fetch(`${server.url}/v2/models/sum/${how}`, { method: "POST", body });
    const text = await response.text();
    return (JSON.parse(text.replace(/^data: /, "")) as { readonly y: unknown }).y;
  };
  assert.equal(await generate("generate", { sequence_start: true }), 2);
  assert.equal(await generate("generate_stream", {}), 4);
});

test("a pipeline keeps the states of its steps, over REST and on a stream, and is an ensemble to Triton's clients", async () => {
  const both = async (x: number, parameters: Parameters): Promise<readonly number[] | undefined> => {
    const { body } = await rest("together", x, parameters);
    return body.outputs?.[0]?.data;
  };
  assert.deepEqual(await both(1, { sequence_id: 7, sequence_start: true }), [1001, 2001]);
  assert.deepEqual(await both(1, { sequence_id: 7 }), [1003, 2003]);
  assert.deepEqual(await both(1, { sequence_id: 7, sequence_end: true }), [1006, 2006]);
  assert.equal((await rest("together", 1)).body.reason, "no_sequence");
  assert.deepEqual(
    await stream([message("together", 1), message("together", 2), message("together", 3)]),
    [1001, 1004, 1010],
  );
  const config = (await (await fetch(`${server.url}/v2/models/together/config`)).json()) as object;
  assert.ok("ensemble_scheduling" in config && !("sequence_batching" in config), JSON.stringify(config));
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  assert.match(metrics, /sconce_sequences_ended_total\{model="together",version="1",reason="ended"\} 1/);
});

test("gRPC requests of one sequence_id do, and go on where REST left it", async () => {
  const id = { parameterChoice: { case: "uint64Param", value: 12n } } as const;
  const start = { parameterChoice: { case: "boolParam", value: true } } as const;
  assert.equal(await unary(message("sum", 1, { sequence_id: id, sequence_start: start })), 1);
  assert.equal(await sum("sum", 1, { sequence_id: 12 }), 2);
  assert.equal(await unary(message("sum", 1, { sequence_id: id })), 3);
});

test("who predicts once, or follows an example of the API, asks for a whole sequence", async () => {
  for (let i = 0; i < 2; i++) assert.deepEqual(await server.predict("sum", [[2]]), [[2]]);
  const config = (await (await fetch(`${server.url}/v2/models/sum/config`)).json()) as Record<
    string,
    unknown
  >;
  assert.deepEqual(config["sequence_batching"], { max_sequence_idle_microseconds: 60_000_000 });
  assert.equal(config["dynamic_batching"], undefined);
  const { paths } = (await (await fetch(`${server.url}/openapi.json`)).json()) as {
    readonly paths: Readonly<
      Record<
        string,
        {
          readonly post?: {
            readonly requestBody: {
              readonly content: Readonly<Record<string, { readonly example: unknown }>>;
            };
          };
        }
      >
    >;
  };
  for (const path of ["/predict/sum", "/v2/models/sum/infer"]) {
    const { example } = paths[path]!.post!.requestBody.content["application/json"]!;
    const response = await fetch(`${server.url}${path}`, { method: "POST", body: JSON.stringify(example) });
    assert.equal(response.status, 200, await response.text());
  }
});

test("the state begins with what a file holds", async () => {
  assert.equal(await sum("hundred", 1, { sequence_id: 1, sequence_start: true }), 101);
  assert.equal(await sum("hundred", 1, { sequence_id: 1 }), 102);
});

test("a gRPC stream is a sequence of its own without an id, in the order of its messages", async () => {
  const streams = Array.from({ length: 40 }, (_, i) =>
    stream(Array.from({ length: 20 }, () => message("sum", i + 1))),
  );
  for (const [i, answers] of (await Promise.all(streams)).entries())
    assert.deepEqual(
      answers,
      Array.from({ length: 20 }, (_, n) => (n + 1) * (i + 1)),
    );
});

test("a state whose rows lie along an inner dimension is gathered and sliced, for requests of several rows as well", async () => {
  const count = 40;
  const ask = async (i: number, n: number): Promise<void> => {
    // The last one is larger than a batch, and is divided.
    const rows = i === count - 1 ? 70 : (i % 3) + 1;
    const data = Array.from({ length: rows }, (_, row) => (i + 1) * (row + 1));
    const body = JSON.stringify({
      inputs: [{ name: "x", datatype: "FP32", shape: [rows, 1], data }],
      parameters: { sequence_id: i + 1, sequence_start: n === 1, sequence_end: n === 5 },
    });
    const response = await fetch(`${server.url}/v2/models/layers/infer`, { method: "POST", body });
    const { outputs } = (await response.json()) as Answer;
    assert.deepEqual(
      outputs?.[0]?.data,
      data.flatMap((x) => [1000 + n * x, 2000 + n * x]),
    );
  };
  for (let n = 1; n <= 5; n++) await Promise.all(Array.from({ length: count }, (_, i) => ask(i, n)));
});

test("sequences share runs", async () => {
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  const value = (name: string, of = "sum"): number =>
    Number(new RegExp(`^${name}\\{[^}]*model="${of}"[^}]*\\} (\\S+)$`, "m").exec(metrics)?.[1]);
  for (const of of ["sum", "layers"]) {
    const rows = value("sconce_batch_rows_sum", of);
    assert.ok(rows > 2 * value("sconce_batch_rows_count", of), `${rows} rows of ${of}`);
  }
  assert.ok(value("sconce_live_sequences") >= 1);
});

test("one sequence more than max_sequences is rejected until one ends", async () => {
  await sum("few", 1, { sequence_id: 1, sequence_start: true });
  const { status, body } = await rest("few", 1, { sequence_id: 2, sequence_start: true });
  assert.deepEqual([status, body.reason], [429, "too_many_sequences"]);
  await sum("few", 1, { sequence_id: 1, sequence_end: true });
  await sum("few", 1, { sequence_id: 2, sequence_start: true });
});

test("a model whose state does not fit says what there is", async () => {
  const index = await (await fetch(`${server.url}/v2/repository/index`, { method: "POST" })).text();
  assert.match(index, /the model has no output \\"z\\"; it has y, h_out/);
});

test("a sequence that a reload ended is reported, not begun anew, and other models' go on", async () => {
  await sum("hundred", 1, { sequence_id: 5, sequence_start: true });
  await sum("sum", 1, { sequence_id: 5, sequence_start: true });
  model("hundred", "state: {h: h_out}\nmax_sequences: 7\n");
  const loaded = await fetch(`${server.url}/v2/repository/models/hundred/load`, {
    method: "POST",
    headers: { authorization: "Bearer 0123456789abcdef" },
  });
  assert.equal(loaded.status, 200, await loaded.text());
  assert.equal((await rest("hundred", 1, { sequence_id: 5 })).body.reason, "sequence_not_live");
  assert.equal(await sum("hundred", 1, { sequence_id: 5, sequence_start: true }), 1);
  assert.equal(await sum("sum", 1, { sequence_id: 5 }), 2);
});
