// Tests pipelines through a whole server: real models, REST and gRPC, and what becomes of a pipeline when a model of its steps does not answer.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import {
  ModelConfigRequestSchema,
  type ModelConfigResponse,
  ModelConfigResponseSchema,
  ModelInferRequestSchema,
  ModelInferResponseSchema,
} from "@sconce/protocol/messages";
import { until } from "../base/until.kit.ts";
import { loadConfig } from "../config/load-config.ts";
import { type TinyModel, tinyOnnx } from "../runtime/onnx/tiny-onnx.kit.ts";
import { type RunningServer, startServer } from "./start-server.ts";

const ROWS = ["batch", 4] as const;

function unary(op: string, dims: readonly (number | string)[] = ROWS): TinyModel {
  return {
    inputs: [{ name: "x", type: "FP32", dims }],
    outputs: [{ name: "y", type: "FP32", dims }],
    nodes: [{ op, inputs: ["x"], outputs: ["y"] }],
  };
}

/** a − b, which no other order of its inputs gives. */
const MINUS: TinyModel = {
  inputs: [
    { name: "a", type: "FP32", dims: ROWS },
    { name: "b", type: "FP32", dims: ROWS },
  ],
  outputs: [{ name: "c", type: "FP32", dims: ROWS }],
  nodes: [{ op: "Sub", inputs: ["a", "b"], outputs: ["c"] }],
};
const SIDE = 512;
/** Takes much longer than its request may: 32 products of matrices. */
const HEAVY: TinyModel = {
  inputs: [{ name: "x", type: "FP32", dims: [SIDE, SIDE] }],
  outputs: [{ name: "y", type: "FP32", dims: [SIDE, SIDE] }],
  nodes: Array.from({ length: 32 }, (_, i) => ({
    op: "MatMul",
    inputs: [i === 0 ? "x" : `p${i}`, "x"],
    outputs: [i === 31 ? "y" : `p${i + 1}`],
  })),
};

/** Gives one value the shape that it says, which fails unless it is 1. */
const PICK: TinyModel = {
  inputs: [{ name: "x", type: "FP32", dims: ["n"] }],
  outputs: [{ name: "y", type: "FP32", dims: ["m"] }],
  nodes: [
    { op: "Cast", inputs: ["x"], outputs: ["shape"], attributes: { to: 7 } },
    { op: "Reshape", inputs: ["x", "shape"], outputs: ["y"] },
  ],
};

function manySteps(model: string, count: number): string {
  return Array.from({ length: count }, (_, i) => `{model: ${model}, outputs: {y: y${i}}}`).join();
}

