import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { systemClock } from "../../base/clock.ts";
import type { ServeError } from "../../base/errors.ts";
import type { InferRequest, InferResponse, ParameterValue } from "../../base/infer-request.ts";
import type { KeptState } from "../../base/kept-state.ts";
import type { Pipeline, PipelineStep } from "../../base/pipeline.ts";
import { RequestStream } from "../../base/request-stream.ts";
import { submitTo } from "../../base/result-receiver.ts";
import type { ServedModelHandle } from "../../models/served-model-handle.ts";
import { createSequencedModel } from "../sequences/sequenced-model.ts";
import { compileStatePlan } from "../sequences/state-plan.ts";
import { createTurnTakingModel } from "../sequences/turn-taking-model.ts";
import {
  type Elementwise,
  elementwiseModel,
  floats,
  openTestPipeline,
  requestOf,
  rowSignature,
  rowTensor,
  TestModels,
} from "./pipeline.kit.ts";

const LIMITS = { idleMs: 60_000, maxSequences: 100, maxBytes: 1_000_000 };

/** Takes x and h, gives y and h_out, and keeps h. */
function keeping(
  name: string,
  compute: Elementwise,
  limits: Partial<typeof LIMITS> = {},
  initial: KeptState["initial"] = new Map(),
): ServedModelHandle {
  const inner = elementwiseModel(name, rowSignature(["x", "h"], ["y", "h_out"]), compute);
  const kept: KeptState = { pairs: [{ input: "h", output: "h_out" }], initial, controls: [] };
  const plan = compileStatePlan(inner.description.signature, kept.pairs, kept.initial);
  return createSequencedModel(inner, plan, { ...LIMITS, ...limits, clock: systemClock, kept });
}

const sum = (limits?: Partial<typeof LIMITS>): ServedModelHandle =>
  keeping("sum", ([x, h]) => [x! + h!, x! + h!], limits);
/** What it was given before. */
const last = (): ServedModelHandle => keeping("last", ([x, h]) => [h!, x!]);

function models(more: Readonly<Record<string, ServedModelHandle>> = {}): TestModels {
  const all = new TestModels();
  const fussy = elementwiseModel("fussy", rowSignature(["x"], ["y"]), ([x]) => {
    if (x! > 1000) throw new Error("too much for it");
    return [x! * 2];
  });
  for (const [name, model] of Object.entries({ sum: sum(), last: last(), fussy, ...more }))
    all.set(name, model);
  return all;
}

const step = (model: string, from: string, to: string, name = model): PipelineStep => ({
  name,
  model,
  version: undefined,
  inputs: new Map([["x", from]]),
  outputs: new Map([["y", to]]),
});
/** The running sum before this request's one, doubled, and the sum, which the last step may refuse. */
const CHAIN: Pipeline = {
  steps: [step("sum", "in", "total"), step("last", "total", "before"), step("fussy", "total", "twice")],
  inputs: undefined,
  outputs: ["before", "twice"],
};

interface Asked extends Partial<InferRequest> {
  readonly sequence?: ParameterValue;
  readonly start?: boolean;
  readonly end?: boolean;
}

/** The first element of each output. */
async function ask(handle: ServedModelHandle, x: number, asked: Asked = {}): Promise<number[]> {
  const { sequence, start = false, end = false, ...more } = asked;
  const parameters = new Map<string, ParameterValue>([
    ["sequence_start", start],
    ["sequence_end", end],
    ...(sequence === undefined ? [] : ([["sequence_id", sequence]] as const)),
  ]);
  const [input] = handle.description.signature.inputs;
  const request = requestOf([rowTensor(input!.name, [x, x])], { ...more, parameters });
  const { outputs } = await submitTo<InferRequest, InferResponse>(handle, request);
  return outputs.map(({ bytes }) => floats(bytes)[0]!);
}

const reasonOf = (asked: Promise<unknown>): Promise<string> =>
  asked.then(
    () => "answered",
    (error: ServeError) => error.reason,
  );

