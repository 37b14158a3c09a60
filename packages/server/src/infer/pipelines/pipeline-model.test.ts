import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { CallSignal } from "../../base/call-signal.ts";
import { systemClock } from "../../base/clock.ts";
import { ServeError } from "../../base/errors.ts";
import type { InferRequest, InferResponse } from "../../base/infer-request.ts";
import type { Pipeline, PipelineStep } from "../../base/pipeline.ts";
import { submitTo } from "../../base/result-receiver.ts";
import { stageMs, TASK_STAGES } from "../../base/timeline.ts";
import {
  type Elementwise,
  elementwiseModel,
  floats,
  openTestPipeline,
  requestOf,
  rowSignature,
  rowTensor,
  TestLedger,
  TestModels,
} from "./pipeline.kit.ts";

/** Small models: how many inputs, how many outputs, and what they do, in single precision. */
const KINDS: Readonly<
  Record<string, { readonly arity: number; readonly outputs: number; readonly compute: Elementwise }>
> = {
  sine: { arity: 1, outputs: 1, compute: ([x]) => [Math.fround(Math.sin(x!))] },
  minus: { arity: 2, outputs: 1, compute: ([a, b]) => [Math.fround(a! - b!)] },
  split: { arity: 1, outputs: 2, compute: ([x]) => [Math.fround(x! / 3), Math.fround(1 - x!)] },
  blend: { arity: 3, outputs: 2, compute: ([a, b, c]) => [Math.fround(Math.fround(a! * b!) - c!), c!] },
};
const INPUTS = ["a", "b", "c"];
const OUTPUTS = ["y", "z"];

function smallModels(): TestModels {
  const models = new TestModels();
  for (const [name, { arity, outputs, compute }] of Object.entries(KINDS)) {
    const signature = rowSignature(INPUTS.slice(0, arity), OUTPUTS.slice(0, outputs));
    models.set(name, elementwiseModel(name, signature, compute));
  }
  return models;
}

/** mulberry32: numbers that a seed decides. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

interface RandomPipeline {
  readonly pipeline: Pipeline;
  /** In an order in which they can be computed. */
  readonly steps: readonly PipelineStep[];
}

/** Steps that take whatever tensors there are before them, listed in any order. */
function randomPipeline(random: () => number): RandomPipeline {
  const below = (n: number): number => Math.floor(random() * n);
  const tensors = ["in0", "in1", "in2"].slice(0, 1 + below(3));
  const steps: PipelineStep[] = [];
  const count = 1 + below(8);
  for (let i = 0; i < count; i++) {
    const model = Object.keys(KINDS)[below(4)]!;
    const { arity, outputs } = KINDS[model]!;
    const inputs = INPUTS.slice(0, arity).map((port) => [port, tensors[below(tensors.length)]!] as const);
    const given = OUTPUTS.slice(0, outputs).map((port) => [port, `t${i}${port}`] as const);
    // Now and then an output is left out.
    const kept = given.length > 1 && below(4) === 0 ? given.slice(1) : given;
    steps.push({
      name: `step${i}`,
      model,
      version: undefined,
      inputs: new Map(inputs),
      outputs: new Map(kept),
    });
    tensors.push(...kept.map(([, tensor]) => tensor));
  }
  const made = tensors.filter((tensor) => tensor.startsWith("t"));
  const outputs = below(2) === 0 ? undefined : made.filter((_, i) => i === made.length - 1 || below(3) === 0);
  const listed = steps.map((step) => [random(), step] as const).sort(([a], [b]) => a - b);
  return { pipeline: { steps: listed.map(([, step]) => step), inputs: undefined, outputs }, steps };
}

/** What the models give one after another. */
function evaluate(
  steps: readonly PipelineStep[],
  given: ReadonlyMap<string, readonly number[]>,
): Map<string, number[]> {
  const known = new Map<string, readonly number[]>(given);
  const made = new Map<string, number[]>();
  for (const { model, inputs, outputs } of steps) {
    const taken = [...inputs!.values()].map((tensor) => known.get(tensor)!);
    const results = taken[0]!.map((_, i) => KINDS[model]!.compute(taken.map((values) => values[i]!)));
    for (const [port, tensor] of outputs!) {
      const values = results.map((result) => result[OUTPUTS.indexOf(port)]!);
      known.set(tensor, values);
      made.set(tensor, values);
    }
  }
  return made;
}