const FILES: Readonly<Record<string, TinyModel | string>> = {
  "sine/model.onnx": unary("Sin"),
  "root/model.onnx": unary("Sqrt"),
  "minus/model.onnx": MINUS,
  "pick/model.onnx": PICK,
  "pick/model.yaml": "batching: false\n",
  // It waits for a second row for as long as a test takes.
  "patient/model.onnx": unary("Neg"),
  "patient/model.yaml": "max_batch_size: 2\nmax_queue_delay: 60s\n",
  "chain/model.yaml": `
pipeline:
  steps:
    - model: sine
      outputs: {y: s}
    - model: root
      inputs: {x: s}
      outputs: {y: r}
`,
  "diamond/model.yaml": `
pipeline:
  steps:
    - {model: minus, inputs: {a: left, b: right}, outputs: {c: difference}}
    - {name: left, model: sine, inputs: {x: image}, outputs: {y: left}}
    - {name: right, model: root, inputs: {x: image}, outputs: {y: right}}
  outputs: [difference, right]
`,
  "nested/model.yaml":
    "pipeline:\n  steps:\n    - {model: chain, outputs: {r: x2}}\n    - {model: sine, inputs: {x: x2}}\n",
  "slow/model.yaml":
    "pipeline:\n  steps:\n    - {model: patient, outputs: {y: m}}\n    - {model: sine, inputs: {x: m}, outputs: {y: z}}\n",
  "texts/model.onnx": {
    inputs: [{ name: "x", type: "BYTES", dims: ["batch", 2] }],
    outputs: [{ name: "y", type: "BYTES", dims: ["batch", 2] }],
    nodes: [{ op: "Identity", inputs: ["x"], outputs: ["y"] }],
  },
  "letters/model.yaml":
    "pipeline:\n  steps:\n    - {model: texts, outputs: {y: m}}\n    - {name: again, model: texts, inputs: {x: m}, outputs: {y: z}}\n",
  "heavy/model.onnx": HEAVY,
  "after/model.onnx": unary("Sin", [SIDE, SIDE]),
  "late/model.yaml":
    "pipeline:\n  steps:\n    - {model: heavy, outputs: {y: m}}\n    - {model: after, inputs: {x: m}, outputs: {y: z}}\n",
  "picky/model.yaml": "pipeline:\n  steps:\n    - {model: pick, outputs: {y: p}}\n",
  "ensemble/config.pbtxt": `platform: "ensemble" max_batch_size: 8
    input [ { name: "IN" data_type: TYPE_FP32 dims: [ 4 ] } ]
    output [ { name: "OUT" data_type: TYPE_FP32 dims: [ 4 ] } ]
    ensemble_scheduling { step [
      { model_name: "sine" model_version: -1 input_map { key: "x" value: "IN" } output_map { key: "y" value: "mid" } },
      { model_name: "minus" model_version: 1
        input_map { key: "a" value: "mid" } input_map { key: "b" value: "IN" } output_map { key: "c" value: "OUT" } }
    ] }`,
  "ensemble/1/.keep": "",
  "ensemble/labels.txt": "one\ntwo\nthree\nfour\n",
  "unknown/model.yaml": "pipeline:\n  steps:\n    - model: sign\n",
  "ring/model.yaml":
    "pipeline:\n  steps:\n    - {name: one, model: sine, inputs: {x: b}, outputs: {y: a}}\n    - {name: two, model: minus, inputs: {a: a, b: x}, outputs: {c: b}}\n",
  "itself/model.yaml": "pipeline:\n  steps:\n    - model: itself2\n",
  "itself2/model.yaml": "pipeline:\n  steps:\n    - model: itself\n",
  "mismatch/model.yaml":
    "pipeline:\n  steps:\n    - {model: pick, outputs: {y: p}}\n    - {model: whole, inputs: {x: p}}\n",
  "whole/model.onnx": {
    ...unary("Neg"),
    inputs: [{ name: "x", type: "INT64", dims: ROWS }],
    outputs: [{ name: "y", type: "INT64", dims: ROWS }],
  },
  "sizes/model.yaml":
    "pipeline:\n  steps:\n    - {model: sine, outputs: {y: p}}\n    - {model: wide, inputs: {x: p}}\n",
  "wide/model.onnx": unary("Neg", ["batch", 5]),
  // 64 steps are allowed, 65 are not, and nor are 5 times 64.
  "most/model.yaml": `pipeline: {steps: [${manySteps("sine", 64)}]}`,
  "more/model.yaml": `pipeline: {steps: [${manySteps("sine", 65)}]}`,
  "growing/model.yaml": `pipeline: {steps: [${Array.from({ length: 5 }, (_, i) => `{name: m${i}, model: most, outputs: {y0: o${i}}}`).join()}]}`,
  "options/model.yaml": "instances: 2\npipeline:\n  steps:\n    - model: sine\n",
  "both/model.yaml": "pipeline:\n  steps:\n    - model: sine\n",
  "both/model.onnx": unary("Neg"),
};

const folder = mkdtempSync(join(tmpdir(), "sconce-pipelines-"));
for (const [path, content] of Object.entries(FILES)) {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), typeof content === "string" ? content : tinyOnnx(content));
}

let server: RunningServer;

/** Of some of the models: starting all of them takes most of a test's time. */
async function open(
  paths: readonly string[],
  more: ReadonlyArray<readonly [string, string]> = [],
): Promise<RunningServer> {
  const flags = new Map([["--port", "0"], ["--isolation", "thread"], ["--warmup-runs", "0"], ...more]);
  const started = await startServer({ paths, config: loadConfig({ flags }) });
  await started.settled;
  return started;
}

before(async () => {
  server = await open([folder]);
});
after(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly timing: string;
  readonly outputs: Readonly<Record<string, number[]>>;
}

