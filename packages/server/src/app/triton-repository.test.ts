// Tests the server on repositories that were written for Triton and MLServer, as they are, over real sockets.
import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Client, credentials } from "@grpc/grpc-js";
import {
  ModelConfigRequestSchema,
  type ModelConfigResponse,
  ModelConfigResponseSchema,
} from "@sconce/protocol/messages";
import { loadConfig } from "../config/load-config.ts";
import { type TinyModel, tinyOnnx } from "../runtime/onnx/tiny-onnx.kit.ts";
import { type RunningServer, startServer } from "./start-server.ts";

const SCRIPTED = fileURLToPath(
  new URL("../../../../packages/torch/fixtures/rewrite/scripted.pt", import.meta.url),
);
/** What PyTorch answers to three rows (scripts/python/rewrite_fixtures.py). */
const PYTORCH = JSON.parse(readFileSync(SCRIPTED.replace(/pt$/, "json"), "utf8")) as Record<
  "x" | "y",
  number[]
>;
const WIDTH = String(PYTORCH.y.length / 3);

/** y = −x, with nameless rows of nameless width, as exporters write it. */
const NEGATION: TinyModel = {
  inputs: [{ name: "x", type: "FP32", dims: ["", "?"] }],
  outputs: [{ name: "y", type: "FP32", dims: ["other", "?"] }],
  nodes: [{ op: "Neg", inputs: ["x"], outputs: ["y"] }],
};
const TWO_OUTPUTS: TinyModel = {
  inputs: [{ name: "x", type: "FP32", dims: ["n", 4] }],
  outputs: [
    { name: "y", type: "FP32", dims: ["n", 4] },
    { name: "z", type: "FP32", dims: ["n", 4] },
  ],
  nodes: [
    { op: "Neg", inputs: ["x"], outputs: ["y"] },
    { op: "Abs", inputs: ["x"], outputs: ["z"] },
  ],
};

/** Adds up the inputs of a sequence, anew at its start, and says what it was told. */
const TOLD: TinyModel = {
  inputs: [
    { name: "INPUT", type: "FP32", dims: ["n", 1] },
    { name: "SUM", type: "FP32", dims: ["n", 1] },
    { name: "START", type: "FP32", dims: ["n", 1] },
    { name: "END", type: "INT32", dims: ["n", 1] },
    { name: "READY", type: "BOOL", dims: ["n", 1] },
    { name: "CORRID", type: "UINT64", dims: ["n", 1] },
  ],
  outputs: [
    { name: "OUTPUT", type: "FP32", dims: ["n", 1] },
    { name: "NEW_SUM", type: "FP32", dims: ["n", 1] },
    { name: "START_TOLD", type: "FP32", dims: ["n", 1] },
    { name: "END_TOLD", type: "INT32", dims: ["n", 1] },
    { name: "READY_TOLD", type: "BOOL", dims: ["n", 1] },
    { name: "CORRID_TOLD", type: "UINT64", dims: ["n", 1] },
  ],
  nodes: [
    { op: "Add", inputs: ["INPUT", "SUM"], outputs: ["OUTPUT"] },
    { op: "Identity", inputs: ["OUTPUT"], outputs: ["NEW_SUM"] },
    ...["START", "END", "READY", "CORRID"].map((name) => ({
      op: "Identity",
      inputs: [name],
      outputs: [`${name}_TOLD`],
    })),
  ],
};

const port = (name: string, dims: string, more = ""): string =>
  `{ name: "${name}" data_type: TYPE_FP32 dims: [ ${dims} ] ${more} }`;