test("1,000 random pipelines answer as their models do one after another, and nothing is left behind", async () => {
  const models = smallModels();
  const ledger = new TestLedger();
  for (let seed = 1; seed <= 1000; seed++) {
    const random = randomOf(seed);
    const { pipeline, steps } = randomPipeline(random);
    const { handle, problem } = openTestPipeline(pipeline, models, ledger);
    assert.equal(problem, undefined, `seed ${seed}`);
    const { inputs, outputs } = handle.description.signature;
    const requests = Array.from({ length: 1 + Math.floor(random() * 3) }, () => {
      const length = 2 * (1 + Math.floor(random() * 5));
      return new Map(
        inputs.map(({ name }) => [name, Array.from({ length }, () => Math.fround(random() * 4 - 2))]),
      );
    });
    const wanted = random() < 0.3 ? [outputs[Math.floor(random() * outputs.length)]!.name] : undefined;
    const answers = await Promise.all(
      requests.map((given) => {
        const tensors = inputs.map(({ name }) => rowTensor(name, given.get(name)!));
        return submitTo<InferRequest, InferResponse>(handle, requestOf(tensors, { outputs: wanted }));
      }),
    );
    for (const [i, answer] of answers.entries()) {
      const expected = evaluate(steps, requests[i]!);
      assert.deepEqual(
        answer.outputs.map(({ name }) => name),
        wanted ?? outputs.map(({ name }) => name),
      );
      for (const { name, bytes } of answer.outputs)
        assert.deepEqual(floats(bytes), Float32Array.from(expected.get(name)!), `seed ${seed}, ${name}`);
    }
    assert.equal(ledger.bytes, 0, `seed ${seed}`);
    handle.destroy("the test is done with it");
  }
  for (const model of models.models.values()) assert.equal(model.inFlight(), 0);
  assert.ok(ledger.most > 0);
});

const CHAIN: Pipeline = {
  steps: [
    {
      name: "one",
      model: "sine",
      version: undefined,
      inputs: new Map([["a", "x"]]),
      outputs: new Map([["y", "s"]]),
    },
    { name: "two", model: "split", version: undefined, inputs: new Map([["a", "s"]]), outputs: undefined },
  ],
  inputs: undefined,
  outputs: undefined,
};
const X = [rowTensor("x", [1, 2, 3, 4])];

describe("a pipeline and the models of its steps", () => {
  test("is not ready while one of them is not, and comes back with it", async () => {
    const models = smallModels();
    const split = models.find("split")!;
    models.set("split", undefined);
    const { handle, problem } = openTestPipeline(CHAIN, models);
    assert.equal(problem, undefined);
    assert.equal(handle.failure(), 'step "two": model "split" is not ready');
    await assert.rejects(submitTo(handle, requestOf(X)), { reason: "model_not_ready" });
    const told: (string | undefined)[] = [];
    handle.onHealthChange(() => told.push(handle.failure()));
    models.set("split", split);
    assert.deepEqual(
      handle.description.signature.outputs.map(({ name }) => name),
      ["y", "z"],
    );
    models.set("sine", undefined);
    assert.deepEqual(told, [undefined, 'step "one": model "sine" is not ready']);
  });

  test("follows a model that is loaded again as another one, and says when that does not fit", async () => {
    const models = smallModels();
    const { handle } = openTestPipeline(CHAIN, models);
    let told = 0;
    handle.onHealthChange(() => {
      told += 1;
    });
    models.set(
      "sine",
      elementwiseModel("sine", rowSignature(["a"], ["y"]), ([x]) => [2 * x!]),
    );
    assert.equal(told, 1);
    const { outputs } = await submitTo<InferRequest, InferResponse>(handle, requestOf(X));
    assert.deepEqual([...floats(outputs[1]!.bytes)], [-1, -3, -5, -7]);
    models.set(
      "sine",
      elementwiseModel("sine", rowSignature(["a"], ["other"]), ([x]) => [x!]),
    );
    assert.match(handle.failure()!, /step "one": the model "sine" has no output "y"/);
    models.set(
      "sine",
      elementwiseModel("sine", rowSignature(["a"], ["y"]), ([x]) => [x!]),
    );
    assert.equal(handle.failure(), undefined);
  });

  test("a request goes on with the version that it began with, which stays until then", async () => {
    const models = smallModels();
    const { handle } = openTestPipeline(CHAIN, models);
    const old = models.find("split")!;
    const asked = submitTo<InferRequest, InferResponse>(handle, requestOf(X));
    models.set(
      "split",
      elementwiseModel("split", rowSignature(["a"], ["y", "z"]), () => [7, 7]),
    );
    let isClosed = false;
    const closed = old.close().then(() => {
      isClosed = true;
    });
    await new Promise((resolve) => queueMicrotask(() => resolve(undefined)));
    assert.equal(isClosed, false);
    const { outputs } = await asked;
    assert.deepEqual(
      [...floats(outputs[1]!.bytes)],
      [1, 2, 3, 4].map((x) => Math.fround(1 - Math.fround(Math.sin(x)))),
    );
    await closed;
    const after = await submitTo<InferRequest, InferResponse>(handle, requestOf(X));
    assert.deepEqual([...floats(after.outputs[1]!.bytes)], [7, 7, 7, 7]);
  });

  test("closing waits for what is in flight", async () => {
    const { handle } = openTestPipeline(CHAIN, smallModels());
    const asked = submitTo<InferRequest, InferResponse>(handle, requestOf(X));
    const closed = handle.close();
    await assert.rejects(submitTo(handle, requestOf(X)), { reason: "draining" });
    assert.equal((await asked).outputs.length, 2);
    await closed;
  });
});

