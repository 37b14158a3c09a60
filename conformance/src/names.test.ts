// Tests the names of inputs and outputs on the built server: those of the program, those of its export, and those of model.yaml.
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Message, protoClient } from "./grpc-client.ts";
import { type ServerProcess, startServerProcess } from "./server-process.ts";

const FIXTURE = fileURLToPath(new URL("../../packages/torch/fixtures/rewrite/named.pt2", import.meta.url));
const ENCODER = fileURLToPath(new URL("../../packages/torch/fixtures/rewrite/encoder.onnx", import.meta.url));

const TRUE = ["inputIds", "X__0", "x__0", "Batch_pixelValues", "Scale"];
const EXPORTED = ["inputids", "X__0", "x__0_1", "batch_pixelvalues", "scale"];
const RENAME = `rename:
  inputIds: tokens
  batch_pixelvalues: image
  Logits: image
  Scale: X
`;

/** Logits are 5·7 + 2 − 3, rows the sums of the ids. */
const VALUES = [
  ["INT64", [2, 2], [1, 2, 3, 4]],
  ["FP32", [1], [2]],
  ["FP32", [1], [3]],
  ["FP32", [1], [5]],
  ["FP32", [1], [7]],
] as const;

const tensors = (names: readonly string[]): Message[] =>
  names.map((name, i) => ({ name, datatype: VALUES[i]![0], shape: VALUES[i]![1], data: VALUES[i]![2] }));