/** Rows of the input named first, and those of more if there are any. */
async function infer(
  model: string,
  inputs: Readonly<Record<string, readonly number[]>>,
  more: {
    readonly outputs?: readonly string[];
    readonly width?: number;
    readonly shape?: readonly number[];
    readonly at?: RunningServer;
    readonly init?: RequestInit;
  } = {},
): Promise<Answer> {
  const { outputs, width = 4, shape, init, at = server } = more;
  const body = {
    inputs: Object.entries(inputs).map(([name, data]) => ({
      name,
      datatype: "FP32",
      shape: shape ?? [data.length / width, width],
      data,
    })),
    ...(outputs !== undefined && { outputs: outputs.map((name) => ({ name })) }),
  };
  const response = await fetch(`${at.url}/v2/models/${model}/infer`, {
    method: "POST",
    body: JSON.stringify(body),
    ...init,
  });
  const text = await response.text();
  const tensors = response.ok
    ? (JSON.parse(text) as { outputs: { name: string; data: number[] }[] }).outputs
    : [];
  return {
    status: response.status,
    text,
    timing: response.headers.get("server-timing") ?? "",
    outputs: Object.fromEntries(tensors.map(({ name, data }) => [name, data])),
  };
}

/** The first output of a model over gRPC; rejects with grpc-js' error. */
function overGrpc(
  modelName: string,
  inputs: readonly { readonly name: string; readonly datatype: string; readonly shape: readonly bigint[] }[],
  { raw, deadlineMs }: { readonly raw: readonly Uint8Array[]; readonly deadlineMs?: number },
): Promise<Uint8Array> {
  const client = new Client(new URL(server.url).host, credentials.createInsecure());
  const message = create(ModelInferRequestSchema, {
    modelName,
    inputs: inputs.map((input) => ({ ...input, shape: [...input.shape] })),
    rawInputContents: [...raw],
  });
  const answered = new Promise<Uint8Array>((resolve, reject) => {
    client.makeUnaryRequest(
      "/inference.GRPCInferenceService/ModelInfer",
      (request: typeof message) => Buffer.from(toBinary(ModelInferRequestSchema, request)),
      (answer: Buffer) => fromBinary(ModelInferResponseSchema, answer),
      message,
      new Metadata(),
      deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs },
      (error, answer) => (error ? reject(error) : resolve(answer!.rawOutputContents[0]!)),
    );
  });
  return answered.finally(() => client.close());
}

interface Statistics {
  readonly inference_count: number;
  readonly execution_count: number;
  readonly inference_stats: {
    readonly success: { readonly count: number };
    readonly fail: { readonly count: number };
  };
}

async function statistics(model: string): Promise<Statistics> {
  const response = await fetch(`${server.url}/v2/models/${model}/stats`);
  return ((await response.json()) as { model_stats: Statistics[] }).model_stats[0]!;
}

const ROW = [0.25, 1.5, 0.75, 2.25];