function open(pipeline: Pipeline, all: TestModels): ServedModelHandle {
  const { handle, problem } = openTestPipeline(pipeline, all);
  assert.equal(problem?.message, undefined);
  return handle;
}

describe("a pipeline whose steps have states", () => {
  test("keeps all of them for each sequence, which are not mixed, and none of a request that failed", async () => {
    const handle = open(CHAIN, models());
    const sequences = Array.from({ length: 12 }, async (_, sequence) => {
      let total = 0;
      for (let i = 0; i < 15; i++) {
        const x = ((sequence * 31 + i * 17) % 40) + 1;
        const isTooMuch = (sequence + i) % 4 === 3;
        const start = i === 0;
        const more = { sequence: sequence + 1, start };
        if (isTooMuch && !start) {
          const error = ask(handle, 5000, more);
          await assert.rejects(error, /step "fussy"/);
          continue;
        }
        assert.deepEqual(await ask(handle, x, more), [total, (total + x) * 2], `${sequence}, ${i}`);
        total += x;
      }
      await ask(handle, 0, { sequence: sequence + 1, end: true });
    });
    await Promise.all(sequences);
    assert.equal(handle.liveSequences!(), 0);
    assert.equal(handle.inFlight(), 0);
    assert.equal((await handle.gauges()).sequences!.stateBytes, 0);
  });

  test("shows none of them, wants a sequence, and shares no sequence with its models", async () => {
    const all = models();
    const handle = open(CHAIN, all);
    const { inputs, outputs } = handle.description.signature;
    assert.deepEqual(
      [...inputs, ...outputs].map(({ name }) => name),
      ["in", "before", "twice"],
    );
    assert.equal(handle.settings.sequences?.idleMs, LIMITS.idleMs);
    assert.equal(await reasonOf(ask(handle, 1)), "no_sequence");
    assert.deepEqual(await ask(handle, 3, { sequence: 1, start: true }), [0, 6]);
    assert.equal(await reasonOf(ask(all.find("sum")!, 1, { sequence: 1 })), "sequence_not_live");
    assert.deepEqual(await ask(all.find("sum")!, 50, { sequence: 1, start: true }), [50]);
    assert.deepEqual(await ask(handle, 4, { sequence: 1, outputs: ["before"] }), [3]);
    assert.deepEqual(await ask(handle, 5, { sequence: 1, tenant: "other", start: true }), [0, 10]);
    assert.deepEqual(await ask(handle, 0, { sequence: 1, end: true }), [7, 14]);
    assert.equal(handle.liveSequences!(), 1);
  });

  test("has a sequence of each stream, which ends with it", async () => {
    const handle = open(CHAIN, models());
    const stream = new RequestStream();
    assert.deepEqual(await ask(handle, 1, { stream }), [0, 2]);
    assert.deepEqual(await ask(handle, 1, { stream }), [1, 4]);
    stream.close();
    assert.equal(handle.liveSequences!(), 0);
  });

  test("may have a model twice, each time with a state of its own", async () => {
    const twice: Pipeline = {
      ...CHAIN,
      steps: [step("sum", "in", "a", "one"), step("sum", "a", "b", "two")],
    };
    const handle = open({ ...twice, outputs: undefined }, models());
    assert.deepEqual(await ask(handle, 1, { sequence: "s", start: true }), [1]);
    assert.deepEqual(await ask(handle, 1, { sequence: "s" }), [3]);
    assert.deepEqual(await ask(handle, 1, { sequence: "s" }), [6]);
  });

  test("may be a step, whose states the outer pipeline keeps", async () => {
    const all = models();
    all.set("chain", open(CHAIN, all));
    const outer: Pipeline = {
      steps: [
        step("sum", "x", "t"),
        { ...step("chain", "", ""), inputs: new Map([["in", "t"]]), outputs: new Map([["before", "p"]]) },
      ],
      inputs: undefined,
      outputs: undefined,
    };
    const handle = open(outer, all);
    const told: number[] = [];
    for (const x of [1, 2, 3, 4]) told.push(...(await ask(handle, x, { sequence: 9, start: x === 1 })));
    // The sums of the sums, one request late.
    assert.deepEqual(told, [0, 1, 4, 10]);
    assert.equal(all.find("chain")!.liveSequences!(), 0);
    assert.equal(all.find("sum")!.liveSequences!(), 0);
  });

  test("begins as its steps' files say, and within the least of their limits", async () => {
    const seven = new Uint8Array(Float32Array.of(7, 7).buffer);
    const from = (bytes: Uint8Array) =>
      keeping("sum", ([x, h]) => [x! + h!, x! + h!], { maxSequences: 1 }, new Map([["h", { bytes }]]));
    const handle = open(CHAIN, models({ sum: from(seven) }));
    assert.deepEqual(await ask(handle, 1, { sequence: 1, start: true }), [0, 16]);
    assert.equal(await reasonOf(ask(handle, 1, { sequence: 2, start: true })), "too_many_sequences");
    const sized = keeping("sum", ([x, h]) => [x! - h!, x!], {}, new Map([["h", { dims: ["batch", 2] }]]));
    const other = open(CHAIN, models({ sum: sized }));
    assert.deepEqual(await ask(other, 4, { sequence: 1, start: true }), [0, 8]);
    assert.deepEqual(await ask(other, 5, { sequence: 1 }), [4, 2]);
  });

  test("keeps its sequences when the same model is loaded again, also in the middle of a request", async () => {
    const all = models();
    const handle = open(CHAIN, all);
    const described = handle.description;
    assert.deepEqual(await ask(handle, 1, { sequence: 1, start: true }), [0, 2]);
    const before = ask(handle, 2, { sequence: 1 });
    all.set("sum", undefined);
    all.set("sum", sum());
    assert.deepEqual(await before, [1, 6]);
    assert.deepEqual(await ask(handle, 3, { sequence: 1 }), [3, 12]);
    assert.equal(handle.description, described);
  });

  test("ends its sequences when a model of a step is loaded again as another one, also as one without a state", async () => {
    const all = models();
    const handle = open(CHAIN, all);
    await ask(handle, 1, { sequence: 1, start: true });
    all.set("sum", sum({ idleMs: 1000 }));
    assert.equal(handle.liveSequences!(), 0);
    assert.equal(await reasonOf(ask(handle, 1, { sequence: 1 })), "sequence_not_live");
    assert.deepEqual(await ask(handle, 1, { sequence: 1, start: true }), [0, 2]);
    for (const name of ["sum", "last"])
      all.set(
        name,
        elementwiseModel(name, rowSignature(["x"], ["y"]), ([x]) => [x! + 1]),
      );
    assert.deepEqual(await ask(handle, 1), [3, 4]);
    assert.equal(handle.settings.sequences, undefined);
  });

  test("goes on with what it has when it closes, and takes nothing more", async () => {
    const handle = open(CHAIN, models());
    const before = ask(handle, 1, { sequence: 1, start: true });
    const closed = handle.close();
    assert.equal(await reasonOf(ask(handle, 1, { sequence: 1 })), "draining");
    assert.deepEqual(await before, [0, 2]);
    await closed;
    assert.equal(handle.liveSequences!(), 0);
  });

  test("cannot keep what a handler keeps itself, and takes no state that its model has not shown", () => {
    const turns = { idleMs: 1000, maxSequences: 10, maxWaiting: 10 };
    const inner = elementwiseModel("sum", rowSignature(["x"], ["y"]), ([x]) => [x!]);
    const taking = createTurnTakingModel(inner, turns, { clock: systemClock });
    const { problem } = openTestPipeline(CHAIN, models({ sum: taking }));
    assert.match(problem!.message, /step "sum": its handler keeps the state of each sequence itself/);
    const [first, ...others] = CHAIN.steps;
    const meddling = {
      ...first!,
      inputs: new Map([
        ["x", "in"],
        ["h", "mine"],
      ]),
    };
    const refused = openTestPipeline({ ...CHAIN, steps: [meddling, ...others] }, models());
    assert.match(refused.problem!.message, /the model "sum" has no input "h"/);
  });
});