describe("a request of a pipeline", () => {
  test("has stages that add up, of the steps that it waited for, and the time of each step", async () => {
    const { handle } = openTestPipeline(CHAIN, smallModels());
    const request = requestOf(X);
    await submitTo(handle, request);
    const { timeline } = request;
    timeline.encodedMs = timeline.answeredMs;
    const stages = TASK_STAGES.map((stage) => stageMs(timeline, stage)).filter((ms) => !Number.isNaN(ms));
    assert.ok(stages.every((ms) => ms >= 0));
    const sum = stages.reduce((all, ms) => all + ms, 0);
    assert.ok(Math.abs(sum - (timeline.answeredMs - timeline.receivedMs)) < 1e-6);
    assert.ok(timeline.computeMs > 0 && timeline.computeMs < 0.02 + 1e-9);
    assert.deepEqual(
      timeline.steps!.map(({ name }) => name),
      ["one", "two"],
    );
  });

  test("whose client leaves is out of the queue it is in, and no later step runs", async () => {
    const models = smallModels();
    const { handle } = openTestPipeline(CHAIN, models);
    const signal = new CallSignal();
    const asked = submitTo(handle, requestOf(X, { signal }));
    signal.abort(new ServeError("cancelled", "the client left"));
    await assert.rejects(asked, { code: "cancelled" });
    assert.equal(handle.inFlight() + models.find("sine")!.inFlight() + models.find("split")!.inFlight(), 0);
    assert.equal(models.find("split")!.statistics().executionCount, 0);
    assert.deepEqual(handle.statistics().failures, { rejected: 0, cancelled: 1, backend: 0 });
  });

  test("whose deadline passes in a step ends there, and no later step runs", async () => {
    const models = smallModels();
    let answer = (): void => {};
    const held = new Promise<void>((resolve) => {
      answer = resolve;
    });
    models.set(
      "sine",
      elementwiseModel("sine", rowSignature(["a"], ["y"]), ([x]) => [x!], held),
    );
    const { handle } = openTestPipeline(CHAIN, models);
    // The clock's timers keep no process alive.
    const keptAlive = setInterval(() => {}, 1000);
    after(() => clearInterval(keptAlive));
    // Far longer than the way to the step.
    const deadlineMs = systemClock.nowMs() + 1000;
    await assert.rejects(submitTo(handle, requestOf(X, { deadlineMs })), {
      code: "deadline_exceeded",
      message: 'step "one": the deadline passed before the model answered',
    });
    answer();
    await models.find("sine")!.close();
    assert.equal(models.find("split")!.statistics().executionCount, 0);
    assert.equal(handle.inFlight(), 0);
    assert.deepEqual(handle.statistics().failures, { rejected: 1, cancelled: 0, backend: 0 });
  });

  test("ends with the first step that fails, by its name, and what runs beside it is cancelled", async () => {
    const models = smallModels();
    const bad = elementwiseModel("bad", rowSignature(["a"], ["y"]), () => {
      throw new ServeError("internal", "the model threw", { reason: "model_failed" });
    });
    models.set("bad", bad);
    const step = (name: string, model: string, from: string, to: string): PipelineStep => ({
      name,
      model,
      version: undefined,
      inputs: new Map([["a", from]]),
      outputs: new Map([["y", to]]),
    });
    const pipeline = {
      steps: [step("fails", "bad", "x", "f"), step("one", "sine", "x", "s"), step("two", "sine", "s", "t")],
      inputs: undefined,
      outputs: undefined,
    };
    const ledger = new TestLedger();
    const { handle } = openTestPipeline(pipeline, models, ledger);
    await assert.rejects(submitTo(handle, requestOf(X)), {
      reason: "model_failed",
      message: 'step "fails": the model threw',
    });
    while (models.find("sine")!.inFlight() > 0) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(ledger.bytes, 0);
    assert.equal(handle.inFlight(), 0);
  });

  test("without room for the tensors between its steps is rejected", async () => {
    const models = smallModels();
    const full = Object.assign(new TestLedger(), {
      grow() {
        throw new ServeError("unavailable", "no room", { reason: "memory_budget" });
      },
    });
    const { handle } = openTestPipeline(CHAIN, models, full);
    await assert.rejects(submitTo(handle, requestOf(X)), { reason: "memory_budget" });
    assert.equal(models.find("split")!.statistics().executionCount, 0);
    assert.equal(full.bytes, 0);
  });
});
