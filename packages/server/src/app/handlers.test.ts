// Tests models with code of their own around them, as a user writes it: handler.js and handler.ts beside a model.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { loadConfig } from "../config/load-config.ts";
import { unary } from "../runtime/onnx/tiny-onnx.kit.ts";
import { type RunningServer, startServer } from "./start-server.ts";

const folder = mkdtempSync(join(tmpdir(), "sconce-handlers-"));
after(() => rmSync(folder, { recursive: true }));

const DIMS = ["batch", 2];
const NEGATE = unary("Neg", { name: "x", type: "FP32", dims: DIMS }, { type: "FP32", dims: DIMS });

/** A model that negates two numbers, with code around it. */
function model(name: string, file: string, code: string, settings = "execution_timeout: 5s\n"): void {
  const place = join(folder, name);
  mkdirSync(place);
  writeFileSync(join(place, "model.onnx"), NEGATE);
  writeFileSync(join(place, "model.yaml"), settings);
  writeFileSync(join(place, file), code);
}

model(
  "words",
  "handler.ts",
  `import { defineHandler, type HandlerFile, type HandlerTensor, InputError } from "sconce/handler";
import { shorten } from "./shorten.js";

interface Words { inputs: { x: number[] }; outputs: { y: HandlerTensor<"FP32"> } }

export default defineHandler<Words>({
  async preprocess(input, context) {
    if (typeof input !== "string") {
      const { type, bytes } = input as HandlerFile;
      return { x: [bytes.length, type.length] };
    }
    if (input === "") throw new InputError("a text of some length, please");
    context.state = { text: shorten(input), by: context.parameters["by"] ?? 1 };
    return { x: [input.length, 0.5] };
  },
  postprocess(outputs, { state }) {
    return { state, length: -outputs.y.data[0]!, shape: outputs.y.shape };
  },
});
`,
);
writeFileSync(join(folder, "words", "shorten.js"), "export const shorten = (text) => text.slice(0, 3);\n");
model(
  "wild",
  "handler.js",
  `export default {
  preprocess(input) {
    if (input === "throw") throw new Error("a secret of the model");
    if (input === "hang") for (;;);
    if (input === "end") process.exit(3);
    if (input === "short") return { x: [1] };
    if (input === "other") return { z: [1, 2] };
    return { x: { shape: [1, 2], data: Float32Array.of(1, 2) } };
  },
};
`,
);
model("only-after", "handler.mjs", "export default { postprocess: ({ y }) => y.data[0] < 0 };\n");
model("wrong", "handler.js", "export default { preproces() {} };\n");
model("broken", "handler.js", "import 'nothing-of-this-name';\n");
model("both", "handler.js", "export default {};\n", "task: text-classification\n");

mkdirSync(join(folder, "twice"));
writeFileSync(
  join(folder, "twice", "model.yaml"),
  "pipeline: {steps: [{model: words, outputs: {y: m}}, {name: again, model: words, inputs: {x: m}}]}\n",
);
writeFileSync(
  join(folder, "twice", "handler.js"),
  "export default { preprocess: (text) => ({ x: [text.length, 2] }), postprocess: ({ y }) => ({ back: [...y.data] }) };\n",
);

/** Code between models: a folder without one. */
function transform(name: string, code: string, settings: string, file = "handler.js"): void {
  const place = join(folder, name);
  mkdirSync(place);
  writeFileSync(join(place, "model.yaml"), settings);
  writeFileSync(join(place, file), code);
}

