import assert from "node:assert/strict";
import { test } from "node:test";
import type { Task } from "../../../base/task.ts";
import { identity, memoryInference } from "../memory-inference.kit.ts";
import { type Listening, listen, send } from "../rest-sockets.kit.ts";

/** Embeds a text, or tokens, as their length and 0.5; counts what it was asked at once. */
function embedding(asked: number[]): Task {
  return {
    name: "feature-extraction",
    run: async ({ parts }) => {
      const { inputs, parameters } = JSON.parse(Buffer.from(parts[0]!.bytes).toString()) as {
        readonly inputs: readonly (string | readonly number[])[];
        readonly parameters: {
          readonly embedding: boolean;
          readonly dimensions?: number;
          readonly encoding_format?: string;
        };
      };
      assert.equal(parameters.embedding, true);
      asked.push(inputs.length);
      const vectors = inputs.map((text) => {
        const vector = [text.length, 0.5].slice(0, parameters.dimensions);
        const isBase64 = parameters.encoding_format === "base64";
        const bytes = Buffer.from(Float32Array.from(vector).buffer);
        return { embedding: isBase64 ? bytes.toString("base64") : vector, tokens: 3 };
      });
      return { model: "m", version: "1", body: Buffer.from(JSON.stringify(vectors)) };
    },
  };
}

async function ask(
  { port }: Listening,
  body: unknown,
): Promise<{ status: number; json: Record<string, unknown> }> {
  const payload = typeof body === "string" ? body : JSON.stringify(body);
  const answer = await send(port, { method: "POST", url: "/v1/embeddings", payload });
  return { status: answer.status, json: JSON.parse(answer.body.toString()) };
}

test("texts get vectors, in numbers or base64, and their tokens are counted", async () => {
  const asked: number[] = [];
  const server = await listen(memoryInference({ m: { ...identity("FP32"), task: embedding(asked) } }));
  assert.deepEqual(await ask(server, { model: "m", input: "four" }), {
    status: 200,
    json: {
      object: "list",
      data: [{ object: "embedding", index: 0, embedding: [4, 0.5] }],
      model: "m",
      usage: { prompt_tokens: 3, total_tokens: 3 },
    },
  });
  // Libraries write null for what their user left out, also of fields that only other servers have.
  const nulls = { encoding_format: null, user: null, dimensions: null, input_type: null };
  assert.deepEqual((await ask(server, `\uFEFF${JSON.stringify({ input: "four", ...nulls })}`)).status, 200);
  // The only model there is.
  const two = await ask(server, { input: ["a", "bc"], encoding_format: "base64", user: "x", dimensions: 2 });
  const data = two.json["data"] as ReadonlyArray<{ readonly index: number; readonly embedding: string }>;
  assert.deepEqual(
    data.map(({ index, embedding: text }) => {
      const bytes = Uint8Array.from(Buffer.from(text, "base64"));
      return [index, ...new Float32Array(bytes.buffer)];
    }),
    [
      [0, 1, 0.5],
      [1, 2, 0.5],
    ],
  );
  const embeddings = async (body: object): Promise<unknown> => {
    const { json } = await ask(server, { model: "m", ...body });
    return (json["data"] as ReadonlyArray<{ readonly embedding: unknown }>).map((one) => one.embedding);
  };
  assert.deepEqual(await embeddings({ input: [5, 6, 7], dimensions: 1 }), [[3]]);
  assert.deepEqual(await embeddings({ input: [[5], "four", [6, 7]] }), [
    [1, 0.5],
    [4, 0.5],
    [2, 0.5],
  ]);
  asked.length = 0;
  const many = await ask(server, { model: "m", input: new Array<string>(600).fill("a") });
  assert.deepEqual([(many.json["data"] as readonly unknown[]).length, asked], [600, [256, 256, 88]]);
});

test("what is wrong is said in OpenAI's form", async () => {
  const server = await listen(
    memoryInference({ m: { ...identity("FP32"), task: embedding([]) }, plain: identity("FP32") }),
  );
  for (const [body, status, words] of [
    ["{", 400, /not JSON/],
    ["[]", 400, /expected an object/],
    [{ model: "m" }, 400, /input: expected a text/],
    [{ model: "m", input: "" }, 400, /not empty/],
    [{ model: "m", input: [] }, 400, /1 to 2048/],
    [{ model: "m", input: new Array<string>(2049).fill("a") }, 400, /1 to 2048/],
    [{ model: "m", input: [1, -2] }, 400, /input: expected tokens/],
    [{ model: "m", input: [1, "a"] }, 400, /input: expected tokens/],
    [{ model: "m", input: [["a"]] }, 400, /input\[0\]: expected tokens/],
    [{ model: "m", input: [[]] }, 400, /input\[0\]: expected tokens/],
    [{ model: "m", input: 7 }, 400, /not empty/],
    [{ model: "m", input: "a", encoding_format: "int8" }, 400, /float or base64/],
    [{ model: "m", input: "a", dimensions: "2" }, 400, /whole number/],
    [{ model: "m", input: "a", inputs: 1 }, 400, /no such field/],
    [{ model: 7, input: "a" }, 400, /name of a model/],
    [{ input: "a" }, 400, /several models/],
    [{ model: "plain", input: "a" }, 400, /makes no embeddings/],
    [{ model: "nope", input: "a" }, 404, /no such model/],
    [{ model: "m", input: "a".repeat(3_000_000) }, 413, /2097152 bytes/],
  ] as const) {
    const { status: given, json } = await ask(server, body);
    const { message, type, code } = json["error"] as Record<string, string>;
    assert.equal(given, status, message);
    assert.match(message!, words);
    assert.deepEqual([type, typeof code], ["invalid_request_error", "string"]);
  }
});

test("2,048 texts with long vectors keep nobody waiting: what the workers wrote is passed on as it is", async () => {
  const vector = `[${new Array<string>(50_000).fill("0.12345678901234567").join()}]`;
  // No number that JavaScript has: whoever read it would write another.
  const precise = "[0.1000000000000000000000000000001]";
  const bodies = [`[{"embedding":${vector},"tokens":5},{"embedding":${precise},"tokens":12}]`];
  const task: Task = {
    name: "feature-extraction",
    run: async () => ({ model: "m", version: "1", body: Buffer.from(bodies[0]!) }),
  };
  const server = await listen(memoryInference({ m: { ...identity("FP32"), task } }));
  const payload = JSON.stringify({ input: ["a", "b"] });
  const { body } = await send(server.port, { method: "POST", url: "/v1/embeddings", payload });
  assert.equal(
    body.toString(),
    `{"object":"list","data":[{"object":"embedding","index":0,"embedding":${vector}},{"object":"embedding","index":1,"embedding":${precise}}],"model":"m","usage":{"prompt_tokens":17,"total_tokens":17}}`,
  );
});

test("what a worker answers that is no embeddings is nobody's answer", async () => {
  for (const answer of [
    "",
    "{}",
    "[",
    "[1]",
    '[{"embedding":[1]}]',
    '[{"vector":[1],"tokens":3}]',
    '[{"embedding":,"tokens":3}]',
  ]) {
    const task: Task = {
      name: "feature-extraction",
      run: async () => ({ model: "m", version: "1", body: Buffer.from(answer) }),
    };
    const server = await listen(memoryInference({ m: { ...identity("FP32"), task } }));
    const { status } = await ask(server, { input: "a" });
    assert.equal(status, 500, answer);
  }
});
