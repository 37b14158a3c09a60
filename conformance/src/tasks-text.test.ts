// Tests models that see, fill in and take apart texts and images against transformers' pipeline.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import {
  assertClose,
  comparePredictions,
  JSON_TYPE,
  predict,
  startTaskServer,
  type TaskServer,
} from "./tasks-equal.kit.ts";

const FEATURES = "feature-extraction";

test("tokens, masks, labels and features are transformers' own", async (t) => {
  const tasks = [
    "token-classification",
    "fill-mask",
    "zero-shot-classification",
    FEATURES,
    "image-feature-extraction",
  ];
  const made = await startTaskServer(t, tasks, (models, folder) => {
    const [first] = models.filter(({ task }) => task === FEATURES);
    mkdirSync(join(folder, first!.model, "1_Pooling"));
    writeFileSync(join(folder, first!.model, "1_Pooling/config.json"), '{"pooling_mode_mean_tokens": true}');
  });
  if (made === undefined) return;
  await comparePredictions(t, made, { absolute: 2e-5, relative: 1e-4 });
  await compareEmbeddings(t, made);
});

/** What `/v1/embeddings` gives is the mean of what the model gives for the tokens, where the files beside it say so. */
async function compareEmbeddings(t: TestContext, { server, models }: TaskServer): Promise<void> {
  const [pooled, plain] = models.filter(({ task }) => task === FEATURES);
  const ask = async (
    model: string,
    input: unknown,
  ): Promise<{ readonly status: number; readonly json: unknown }> => {
    const body = JSON.stringify({ model, input });
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
  await t.test("without such files nothing is guessed", async () => {
    if (plain === undefined) return;
    const { status, json } = await ask(plain.model, "A sentence.");
    assert.equal(status, 400);
    assert.match(JSON.stringify(json), /1_Pooling/);
  });
}