/** Files of the repository: a tiny model, or a text. */
const FILES: Readonly<Record<string, TinyModel | string>> = {
  "batched/config.pbtxt": `platform: "onnxruntime_onnx" max_batch_size: 4
    input [ ${port("x", "2")} ] output [ ${port("y", "2", 'label_filename: "classes.txt"')} ]
    dynamic_batching { max_queue_delay_microseconds: 200 preferred_batch_size: [ 2, 4 ] }
    instance_group [ { count: 2 kind: KIND_CPU } ] optimization { graph { level: 1 } }`,
  "batched/classes.txt": "cat\r\ndog\n",
  "batched/1/model.onnx": NEGATION,
  "whole/config.pbtxt": `backend: "onnxruntime" input [ ${port("x", "1, 2")} ] output [ ${port("y", "1, -1")} ]`,
  "whole/1/model.onnx": NEGATION,
  "reshaped/config.pbtxt": `max_batch_size: 8
    input [ ${port("x", "2, 2", "reshape { shape: [ 4 ] }")} ] output [ ${port("z", "4, 1", "reshape: { shape: [ 4 ] }")} ]`,
  "reshaped/1/model.onnx": TWO_OUTPUTS,
  "chosen/config.pbtxt": 'default_model_filename: "second.onnx" version_policy: { all {} }',
  "chosen/1/first.onnx": NEGATION,
  "chosen/1/second.onnx": TWO_OUTPUTS,
  "chosen/2/second.onnx": TWO_OUTPUTS,
  "overruled/config.pbtxt": "max_batch_size: 64 instance_group { count: 2 }",
  "overruled/model.yaml": "max_batch_size: 3",
  "overruled/labels.txt": "one\ntwo\nthree\nfour",
  "overruled/1/model.onnx": TWO_OUTPUTS,
  "mlserver/model-settings.json":
    '{"name": "mlserver", "implementation": "x.Y", "max_batch_size": 5, "parameters": {"uri": "./net.onnx"}}',
  "mlserver/net.onnx": TWO_OUTPUTS,
  "told/config.pbtxt": `max_batch_size: 4 input [ ${port("INPUT", "1")} ]
    sequence_batching {
      control_input [
        { name: "START" control [ { kind: CONTROL_SEQUENCE_START fp32_false_true: [ -1, 1 ] } ] },
        { name: "END" control [ { kind: CONTROL_SEQUENCE_END int32_false_true: [ 0, 1 ] } ] },
        { name: "READY" control [ { kind: CONTROL_SEQUENCE_READY bool_false_true: [ false, true ] } ] },
        { name: "CORRID" control [ { kind: CONTROL_SEQUENCE_CORRID data_type: TYPE_UINT64 } ] }
      ]
      state [ { input_name: "SUM" output_name: "NEW_SUM" data_type: TYPE_FP32 dims: [ 1 ] } ]
    }`,
  "told/1/model.onnx": TOLD,
  "pipeline/config.pbtxt": 'platform: "ensemble" ensemble_scheduling { step [ { model_name: "batched" } ] }',
  "pipeline/1/.keep": "",
  "wrongtype/config.pbtxt": 'input [ { name: "x" data_type: TYPE_INT64 dims: [ -1, 2 ] } ]',
  "wrongtype/1/model.onnx": NEGATION,
  "wrongname/config.pbtxt": `input [ ${port("data", "-1, 2")} ]`,
  "wrongname/1/model.onnx": NEGATION,
  "wrongsize/config.pbtxt": `max_batch_size: 2 input [ ${port("x", "5")} ]`,
  "wrongsize/1/model.onnx": TWO_OUTPUTS,
  "nolabels/config.pbtxt": `output [ ${port("y", "-1, 2", 'label_filename: "none.txt"')} ]`,
  "nolabels/1/model.onnx": NEGATION,
  "typo/config.pbtxt": "max_batchsize: 2",
  "typo/1/model.onnx": NEGATION,
};

interface V2Answer {
  readonly outputs: readonly { readonly name: string; readonly shape: number[]; readonly data: number[] }[];
}

