import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { packBytes, unpackBytes } from "@sconce/protocol";
import { interopClient } from "../interop/interop-client.kit.ts";
import {
  assertClose,
  comparePredictions,
  JSON_TYPE,
  type MadeModel,
  predict,
  type TaskServer,
} from "./task-server.kit.ts";

const FEATURES = "feature-extraction";

/** Says of the first model of features, before it is served, how a text becomes one vector. */
export function addPooling(folder: string, models: readonly MadeModel[]): void {
  const [first] = models.filter(({ task }) => task === FEATURES);
  const pooling = join(folder, first!.model, "1_Pooling");
  mkdirSync(pooling);
  writeFileSync(join(pooling, "config.json"), '{"pooling_mode_mean_tokens": true}');
}

/** Models that see, fill in and take apart texts and images. */
export async function checkTexts(t: TestContext, made: TaskServer): Promise<void> {
  await comparePredictions(t, made, { absolute: 2e-5, relative: 1e-4 });
  await compareEmbeddings(t, made);
  await compareTensors(t, made);
}

/** Texts and files as tensors of BYTES get what they get as bodies. */
async function compareTensors(t: TestContext, { server, models, file }: TaskServer): Promise<void> {
  const modelOf = (task: string): string => models.find((made) => made.task === task)!.model;
  const infer = async (
    model: string,
    elements: readonly Buffer[],
    parameters: Readonly<Record<string, string>> = {},
  ): Promise<readonly unknown[]> => {
    const inputs = [{ name: "input", datatype: "BYTES", shape: [elements.length] }];
    const choices = Object.entries(parameters).map(([key, stringParam]) => [key, { stringParam }]);
    const client = interopClient(server.authority);
    const { answers, status } = await client.call("ModelInfer", [
      {
        ...{ modelName: model, inputs, parameters: Object.fromEntries(choices) },
        rawInputContents: [packBytes(elements)],
      },
    ]);
    client.close();
    assert.equal(status.code, 0, status.details);
    const [output] = answers[0]!["outputs"] as readonly { readonly name: string; readonly shape: unknown }[];
    assert.deepEqual([output!.name, output!.shape], ["output", [elements.length]]);
    const [raw] = answers[0]!["rawOutputContents"] as readonly Buffer[];
    return unpackBytes(raw!, "output").map((bytes) => JSON.parse(Buffer.from(bytes).toString()));
  };
  await t.test("texts as tensors of BYTES get what they get as bodies, over gRPC and REST", async () => {
    const model = modelOf("token-classification");
    const texts = ["Ada met Grace in Paris.", "Nobody."];
    const asBody = await predict(server, model, {
      body: JSON.stringify({ input: texts, parameters: { aggregation_strategy: "simple" } }),
      type: JSON_TYPE,
    });
    const parameters = { aggregation_strategy: "simple" };
    assert.deepEqual(
      await infer(
        model,
        texts.map((text) => Buffer.from(text)),
        parameters,
      ),
      asBody,
    );
    const inputs = [{ name: "input", datatype: "BYTES", shape: [2, 1], data: texts }];
    const response = await fetch(`${server.url}/v2/models/${model}/infer`, {
      method: "POST",
      body: JSON.stringify({ inputs, parameters }),
    });
    const { outputs } = (await response.json()) as {
      readonly outputs: readonly { readonly shape: unknown; readonly data: readonly string[] }[];
    };
    assert.deepEqual(outputs[0]!.shape, [2, 1]);
    assert.deepEqual(
      outputs[0]!.data.map((text) => JSON.parse(text) as unknown),
      asBody,
    );
  });
  await t.test("an image as an element of BYTES gets what it gets as a body", async () => {
    const { model, requests } = models.find((made) => made.task === "image-feature-extraction")!;
    const name = requests.find(({ sent }) => typeof sent === "string")!.sent as string;
    const bytes = file(name);
    const asBody = await predict(server, model, { body: bytes, type: "image/png" });
    assert.deepEqual(await infer(model, [bytes]), [asBody]);
  });
}

/** What `/v1/embeddings` gives is the mean of what the model gives for the tokens, where the files beside it say so. */
async function compareEmbeddings(t: TestContext, { server, models, folder }: TaskServer): Promise<void> {
  const [pooled, plain] = models.filter(({ task }) => task === FEATURES);
  const ask = async (
    model: string,
    input: unknown,
    dimensions?: number,
  ): Promise<{ readonly status: number; readonly json: unknown }> => {
    const body = JSON.stringify({ model, input, dimensions });
    const answer = await fetch(`${server.url}/v1/embeddings`, { method: "POST", body });
    return { status: answer.status, json: await answer.json() };
  };
  await t.test("an embedding is the mean of a text's tokens", async () => {
    const texts = ["A sentence.", "Another one, which is somewhat longer than the first."];
    const expected = await Promise.all(
      texts.map(async (text) => {
        const body = JSON.stringify({ input: text });
        const [tokens] = (await predict(server, pooled!.model, { body, type: JSON_TYPE })) as [number[][]];
        const sums = tokens[0]!.map((_, i) => tokens.reduce((sum, token) => sum + token[i]!, 0));
        return { count: tokens.length, mean: sums.map((sum) => sum / tokens.length) };
      }),
    );
    const { json } = await ask(pooled!.model, texts);
    const { data, usage } = json as {
      readonly data: ReadonlyArray<{ readonly embedding: readonly number[] }>;
      readonly usage: { readonly prompt_tokens: number };
    };
    const tolerance = { absolute: 2e-5, relative: 1e-4 };
    for (const [i, { mean }] of expected.entries()) assertClose(data[i]?.embedding, mean, tolerance);
    assert.equal(usage.prompt_tokens, expected[0]!.count + expected[1]!.count);
  });
  await t.test(
    "tokens by their numbers are the text that they spell, and dimensions are the first ones",
    async () => {
      const { model } = JSON.parse(readFileSync(join(folder, pooled!.model, "tokenizer.json"), "utf8")) as {
        readonly model: { readonly vocab: Readonly<Record<string, number>> };
      };
      const words = Object.entries(model.vocab)
        .filter(([word]) => /^[a-z]{3,}$/.test(word))
        .slice(0, 2);
      assert.equal(words.length, 2);
      const text = words.map(([word]) => word).join(" ");
      const embedded = async (input: unknown, dimensions?: number): Promise<readonly number[]> => {
        const { json } = await ask(pooled!.model, input, dimensions);
        return (json as { data: ReadonlyArray<{ readonly embedding: readonly number[] }> }).data[0]!
          .embedding;
      };
      const whole = await embedded(text);
      assert.deepEqual(await embedded(words.map(([, id]) => id)), whole);
      assert.deepEqual(await embedded(text, 3), whole.slice(0, 3));
      const outside = await ask(pooled!.model, [2 ** 30]);
      assert.equal(outside.status, 400, JSON.stringify(outside.json));
    },
  );
  await t.test("without such files nothing is guessed", async () => {
    if (plain === undefined) return;
    const { status, json } = await ask(plain.model, "A sentence.");
    assert.equal(status, 400);
    assert.match(JSON.stringify(json), /1_Pooling/);
  });
}