describe("a pipeline", () => {
  test("answers bit for bit as its models do one after another", async () => {
    const first = await infer("sine", { x: ROW });
    const second = await infer("root", { x: first.outputs["y"]! });
    const chain = await infer("chain", { x: ROW });
    assert.equal(chain.status, 200, chain.text);
    assert.deepEqual(chain.outputs, { r: second.outputs["y"] });
    const third = await infer("sine", { x: second.outputs["y"]! });
    assert.deepEqual((await infer("nested", { x: ROW })).outputs, { y: third.outputs["y"] });
  });

  test("branches and joins, whatever the order of its steps", async () => {
    const left = (await infer("sine", { x: ROW })).outputs["y"]!;
    const right = (await infer("root", { x: ROW })).outputs["y"]!;
    const minus = (await infer("minus", { a: left, b: right })).outputs["c"];
    const diamond = await infer("diamond", { image: ROW });
    assert.deepEqual(diamond.outputs, { difference: minus, right });
    const steps = [...diamond.timing.matchAll(/step-([a-z]+);dur=[0-9.]+/g)].map(([, name]) => name!);
    assert.deepEqual(steps.toSorted(), ["left", "minus", "right"]);
    assert.equal(steps.at(-1), "minus");
    const stages = [...diamond.timing.matchAll(/(?:^|, )([a-z]+);dur=([0-9.]+)/g)];
    const total = Number(stages.find(([, name]) => name === "total")![2]);
    const sum = stages.filter(([, name]) => name !== "total").reduce((all, [, , ms]) => all + Number(ms), 0);
    assert.ok(Math.abs(total - sum) < 0.01, diamond.timing);
  });

  test("runs only the steps that the outputs asked for need", async () => {
    const before = await statistics("sine");
    const { outputs } = await infer("diamond", { image: ROW }, { outputs: ["right"] });
    assert.deepEqual(Object.keys(outputs), ["right"]);
    assert.equal((await statistics("sine")).inference_count, before.inference_count);
  });

  test("has a signature, a configuration and statistics of its own, its models theirs", async () => {
    const metadata = (await (await fetch(`${server.url}/v2/models/diamond`)).json()) as Record<
      string,
      unknown
    >;
    assert.equal(metadata["platform"], "ensemble");
    assert.deepEqual(metadata["inputs"], [{ name: "image", datatype: "FP32", shape: [-1, 4] }]);
    const config = (await (await fetch(`${server.url}/v2/models/diamond/config`)).json()) as Record<
      string,
      never
    >;
    assert.deepEqual(config["ensemble_scheduling"]!["step"]![1], {
      model_name: "sine",
      model_version: -1,
      input_map: { x: "image" },
      output_map: { y: "left" },
    });
    assert.equal(config["max_batch_size"], 32);
    const before = [await statistics("diamond"), await statistics("root")];
    await infer("diamond", { image: [...ROW, ...ROW] });
    const after = [await statistics("diamond"), await statistics("root")];
    for (const [i, stats] of after.entries())
      assert.equal(stats.inference_count, before[i]!.inference_count + 2);
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    assert.match(metrics, /^sconce_pipeline_step_seconds_count\{.*model="diamond".*step="left".*\} \d+$/m);
  });

  test("a wrong input is rejected at its door, with its own words", async () => {
    const { status, text } = await infer("diamond", { image: [1, 2, 3] }, { width: 3 });
    assert.equal(status, 400);
    assert.match(text, /input \\"image\\": dimension 1 is 3, expected 4/);
    assert.match((await infer("diamond", { x: ROW })).text, /no such input; it takes \\"image\\"/);
  });

  test("rows of different clients share the run of a step", async () => {
    const before = await statistics("patient");
    const [one, two] = await Promise.all([infer("slow", { x: ROW }), infer("patient", { x: [1, 2, 3, 4] })]);
    assert.deepEqual([one.status, two.status], [200, 200]);
    const after = await statistics("patient");
    assert.equal(after.execution_count, before.execution_count + 1);
    assert.equal(after.inference_count, before.inference_count + 2);
    const pair = await Promise.all([infer("slow", { x: ROW }), infer("slow", { x: ROW })]);
    assert.deepEqual(pair[0]!.outputs, one.outputs);
    assert.deepEqual(pair[1]!.outputs, one.outputs);
  });

  test("a client that leaves takes its request out of the step's queue", async () => {
    const abort = new AbortController();
    const gone = infer("slow", { x: ROW }, { init: { signal: abort.signal } });
    const queued = async (): Promise<string> => {
      const page = await (await fetch(`${server.url}/metrics`)).text();
      return /^sconce_queue_requests\{model="patient",version="1"\} (\d+)$/m.exec(page)![1]!;
    };
    while ((await queued()) !== "1");
    abort.abort();
    await assert.rejects(gone);
    while ((await queued()) !== "0");
    const page = await (await fetch(`${server.url}/metrics`)).text();
    assert.match(page, /sconce_rejections_total\{model="slow",version="1",reason="cancelled"\} 1/);
  });

  test("a deadline ends it in the middle of a step, and the next one never runs", async () => {
    const headers = { "x-request-timeout-ms": "20" };
    const image = Array.from({ length: SIDE * SIDE }, () => 0);
    const late = await infer("late", { x: image }, { shape: [SIDE, SIDE], init: { headers } });
    assert.equal(late.status, 504, late.text.slice(0, 200));
    await until("the step is over", () => server.requestsInFlight() === 0);
    assert.equal((await statistics("after")).execution_count, 0);
    assert.equal((await statistics("late")).inference_stats.fail.count, 1);
  });

  test("texts go from step to step as they are, over REST and gRPC", async () => {
    const texts = ["", "ä", " \t\n", "x".repeat(70_000)];
    const inputs = [{ name: "x", datatype: "BYTES", shape: [2, 2], data: texts }];
    const response = await fetch(`${server.url}/v2/models/letters/infer`, {
      method: "POST",
      body: JSON.stringify({ inputs }),
    });
    const text = await response.text();
    assert.equal(response.status, 200, text);
    const { outputs } = JSON.parse(text) as { outputs: readonly { name: string; data: string[] }[] };
    assert.deepEqual(
      outputs.map(({ name, data }) => [name, data]),
      [["z", texts]],
    );
    const raw = Buffer.concat(
      texts.flatMap((text) => {
        const bytes = Buffer.from(text);
        const length = Buffer.alloc(4);
        length.writeUInt32LE(bytes.length);
        return [length, bytes];
      }),
    );
    const answered = await overGrpc("letters", [{ name: "x", datatype: "BYTES", shape: [2n, 2n] }], {
      raw: [raw],
    });
    assert.ok(Buffer.from(answered).equals(raw));
  });

  test("a step that fails fails its own request, and the next is answered", async () => {
    assert.equal((await infer("picky", { x: [1] }, { shape: [1] })).status, 200);
    const own = await infer("pick", { x: [77] }, { shape: [1] });
    const failed = await infer("picky", { x: [77] }, { shape: [1] });
    assert.ok(!(own.status < 400), own.text);
    assert.equal(failed.status, own.status);
    assert.match(failed.text, /step \\"pick\\": .*cannot become/);
    assert.deepEqual((await infer("picky", { x: [1] }, { shape: [1] })).outputs, { p: [1] });
    const { inference_stats } = await statistics("picky");
    assert.deepEqual([inference_stats.success.count, inference_stats.fail.count], [2, 1]);
  });
});