describe("a repository of another server", () => {
  const folder = mkdtempSync(join(tmpdir(), "sconce-triton-"));
  let server: RunningServer;

  before(async () => {
    for (const [name, content] of Object.entries(FILES)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), typeof content === "string" ? content : tinyOnnx(content));
    }
    mkdirSync(join(folder, "script", "1"), { recursive: true });
    cpSync(SCRIPTED, join(folder, "script", "1", "model.pt"));
    writeFileSync(
      join(folder, "script", "config.pbtxt"),
      `platform: "pytorch_libtorch" max_batch_size: 8
       input [ ${port("INPUT__0", "32")} ] output [ ${port("OUTPUT__0", WIDTH)} ]`,
    );
    const flags = new Map([
      ["--port", "0"],
      ["--log-level", "error"],
      ["--isolation", "thread"],
    ]);
    server = await startServer({ config: loadConfig({ flags }), paths: [folder] });
    await server.settled;
  });
  after(async () => {
    await server.stop();
    rmSync(folder, { recursive: true });
  });

  const get = async (path: string): Promise<Record<string, unknown>> => {
    const answer = await fetch(`${server.url}${path}`);
    assert.equal(answer.status, 200, await answer.clone().text());
    return (await answer.json()) as Record<string, unknown>;
  };
  const infer = (model: string, name: string, shape: readonly number[], data: readonly number[]) =>
    fetch(`${server.url}/v2/models/${model}/infer`, {
      method: "POST",
      body: JSON.stringify({ inputs: [{ name, datatype: "FP32", shape, data }] }),
    });
  const answerOf = async (response: Response): Promise<V2Answer> => {
    assert.equal(response.status, 200, await response.clone().text());
    return (await response.json()) as V2Answer;
  };
  const reasonOf = async (model: string): Promise<string> => {
    const answer = await fetch(`${server.url}/v2/repository/index`, { method: "POST" });
    const entries = (await answer.json()) as { name: string; reason?: string }[];
    return entries.find(({ name }) => name === model)?.reason ?? "";
  };

  test("names, dims, batching and instances are what config.pbtxt says", async () => {
    const config = await get("/v2/models/batched/config");
    assert.equal(config["max_batch_size"], 4);
    assert.deepEqual(config["input"], [{ name: "x", data_type: "TYPE_FP32", dims: [2] }]);
    assert.deepEqual(config["output"], [{ name: "y", data_type: "TYPE_FP32", dims: [2] }]);
    assert.deepEqual(config["dynamic_batching"], {
      preferred_batch_size: [2, 4],
      max_queue_delay_microseconds: 200,
      priority_levels: 1,
      default_priority_level: 1,
    });
    assert.equal((config["instance_group"] as { count: number }[])[0]?.count, 2);
    const { outputs } = await answerOf(await infer("batched", "x", [3, 2], [1, 2, 3, 4, 5, 6]));
    assert.deepEqual(outputs[0]?.data, [-1, -2, -3, -4, -5, -6]);
    const wrong = await infer("batched", "x", [1, 3], [1, 2, 3]);
    assert.equal(wrong.status, 400);
  });

  test("a model is told where in its sequence each request stands, and clients see nothing of that", async () => {
    assert.deepEqual(
      ((await get("/v2/models/told"))["inputs"] as { name: string }[]).map(({ name }) => name),
      ["INPUT"],
    );
    const ask = async (
      id: number | string,
      parameters: object,
      rows: readonly number[],
    ): Promise<unknown> => {
      const inputs = [{ name: "INPUT", datatype: "FP32", shape: [rows.length, 1], data: rows }];
      const body = { inputs, parameters: { sequence_id: id, ...parameters } };
      const answer = await fetch(`${server.url}/v2/models/told/infer`, {
        method: "POST",
        body: JSON.stringify(body),
      });
      const { outputs, error } = (await answer.json()) as V2Answer & { readonly error?: string };
      return error ?? Object.fromEntries(outputs.map(({ name, data }) => [name.replace("_TOLD", ""), data]));
    };
    const told = (OUTPUT: number[], START: number, END: number, id: number): unknown => {
      const each = <T>(value: T): T[] => OUTPUT.map(() => value);
      return { OUTPUT, START: each(START), END: each(END), READY: each(true), CORRID: each(id) };
    };
    const start = { sequence_start: true };
    const first = await Promise.all([ask(7, start, [1, 10]), ask(8, start, [5])]);
    assert.deepEqual(first, [told([1, 10], 1, 0, 7), told([5], 1, 0, 8)]);
    const second = await Promise.all([ask(7, {}, [2, 20]), ask(8, { sequence_end: true }, [6])]);
    assert.deepEqual(second, [told([3, 30], -1, 0, 7), told([11], -1, 1, 8)]);
    assert.match((await ask("seven", start, [1])) as string, /given it as UINT64, which "seven" is not/);
    assert.deepEqual(await ask(7, { sequence_end: true }, [0, 0]), told([3, 30], -1, 1, 7));
  });

  test("what has no effect is in the index", async () => {
    assert.match(await reasonOf("batched"), /config\.pbtxt: optimization has no effect/);
  });

  test("max_batch_size 0 means complete dims and no batching", async () => {
    const config = await get("/v2/models/whole/config");
    assert.equal(config["max_batch_size"], 0);
    assert.deepEqual(config["input"], [{ name: "x", data_type: "TYPE_FP32", dims: [1, 2] }]);
    await answerOf(await infer("whole", "x", [1, 2], [1, 2]));
    assert.equal((await infer("whole", "x", [2, 2], [1, 2, 3, 4])).status, 400);
  });

  test("reshape: clients see dims, the model its own shape; outputs that are not declared are left out", async () => {
    const config = await get("/v2/models/reshaped/config");
    assert.deepEqual(config["input"], [
      { name: "x", data_type: "TYPE_FP32", dims: [2, 2], reshape: { shape: [4] } },
    ]);
    const { inputs, outputs: declared } = await get("/v2/models/reshaped");
    assert.deepEqual(inputs, [{ name: "x", datatype: "FP32", shape: [-1, 2, 2] }]);
    assert.deepEqual(declared, [{ name: "z", datatype: "FP32", shape: [-1, 4, 1] }]);
    const { outputs } = await answerOf(await infer("reshaped", "x", [1, 2, 2], [1, -2, 3, -4]));
    assert.deepEqual(outputs, [{ name: "z", datatype: "FP32", shape: [1, 4, 1], data: [1, 2, 3, 4] }]);
  });

  test("default_model_filename and version_policy choose files and versions", async () => {
    const { versions } = await get("/v2/models/chosen");
    assert.deepEqual(versions, ["1", "2"]);
    const { outputs } = await answerOf(await infer("chosen/versions/1", "x", [1, 4], [1, 2, 3, 4]));
    assert.equal(outputs.length, 2);
  });

  test("model.yaml wins, key by key", async () => {
    const config = await get("/v2/models/overruled/config");
    assert.equal(config["max_batch_size"], 3);
    assert.equal((config["instance_group"] as { count: number }[])[0]?.count, 2);
  });

  test("a model-settings.json is read", async () => {
    assert.equal((await get("/v2/models/mlserver/config"))["max_batch_size"], 5);
  });

  test("a scripted program is served under counted names, without a model.yaml", async () => {
    assert.equal(await reasonOf("script"), "");
    const { inputs, outputs } = await get("/v2/models/script");
    assert.deepEqual(inputs, [{ name: "INPUT__0", datatype: "FP32", shape: [-1, 32] }]);
    assert.equal((outputs as { name: string }[])[0]?.name, "OUTPUT__0");
    const answer = await answerOf(await infer("script", "INPUT__0", [3, 32], PYTORCH.x));
    assert.equal(answer.outputs[0]?.name, "OUTPUT__0");
    for (const [i, value] of answer.outputs[0]!.data.entries())
      assert.ok(Math.abs(value - PYTORCH.y[i]!) < 1e-5, `${value}, ${PYTORCH.y[i]}`);
  });

  test("classes come with the labels of label_filename, and with those of labels.txt", async () => {
    const classify = async (model: string, width: number, count: number, more = {}) => {
      const data = Array.from({ length: 2 * width }, (_, i) => (i % 2 === 0 ? -i : i));
      const answer = await fetch(`${server.url}/v2/models/${model}/infer`, {
        method: "POST",
        body: JSON.stringify({
          inputs: [{ name: "x", datatype: "FP32", shape: [2, width], data }],
          outputs: [{ name: "y", parameters: { classification: count, ...more } }],
        }),
      });
      return { status: answer.status, bytes: Buffer.from(await answer.arrayBuffer()) };
    };
    const output = (bytes: Buffer): unknown =>
      (JSON.parse(bytes.toString()) as { outputs: unknown[] }).outputs[0];
    assert.deepEqual(output((await classify("batched", 2, 1)).bytes), {
      name: "y",
      datatype: "BYTES",
      shape: [2, 1],
      data: ["0.000000:0:cat", "2.000000:0:cat"],
    });
    assert.deepEqual(output((await classify("overruled", 4, 2)).bytes), {
      name: "y",
      datatype: "BYTES",
      shape: [2, 2],
      data: ["2.000000:2:three", "0.000000:0:one", "6.000000:2:three", "4.000000:0:one"],
    });
    const binary = await classify("batched", 2, 2, { binary_data: true });
    assert.ok(binary.bytes.includes("\x0f\0\0\0-1.000000:1:dog"), binary.bytes.toString());
    for (const wrong of [-1, 1.5, "2", true])
      assert.equal((await classify("batched", 2, wrong as number)).status, 400);
    assert.equal((await classify("batched", 2, 0)).status, 200);
  });

  test("gRPC tells the configuration of a reshaped model, too", async () => {
    const client = new Client(new URL(server.url).host, credentials.createInsecure());
    try {
      const config = await new Promise<ModelConfigResponse>((resolve, reject) => {
        client.makeUnaryRequest(
          "/inference.GRPCInferenceService/ModelConfig",
          (name: string) =>
            Buffer.from(toBinary(ModelConfigRequestSchema, create(ModelConfigRequestSchema, { name }))),
          (bytes: Buffer) => fromBinary(ModelConfigResponseSchema, bytes),
          "reshaped",
          (error, answer) => (error === null ? resolve(answer!) : reject(error)),
        );
      });
      const [input] = config.config!.input;
      assert.deepEqual([input!.dims, input!.reshape!.shape], [[2n, 2n], [4n]]);
    } finally {
      client.close();
    }
  });

  const REFUSED: readonly (readonly [string, RegExp])[] = [
    ["pipeline", /^config\.pbtxt: step 1 \(batched\): inputs: expected 1 to 256/],
    ["wrongtype", /config\.pbtxt says INT64 of the input "x", and the model has FP32/],
    ["wrongname", /config\.pbtxt names the input "data", which the model does not have: it has x/],
    ["wrongsize", /config\.pbtxt says 5 of dimension 1 of the input "x", and the model has 4/],
    ["nolabels", /none\.txt/],
    ["typo", /^config\.pbtxt line 1: a model's configuration has no field "max_batchsize"/],
  ];
  for (const [model, expected] of REFUSED)
    test(`${model} is not served, and the index says why`, async () => {
      assert.match(await reasonOf(model), expected);
    });
});