transform(
  "longest",
  `import { defineTransform, type HandlerTensor, InputError } from "sconce/handler";

interface Rows { inputs: { rows: HandlerTensor<"FP32"> }; outputs: { row: number[][]; word: string[]; place: bigint[] } }

export default defineTransform<Rows>(async ({ rows: { data, shape } }) => {
  const [count, width] = shape as [number, number];
  if (count === 0) throw new InputError("no rows to choose from");
  if (data[0] === 13) throw new Error("a secret");
  if (data[0] === 14) return { row: [[1, 2, 3]], word: ["x"], place: [0n] };
  if (data[0] === 15) return { row: [[1, 2]], word: ["x"] } as never;
  const sums = Array.from({ length: count }, (_, i) => data.slice(i * width, (i + 1) * width).reduce((a, b) => a + b));
  const best = sums.indexOf(Math.max(...sums));
  return { row: [[...data.slice(best * width, (best + 1) * width)]], word: [\`row \${best}\`], place: [BigInt(best)] };
});
`,
  `inputs: {rows: "float32[n, 2]"}
outputs: {row: "float32[1, 2]", word: "string[one]", place: "int64[one]"}
instances: 1
`,
  "handler.ts",
);
transform(
  "between",
  "export default undefined;\n",
  "pipeline: {steps: [{model: wild, outputs: {y: m}}, {model: longest, inputs: {rows: m}, outputs: {row: r, word: w, place: p}}, {name: back, model: wild, inputs: {x: r}, outputs: {y: z}}], outputs: [z, w, p]}\n",
  "notes.txt",
);
const ROWS = 'inputs: {x: "float32[n]"}\noutputs: {y: "float32[n]"}\n';
transform("surrounds-nothing", "export default { preprocess() {} };\n", ROWS);
transform("codeless", "", ROWS, "notes.txt");
transform(
  "odd-type",
  "export default () => ({});\n",
  'inputs: {x: "floats[n]"}\noutputs: {y: "float32[n]"}\n',
);
transform("cached", "export default () => ({});\n", `${ROWS}cache: 1MiB\n`);

transform("refused", "export default () => ({});\n", ROWS);
symlinkSync("/etc/hostname", join(folder, "refused", "model.onnx"));

async function start(flags: Readonly<Record<string, string>> = {}): Promise<RunningServer> {
  const all = new Map(Object.entries({ "--port": "0", "--readiness": "ready-models", ...flags }));
  const server = await startServer({ paths: [folder], config: loadConfig({ flags: all }) });
  await server.settled;
  return server;
}

