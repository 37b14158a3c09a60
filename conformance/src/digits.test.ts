// Tests the built server on examples/models, with held-out digits, over REST and gRPC.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { argmax, type ExpectedDigit, expectedDigits, MODELS_FOLDER, nestedImage } from "./expected-digits.ts";
import { type Message, type ProtoClient, protoClient } from "./grpc-client.ts";
import { type ServerProcess, startServerProcess } from "./server-process.ts";

const { accuracy, digits } = expectedDigits();
const TOLERANCE = 1e-5;

/** Same predictions as PyTorch, probabilities within 1e-5, and so its accuracy. */
function assertLikePyTorch(answers: readonly ArrayLike<number>[]): void {
  assert.equal(answers.length, digits.length);
  let correct = 0;
  for (const [i, answer] of answers.entries()) {
    const { probabilities, label } = digits[i]!;
    assert.equal(argmax(answer), argmax(probabilities), `digit ${i}`);
    for (const [k, expected] of probabilities.entries()) {
      assert.ok(
        Math.abs(answer[k]! - expected) <= TOLERANCE,
        `digit ${i}, class ${k}: ${answer[k]} instead of ${expected}`,
      );
    }
    if (argmax(answer) === label) correct += 1;
  }
  assert.ok(Math.abs(correct / digits.length - accuracy) < 1e-6);
}

function imageBytes({ image }: ExpectedDigit): Buffer {
  return Buffer.from(image.buffer, image.byteOffset, image.byteLength);
}

function floats(bytes: Uint8Array): Float32Array {
  return new Float32Array(Uint8Array.from(bytes).buffer);
}

