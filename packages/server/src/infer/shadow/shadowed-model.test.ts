import assert from "node:assert/strict";
import { test } from "node:test";
import type { InferRequest } from "../../base/infer-request.ts";
import type { Logger } from "../../base/logger.ts";
import { submitTo } from "../../base/result-receiver.ts";
import {
  candidateOf,
  ManualClock,
  ROW_SIGNATURE,
  requestOf,
  StubModel,
  silentLogger,
  turns,
} from "../../models/models.kit.ts";
import { MAX_WAITING_BYTES, ShadowComparisons, type ShadowResult } from "./shadow-comparisons.ts";
import { createShadowedModel } from "./shadowed-model.ts";

function setUp(draws: readonly number[] = [0]) {
  const clock = new ManualClock();
  const [inner, reference] = [new StubModel(candidateOf("m")), new StubModel(candidateOf("m (shadow)"))];
  const results: ShadowResult[] = [];
  const largest: number[] = [];
  const said: string[] = [];
  const logger: Logger = { ...silentLogger, warn: (_fields, message) => void said.push(message) };
  const comparisons = new ShadowComparisons({
    signature: ROW_SIGNATURE,
    whose: "PyTorch's",
    tolerance: 0.01,
    clock,
    logger,
    defer: setImmediate,
    onEnd: (result) => void results.push(result),
    onLargest: (difference) => void largest.push(difference),
  });
  let drawn = 0;
  const model = createShadowedModel(inner, {
    share: 0.5,
    random: () => draws[drawn++ % draws.length]!,
    comparisons,
    onEnd: () => {},
  });
  const ask = async (overrides: Partial<InferRequest> = {}) => {
    const answer = submitTo(model, requestOf("m", overrides));
    inner.answer();
    return await answer;
  };
  return { clock, inner, reference, results, largest, said, comparisons, model, ask };
}

/** Until what was put off has run. */
async function settled(): Promise<void> {
  for (let i = 0; i < 5; i++) {
    await turns();
    await new Promise(setImmediate);
  }
}

/** Lets the reference answer until nothing waits. */
async function answerAll(reference: StubModel): Promise<void> {
  await settled();
  while (reference.inFlight() > 0) {
    reference.answer();
    await settled();
  }
}

test("the share of requests that the random numbers choose is compared, after they were answered", async () => {
  const { reference, results, comparisons, ask } = setUp([0.49, 0.5, 0, 0.99]);
  comparisons.open(reference);
  for (let i = 0; i < 8; i++) assert.equal((await ask()).outputs.length, 2);
  assert.equal(reference.submitted, 0);
  await answerAll(reference);
  assert.equal(reference.submitted, 4);
  assert.deepEqual(results, ["equal", "equal", "equal", "equal"]);
});

test("before the reference is there nothing is kept", async () => {
  const { reference, results, comparisons, ask } = setUp();
  await ask();
  comparisons.open(reference);
  await settled();
  assert.deepEqual([reference.submitted, results], [0, []]);
});

test("what does not fit while comparisons wait is dropped and counted, and answered all the same", async () => {
  const { reference, results, comparisons, ask } = setUp();
  comparisons.open(reference);
  for (let i = 0; i < 40; i++) await ask();
  assert.deepEqual(results, Array<string>(8).fill("dropped"));
  await answerAll(reference);
  assert.equal(reference.submitted, 32);
  const x = { name: "x", datatype: "FP32", shape: [MAX_WAITING_BYTES / 4, 1] } as const;
  await ask({ inputs: [{ ...x, bytes: new Uint8Array(MAX_WAITING_BYTES) }] });
  assert.equal(results.at(-1), "dropped");
});

test("small views do not keep the block that they came in", async () => {
  const { reference, comparisons, ask } = setUp();
  comparisons.open(reference);
  const seen: number[] = [];
  const submit = reference.submit.bind(reference);
  reference.submit = (request, receiver) => {
    seen.push(request.inputs[0]!.bytes.buffer.byteLength);
    submit(request, receiver);
  };
  const bytes = new Uint8Array(1 << 20).subarray(8, 12);
  await ask({ inputs: [{ name: "x", datatype: "FP32", shape: [1, 1], bytes }] });
  await answerAll(reference);
  assert.deepEqual(seen, [4]);
});

test("a difference is counted, measured and said, once a minute", async () => {
  const { clock, reference, results, largest, said, comparisons, ask } = setUp();
  comparisons.open(reference);
  const submit = reference.submit.bind(reference);
  let value = 0.5;
  reference.submit = (request, receiver) =>
    submit(request, {
      resolve: (response) =>
        receiver.resolve({
          ...response,
          outputs: response.outputs.map((output) => ({
            ...output,
            bytes: new Uint8Array(Float32Array.of(output.name === "z" ? value : 0).buffer),
          })),
        }),
      reject: (error) => receiver.reject(error),
    });
  for (value of [1, 3, 1]) {
    await ask({ id: "r7" });
    await answerAll(reference);
  }
  assert.deepEqual(results, ["differing", "differing", "differing"]);
  assert.deepEqual(largest, [0.5, 0.75]);
  assert.deepEqual(said, ["an answer differs from PyTorch's: z at [0, 0]: 0 instead of 1"]);
  await clock.advance(60_000);
  await ask();
  await answerAll(reference);
  assert.equal(said.length, 2);
});

test("a reference that dies costs comparisons, and nothing else", async () => {
  const { reference, results, said, comparisons, model, ask } = setUp();
  comparisons.open(reference);
  await ask();
  await settled();
  reference.destroy("killed");
  await settled();
  assert.deepEqual(results, ["failed"]);
  assert.deepEqual(said, ["PyTorch's own answer could not be had"]);
  assert.equal((await ask()).outputs.length, 2);
  assert.equal(model.failure(), undefined);
});

test("closing waits for requests and for no comparison", async () => {
  const { inner, reference, results, comparisons, model, ask } = setUp();
  comparisons.open(reference);
  await ask();
  await settled();
  await model.close();
  assert.deepEqual([inner.closed, reference.destroyed, results], [true, true, []]);
});

test("what the reference and the waiting comparisons hold counts as the model's memory", () => {
  const { inner, model } = setUp();
  assert.equal(model.memoryBytes, inner.memoryBytes + inner.description.weightBytes + MAX_WAITING_BYTES);
});