describe("an ensemble of a Triton repository", () => {
  test("answers over REST and gRPC, with classes", async () => {
    const mid = (await infer("sine", { x: ROW })).outputs["y"]!;
    const expected = (await infer("minus", { a: mid, b: ROW })).outputs["c"]!;
    assert.deepEqual((await infer("ensemble", { IN: ROW })).outputs, { OUT: expected });
    const bytes = new Uint8Array(new Float32Array(ROW).buffer);
    const inputs = [{ name: "IN", datatype: "FP32", shape: [1n, 4n] }];
    const raw = await overGrpc("ensemble", inputs, { raw: [bytes] });
    assert.deepEqual([...new Float32Array(new Uint8Array(raw).buffer)], expected.map(Math.fround));
    const client = new Client(new URL(server.url).host, credentials.createInsecure());
    const config = await new Promise<ModelConfigResponse>((resolve, reject) => {
      client.makeUnaryRequest(
        "/inference.GRPCInferenceService/ModelConfig",
        (request: Parameters<typeof toBinary<typeof ModelConfigRequestSchema>>[1]) =>
          Buffer.from(toBinary(ModelConfigRequestSchema, request)),
        (answer: Buffer) => fromBinary(ModelConfigResponseSchema, answer),
        create(ModelConfigRequestSchema, { name: "ensemble" }),
        (error, answer) => (error ? reject(error) : resolve(answer!)),
      );
    });
    client.close();
    const { ensembleScheduling, maxBatchSize } = config.config!;
    assert.equal(maxBatchSize, 8);

    assert.deepEqual(
      ensembleScheduling!.step.map(({ modelName }) => modelName),
      ["sine", "minus"],
    );
    const body = {
      inputs: [{ name: "IN", datatype: "FP32", shape: [1, 4], data: ROW }],
      outputs: [{ name: "OUT", parameters: { classification: 1 } }],
    };
    const classes = await fetch(`${server.url}/v2/models/ensemble/infer`, {
      method: "POST",
      body: JSON.stringify(body),
    });
    assert.match(await classes.text(), /:0:one"/);
  });
});

describe("a pipeline that does not fit together is not served, and says why", () => {
  const reasonOf = (name: string): string => server.models().find((entry) => entry.name === name)!.reason;
  for (const [name, words] of [
    ["unknown", /step "sign": there is no model "sign" on this server; did you mean "sine"\?/],
    ["ring", /the steps (one → two → one|two → one → two) wait for each other/],
    ["itself", /it is a step of itself: itself → itself2 → itself/],
    ["itself2", /it is a step of itself: itself2 → itself → itself2/],
    [
      "mismatch",
      /the tensor "p" is FP32 as output "y" of step "pick", and INT64 as input "x" of step "whole"/,
    ],
    [
      "sizes",
      /dimension 1 of the tensor "p" is 4 as output "y" of step "sine", and 5 as input "x" of step "wide"/,
    ],
    ["most", /^$/],
    ["more", /65 steps, and 64 are allowed/],
    ["growing", /a request would run 320 models, and 256 are allowed/],
    ["options", /"instances" has no effect on a pipeline/],
    ["both", /model.yaml makes the folder a pipeline, and it holds model.onnx, too/],
  ] as const)
    test(name, () => assert.match(reasonOf(name), words));
});

const CHAIN_AND_ITS_MODELS = ["sine", "root", "chain", "nested"].map(
  (name) => `${name}=${join(folder, name)}`,
);

test("with explicit control a pipeline's load loads its models; without one of them it says so until that is back", async () => {
  const token = "a-token-of-the-test";
  const own = await open(CHAIN_AND_ITS_MODELS, [
    ["--model-control", "explicit"],
    ["--admin-token", token],
  ]);
  const control = async (model: string, action: string, parameters: object = {}): Promise<string> => {
    const headers = { authorization: `Bearer ${token}` };
    const url = `${own.url}/v2/repository/models/${model}/${action}`;
    return (await fetch(url, { method: "POST", headers, body: JSON.stringify({ parameters }) })).text();
  };
  const states = (): Record<string, string> =>
    Object.fromEntries(own.models().map(({ name, state, reason }) => [name, `${state} ${reason}`.trim()]));
  try {
    assert.match(await control("nested", "load"), /"load":true/);
    assert.deepEqual(states(), { chain: "READY", nested: "READY", root: "READY", sine: "READY" });
    assert.equal((await infer("nested", { x: ROW }, { at: own })).status, 200);
    await control("root", "unload");
    const why = 'step "root": model "root" is not ready: unloaded on request';
    assert.equal(states()["chain"], `UNAVAILABLE ${why}`);
    assert.match(states()["nested"]!, /^UNAVAILABLE step "chain": model "chain" is not ready: step "root"/);
    const refused = await infer("chain", { x: ROW }, { at: own });
    assert.equal(refused.status, 503);
    assert.ok(refused.text.includes(JSON.stringify(why).slice(1, -1)), refused.text);
    await control("root", "load");
    assert.deepEqual(states(), { chain: "READY", nested: "READY", root: "READY", sine: "READY" });
    assert.equal((await infer("nested", { x: ROW }, { at: own })).status, 200);
    await control("chain", "unload", { unload_dependents: true });
    assert.deepEqual(
      Object.values(states()).filter((state) => state === "READY"),
      [],
    );
    await control("nested", "load");
    assert.deepEqual(states(), { chain: "READY", nested: "READY", root: "READY", sine: "READY" });
  } finally {
    await own.stop();
  }
});

test("models that load on first use are loaded for their steps, with room for one at a time", async () => {
  const own = await open(CHAIN_AND_ITS_MODELS, [
    ["--lazy-loading", "true"],
    ["--max-loaded-models", "1"],
  ]);
  try {
    const first = await infer("nested", { x: ROW }, { at: own });
    assert.equal(first.status, 200, first.text);
    const again = await infer("nested", { x: ROW }, { at: own });
    assert.deepEqual(again.outputs, first.outputs);
    assert.deepEqual(first.outputs, (await infer("nested", { x: ROW })).outputs);
  } finally {
    await own.stop();
  }
});

test("a request of a pipeline costs its tenant's quota one request, however many steps it has", async () => {
  const own = await open(CHAIN_AND_ITS_MODELS, [
    ["--tenant-header", "x-tenant"],
    ["--tenant-quota", "0.001"],
    ["--tenant-quota-burst", "1"],
  ]);
  try {
    const init = { headers: { "x-tenant": "one" } };
    const statuses: number[] = [];
    for (let i = 0; i < 2; i++) statuses.push((await infer("nested", { x: ROW }, { at: own, init })).status);
    assert.deepEqual(statuses, [200, 429]);
  } finally {
    await own.stop();
  }
});

test("workers that die cost no request of a pipeline: they come back, and so does it", {
  skip: process.platform !== "linux",
}, async () => {
  const own = await open(CHAIN_AND_ITS_MODELS, [["--isolation", "process"]]);
  const workers = (): number[] =>
    readFileSync(`/proc/self/task/${process.pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
  try {
    const before = await infer("nested", { x: ROW }, { at: own });
    assert.equal(before.status, 200, before.text);
    const pids = workers();
    assert.ok(pids.length >= 2);
    for (const pid of pids) process.kill(pid, "SIGKILL");
    const after = await infer("nested", { x: ROW }, { at: own });
    assert.deepEqual([after.status, after.outputs], [200, before.outputs], after.text);
  } finally {
    await own.stop();
  }
});