describe("held-out digits through the built server", () => {
  let server: ServerProcess;
  let inference: ProtoClient;
  let sconce: ProtoClient;

  before(async () => {
    server = await startServerProcess([MODELS_FOLDER]);
    const target = server.authority;
    inference = protoClient({
      proto: "inference/grpc_service.proto",
      service: "inference.GRPCInferenceService",
      target,
    });
    sconce = protoClient({
      proto: "sconce/v1/model_serving.proto",
      service: "sconce.v1.ModelServing",
      target,
    });
  });
  after(async () => {
    inference?.close();
    sconce?.close();
    await server?.stop();
  });

  async function post(path: string, body: unknown): Promise<Record<string, unknown>> {
    const answer = await fetch(`${server.url}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const parsed = (await answer.json()) as Record<string, unknown>;
    assert.equal(answer.status, 200, JSON.stringify(parsed));
    assert.match(answer.headers.get("server-timing") ?? "", /queue;dur=.*compute;dur=/);
    return parsed;
  }

  test("REST, Open Inference Protocol, one request per digit", async () => {
    const answers = [];
    for (const digit of digits) {
      const inputs = [{ name: "image", datatype: "FP32", shape: [1, 1, 8, 8], data: [nestedImage(digit)] }];
      const { outputs } = await post("/v2/models/digits/infer", { inputs });
      const [output] = outputs as { name: string; shape: number[]; data: number[] }[];
      assert.equal(output!.name, "probabilities");
      assert.deepEqual(output!.shape, [1, 10]);
      answers.push(output!.data.flat());
    }
    assertLikePyTorch(answers);
  });

  test("REST, Open Inference Protocol, one batch of flat data", async () => {
    const data = digits.flatMap(({ image }) => Array.from(image));
    const inputs = [{ name: "image", datatype: "FP32", shape: [digits.length, 1, 8, 8], data }];
    const { outputs } = await post("/v2/models/digits/infer", { inputs });
    const flat = (outputs as { data: number[] }[])[0]!.data.flat();
    assertLikePyTorch(digits.map((_, i) => flat.slice(10 * i, 10 * i + 10)));
  });

  test("REST, binary tensors both ways", async () => {
    const header = JSON.stringify({
      inputs: [
        {
          name: "image",
          datatype: "FP32",
          shape: [digits.length, 1, 8, 8],
          parameters: { binary_data_size: digits.length * 256 },
        },
      ],
      outputs: [{ name: "probabilities", parameters: { binary_data: true } }],
    });
    const answer = await fetch(`${server.url}/v2/models/digits/infer`, {
      method: "POST",
      headers: {
        "content-type": "application/octet-stream",
        "inference-header-content-length": String(Buffer.byteLength(header)),
      },
      body: Buffer.concat([Buffer.from(header), ...digits.map(imageBytes)]),
    });
    assert.equal(answer.status, 200);
    const skip = Number(answer.headers.get("inference-header-content-length"));
    const all = floats(new Uint8Array(await answer.arrayBuffer()).subarray(skip));
    assertLikePyTorch(digits.map((_, i) => all.subarray(10 * i, 10 * i + 10)));
  });

  test("REST, /predict with one row and with a batch", async () => {
    const one = await post("/predict/digits", { input: nestedImage(digits[0]!) });
    assert.equal(argmax(one["prediction"] as number[]), digits[0]!.label);
    const { prediction } = await post("/predict/digits", { input: digits.map(nestedImage) });
    assertLikePyTorch(prediction as number[][]);
  });

  test("gRPC, raw_input_contents", async () => {
    const answers = [];
    for (const digit of digits) answers.push(floats(await rawInfer(digit)));
    assertLikePyTorch(answers);
  });

  async function rawInfer(digit: ExpectedDigit): Promise<Uint8Array> {
    const answer = await inference.unary("ModelInfer", {
      modelName: "digits",
      inputs: [{ name: "image", datatype: "FP32", shape: [1, 1, 8, 8] }],
      rawInputContents: [imageBytes(digit)],
    });
    return (answer["rawOutputContents"] as Uint8Array[])[0]!;
  }

  test("gRPC, typed contents", async () => {
    const fp32Contents = digits.flatMap(({ image }) => Array.from(image));
    const answer = await inference.unary("ModelInfer", {
      modelName: "digits",
      inputs: [
        { name: "image", datatype: "FP32", shape: [digits.length, 1, 8, 8], contents: { fp32Contents } },
      ],
    });
    const all = floats((answer["rawOutputContents"] as Uint8Array[])[0]!);
    assertLikePyTorch(digits.map((_, i) => all.subarray(10 * i, 10 * i + 10)));
  });

  test("gRPC, ModelStreamInfer: many in flight, one bad message does not end the stream", async () => {
    const requests = digits.map((digit, i) => ({
      modelName: "digits",
      id: String(i),
      inputs: [{ name: i === 7 ? "imagine" : "image", datatype: "FP32", shape: [1, 1, 8, 8] }],
      rawInputContents: [imageBytes(digit)],
    }));
    const answers = await inference.stream("ModelStreamInfer", requests);
    assert.equal(answers.length, digits.length);
    const failed = answers.filter((answer) => answer["errorMessage"] !== "");
    assert.equal(failed.length, 1);
    assert.match(String(failed[0]!["errorMessage"]), /imagine.*image/);
    const byId = new Map(
      answers.map((answer) => [(answer["inferResponse"] as Message | null)?.["id"], answer]),
    );
    for (const [i, digit] of digits.entries()) {
      if (i === 7) continue;
      const response = byId.get(String(i))!["inferResponse"] as { rawOutputContents: Uint8Array[] };
      assert.equal(argmax(floats(response.rawOutputContents[0]!)), argmax(digit.probabilities));
    }
  });

  test("gRPC, sconce.v1 Predict and StreamPredict", async () => {
    const input = (digit: ExpectedDigit): Message => ({
      name: "image",
      datatype: "FP32",
      shape: [1, 1, 8, 8],
      raw: imageBytes(digit),
    });
    const one = await sconce.unary("Predict", { model: "digits", inputs: [input(digits[0]!)] });
    assert.equal(argmax(floats((one["outputs"] as { raw: Uint8Array }[])[0]!.raw)), digits[0]!.label);
    const requests = digits.map((digit, i) => ({ model: "digits", id: String(i), inputs: [input(digit)] }));
    const answers = await sconce.stream("StreamPredict", requests);
    const byId = new Map(answers.map((answer) => [answer["id"], answer]));
    assertLikePyTorch(
      digits.map((_, i) => floats((byId.get(String(i))!["outputs"] as { raw: Uint8Array }[])[0]!.raw)),
    );
  });
});