describe("a handler beside a model", () => {
  let server: RunningServer;
  before(async () => {
    server = await start();
  });
  after(() => server.stop());

  const ask = async (
    name: string,
    body: string | Uint8Array,
    type = "application/json",
  ): Promise<unknown[]> => {
    const sent = typeof body === "string" ? body : new Uint8Array(body);
    const response = await fetch(`${server.url}/predict/${name}`, {
      method: "POST",
      body: sent,
      headers: { "content-type": type },
    });
    return [response.status, await response.json()];
  };
  const reasonOf = (name: string): string =>
    server.models().find((entry) => entry.name === name)?.reason ?? "";

  test("in TypeScript makes inputs of what a client sends, and an answer of outputs", async () => {
    assert.deepEqual(await ask("words", '{"input":"hello","parameters":{"by":2}}'), [
      200,
      { prediction: { state: { text: "hel", by: 2 }, length: 5, shape: [1, 2] } },
    ]);
    assert.deepEqual(await ask("words", Uint8Array.of(0, 1, 2), "application/pdf"), [
      200,
      { prediction: { length: 3, shape: [1, 2] } },
    ]);
    assert.deepEqual(await server.predict("words", "four"), {
      state: { text: "fou", by: 1 },
      length: 4,
      shape: [1, 2],
    });
  });

  test("stands around a pipeline as around a model", async () => {
    assert.deepEqual(await ask("twice", '{"input":"seven"}'), [200, { prediction: { back: [5, 2] } }]);
  });

  const infer = async (model: string, name: string, shape: number[], data: number[]): Promise<unknown[]> => {
    const body = JSON.stringify({ inputs: [{ name, datatype: "FP32", shape, data }] });
    const response = await fetch(`${server.url}/v2/models/${model}/infer`, { method: "POST", body });
    const answer = (await response.json()) as {
      readonly error?: string;
      readonly outputs?: ReadonlyArray<{ readonly name: string; readonly data: unknown }>;
    };
    return [response.status, answer.error ?? answer.outputs?.map((output) => [output.name, output.data])];
  };

  test("stands between models: a folder without one is a step of a pipeline that makes tensors of tensors", async () => {
    assert.deepEqual(await infer("longest", "rows", [3, 2], [1, 2, 5, 6, 3, 4]), [
      200,
      [
        ["row", [5, 6]],
        ["word", ["row 1"]],
        ["place", [1]],
      ],
    ]);
    assert.deepEqual(await infer("between", "x", [3, 2], [1, 2, -5, -6, 3, 4]), [
      200,
      [
        ["z", [-5, -6]],
        ["w", ["row 1"]],
        ["p", [1]],
      ],
    ]);
  });

  test("between models says what is wrong with tensors, keeps its own failures, and is held to its model.yaml", async () => {
    const none = await infer("longest", "rows", [0, 2], []);
    assert.deepEqual(none, [400, "input: no rows to choose from"]);
    for (const first of [13, 14, 15]) {
      const [status, error] = await infer("between", "x", [1, 2], [-first, 0]);
      assert.equal(status, 500);
      assert.match(
        String(error),
        /^step "longest": the model's handler failed in transform; the server's log/,
      );
    }
    assert.equal((await infer("between", "x", [1, 2], [1, 2]))[0], 200);
    assert.match(
      reasonOf("surrounds-nothing"),
      /no model for it to surround; expected export default defineTransform/,
    );
    assert.match(reasonOf("codeless"), /no model file, and no handler.ts/);
    assert.match(reasonOf("refused"), /it is a link/, "a model that was refused is not passed over");
    assert.match(reasonOf("odd-type"), /inputs.x: expected a type and sizes/);
    assert.match(reasonOf("cached"), /cache: what code answers is not kept/);
  });

  test("may leave out either part", async () => {
    assert.deepEqual(await ask("only-after", '{"input":[3,4]}'), [200, { prediction: true }]);
    assert.deepEqual(await ask("wild", '{"input":"fine"}'), [200, { prediction: [[-1, -2]] }]);
    const [status, body] = await ask("only-after", '{"input":[3,4,5]}');
    assert.equal(status, 400);
    assert.match(JSON.stringify(body), /x/);
  });

  test("says what is wrong with an input, and keeps its own failures from clients", async () => {
    assert.deepEqual(await ask("words", '{"input":""}'), [
      400,
      { error: "input: a text of some length, please", reason: "invalid_input" },
    ]);
    for (const input of ["throw", "other"]) {
      const [status, body] = await ask("wild", JSON.stringify({ input }));
      assert.equal(status, 500);
      assert.match(JSON.stringify(body), /the model's handler failed in preprocess; the server's log/);
    }
  });

  test("that ends or hangs costs its own worker: the next request is answered", async () => {
    for (const [input, expected] of [
      ["end", 503],
      ["hang", 504],
    ] as const) {
      const hurt = ask("wild", JSON.stringify({ input }));
      const others = await ask("words", '{"input":"meanwhile"}');
      assert.equal(others[0], 200);
      assert.equal((await hurt)[0], expected);
      assert.equal((await ask("wild", '{"input":"fine"}'))[0], 200);
    }
  });

  test("that is none is told so when the model loads", () => {
    assert.match(
      reasonOf("wrong"),
      /handler\.js: preproces is unknown; there are preprocess and postprocess/,
    );
    assert.match(reasonOf("broken"), /handler\.js: Cannot find package 'nothing-of-this-name'/);
    assert.match(reasonOf("both"), /the folder holds handler\.js, and model\.yaml sets the task/);
    assert.doesNotMatch(reasonOf("broken"), new RegExp(folder));
  });
});

for (const flags of [{ "--handlers": "off" }, { "--runtime": "onnx" }]) {
  test(`no handler runs with ${JSON.stringify(flags)}`, async () => {
    const server = await start(flags);
    try {
      // What has no code, or waits for what has.
      const others = new Set(["codeless", "between", "refused"]);
      assert.ok(server.models().every(({ state }) => state !== "READY"));
      const reasons = server.models().flatMap(({ name, reason }) => (others.has(name) ? [] : [reason]));
      assert.ok(
        reasons.every((reason) => /which is code, and this server runs none|a model has one/.test(reason)),
      );
    } finally {
      await server.stop();
    }
  });
}