describe("names of inputs and outputs", () => {
  const folder = mkdtempSync(join(tmpdir(), "sconce-names-"));
  let server: ServerProcess;

  before(async () => {
    copyFileSync(FIXTURE, join(folder, "named.pt2"));
    mkdirSync(join(folder, "renamed"));
    copyFileSync(FIXTURE, join(folder, "renamed", "model.pt2"));
    writeFileSync(join(folder, "renamed", "model.yaml"), RENAME);
    mkdirSync(join(folder, "encoder"));
    copyFileSync(ENCODER, join(folder, "encoder", "model.onnx"));
    writeFileSync(join(folder, "encoder", "model.yaml"), "rename: { ids: inputIds }\n");
    for (const [name, yaml] of [
      ["unknown", "rename: { inputIdz: tokens }"],
      ["twice", "rename: { X__0: same, x__0: same }"],
    ] as const) {
      mkdirSync(join(folder, name));
      copyFileSync(FIXTURE, join(folder, name, "model.pt2"));
      writeFileSync(join(folder, name, "model.yaml"), `${yaml}\n`);
    }
    server = await startServerProcess([folder], { until: "listening" });
    await settled();
  });
  after(async () => {
    await server.stop();
    rmSync(folder, { recursive: true });
  });

  async function index(): Promise<{ name: string; state: string; reason?: string }[]> {
    const answer = await fetch(`${server.url}/v2/repository/index`, { method: "POST" });
    return (await answer.json()) as { name: string; state: string; reason?: string }[];
  }

  async function settled(): Promise<void> {
    for (;;) {
      const models = await index();
      if (
        models.length === 5 &&
        models.every(({ state, reason }) => state === "READY" || (state === "UNAVAILABLE" && reason))
      )
        return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async function post(path: string, body: unknown): Promise<{ status: number; body: Message }> {
    const answer = await fetch(`${server.url}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    return { status: answer.status, body: (await answer.json()) as Message };
  }

  async function infer(model: string, names: readonly string[], outputs?: readonly string[]) {
    const wanted = outputs === undefined ? {} : { outputs: outputs.map((name) => ({ name })) };
    const { status, body } = await post(`/v2/models/${model}/infer`, { inputs: tensors(names), ...wanted });
    const given = (body["outputs"] ?? []) as { name: string; data: number[] }[];
    return { status, error: body["error"], outputs: given.map(({ name, data }) => [name, data]) };
  }

  async function metadata(model: string): Promise<string[][]> {
    const answer = (await (await fetch(`${server.url}/v2/models/${model}`)).json()) as Message;
    const config = (await (await fetch(`${server.url}/v2/models/${model}/config`)).json()) as Message;
    const namesOf = (value: unknown): string[] => (value as { name: string }[]).map(({ name }) => name);
    assert.deepEqual(namesOf(config["input"]), namesOf(answer["inputs"]));
    assert.deepEqual(namesOf(config["output"]), namesOf(answer["outputs"]));
    return [namesOf(answer["inputs"]), namesOf(answer["outputs"])];
  }

  const ANSWER = [
    ["Logits", [34]],
    ["rows", [3, 7]],
  ];

  test("are those that forward has, and those of the export are taken, too", async () => {
    assert.deepEqual(await metadata("named"), [TRUE, ["Logits", "rows"]]);
    for (const names of [TRUE, EXPORTED]) {
      assert.deepEqual(await infer("named", names), { status: 200, error: undefined, outputs: ANSWER });
    }
    const twice = await infer("named", ["inputIds", "inputids", ...TRUE.slice(2)]);
    assert.deepEqual([twice.status, twice.error], [400, 'input "inputIds" is given twice']);
  });

  test("are the same in /predict, where an unknown one is refused by the served ones", async () => {
    for (const names of [TRUE, EXPORTED]) {
      const nested = [
        [
          [1, 2],
          [3, 4],
        ],
        [2],
        [3],
        [5],
        [7],
      ];
      const input = Object.fromEntries(names.map((name, i) => [name, nested[i]]));
      const { status, body } = await post("/predict/named", { input });
      assert.equal(status, 200, JSON.stringify(body));
      assert.deepEqual(body["prediction"], { Logits: [34], rows: [3, 7] });
    }
    const twice = await post("/predict/named", { input: { inputIds: [[1, 2]], inputids: [[1, 2]] } });
    assert.match(String(twice.body["error"]), /input\.inputids: "inputIds" is given twice/);
    const { body } = await post("/predict/named", { input: { ids: [[1]] } });
    assert.match(String(body["error"]), /no such input; expected "inputIds" \(INT64/);
  });

  test("stand in the messages of guards", async () => {
    const odd = [
      { name: "inputids", datatype: "INT64", shape: [1, 3], data: [1, 2, 3] },
      ...tensors(TRUE).slice(1),
    ];
    const named = await post("/v2/models/named/infer", { inputs: odd });
    assert.equal(named.status, 400);
    assert.match(String(named.body["error"]), /\(inputIds\.shape\[1\] % 2\) != 1; got 3/);
    const renamed = await post("/v2/models/renamed/infer", { inputs: odd });
    assert.match(String(renamed.body["error"]), /\(tokens\.shape\[1\] % 2\) != 1; got 3/);
  });

  test("can be others in model.yaml, an output's that of an input as well, and the old ones are taken", async () => {
    const [inputs, outputs] = await metadata("renamed");
    assert.deepEqual(inputs, ["tokens", "X__0", "x__0", "image", "X"]);
    assert.deepEqual(outputs, ["image", "rows"]);
    const answer = [["image", [34]], ANSWER[1]];
    for (const names of [inputs!, TRUE, EXPORTED]) {
      assert.deepEqual(await infer("renamed", names), { status: 200, error: undefined, outputs: answer });
    }
    const asked = await infer("renamed", TRUE, ["rows", "Logits"]);
    assert.deepEqual(asked.outputs, [ANSWER[1], ANSWER[0]], "outputs go back as they were asked for");
    const twice = await infer("renamed", TRUE, ["image", "Logits"]);
    assert.deepEqual([twice.status, twice.error], [400, 'output "image" is asked for twice']);
  });

  test("of an ONNX file can be others, too", async () => {
    assert.deepEqual((await metadata("encoder"))[0], ["inputIds"]);
    const ask = (name: string) =>
      post("/v2/models/encoder/infer", {
        inputs: [{ name, datatype: "INT64", shape: [1, 3], data: [1, 2, 3] }],
      });
    const [renamed, old] = [await ask("inputIds"), await ask("ids")];
    assert.equal(renamed.status, 200, JSON.stringify(renamed.body));
    assert.deepEqual(old.body["outputs"], renamed.body["outputs"]);
  });

  test("that a rename gets wrong stop the model, and the reason says what is meant", async () => {
    const models = await index();
    const reason = (model: string): string => models.find(({ name }) => name === model)?.reason ?? "";
    assert.match(reason("unknown"), /'rename' names 'inputIdz'.*did you mean 'inputIds'\?/);
    assert.match(reason("twice"), /'rename' leaves two inputs called 'same'/);
  });

  test("are the same over gRPC", async () => {
    const client = protoClient({
      proto: "inference/grpc_service.proto",
      service: "inference.GRPCInferenceService",
      target: server.authority,
    });
    try {
      const inputs = EXPORTED.map((name, i) => ({
        name,
        datatype: VALUES[i]![0],
        shape: VALUES[i]![1],
        contents: { [VALUES[i]![0] === "INT64" ? "int64Contents" : "fp32Contents"]: VALUES[i]![2] },
      }));
      const answer = await client.unary("ModelInfer", {
        modelName: "renamed",
        inputs,
        outputs: [{ name: "Logits" }],
      });
      assert.deepEqual(
        (answer["outputs"] as Message[]).map(({ name }) => name),
        ["Logits"],
      );
      assert.equal((answer["rawOutputContents"] as Buffer[])[0]!.readFloatLE(0), 34);
      const { inputs: known } = await client.unary("ModelMetadata", { name: "named" });
      assert.deepEqual(
        (known as Message[]).map(({ name }) => name),
        TRUE,
      );
    } finally {
      client.close();
    }
  });
});
