import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { CallSignal } from "../../base/call-signal.ts";
import { ServeError } from "../../base/errors.ts";
import {
  type InferRequest,
  type InferResponse,
  NO_PARAMETERS,
  type ParameterValue,
} from "../../base/infer-request.ts";
import { RequestStream } from "../../base/request-stream.ts";
import { type ResultReceiver, submitTo } from "../../base/result-receiver.ts";
import type { Signature, TensorSpec } from "../../base/signature.ts";
import type { NamedTensor } from "../../base/tensor.ts";
import {
  candidateOf,
  describe as described,
  ManualClock,
  requestOf,
  StubModel,
  turns,
} from "../../models/models.kit.ts";
import type { ServedModelHandle } from "../../models/served-model-handle.ts";
import { type LiveSequencesOptions, SEQUENCE_BYTES } from "./live-sequences.ts";
import { createSequencedModel } from "./sequenced-model.ts";
import { compileStatePlan } from "./state-plan.ts";

const column = (name: string): TensorSpec => ({
  name,
  datatype: "FP32",
  dims: [{ symbol: "batch", min: 1, max: undefined }, 1],
});
const SIGNATURE: Signature = {
  inputs: [column("h"), column("x")],
  outputs: [column("y"), column("h_out")],
  batching: { kind: "on", symbol: "batch", maxRows: undefined },
};

const floats = (name: string, values: readonly number[]): NamedTensor => ({
  name,
  datatype: "FP32",
  shape: [values.length, 1],
  bytes: new Uint8Array(new Float32Array(values).buffer),
});
const valuesOf = ({ bytes }: NamedTensor): number[] => [...new Float32Array(Uint8Array.from(bytes).buffer)];

interface Open {
  readonly request: InferRequest;
  readonly receiver: ResultReceiver<InferResponse>;
}

/** y = h_out = h + x, when the test says so. */
class Sum extends StubModel {
  readonly open: Open[] = [];
  override readonly description = described("a", SIGNATURE);

  override submit(request: InferRequest, receiver: ResultReceiver<InferResponse>): void {
    this.open.push({ request, receiver });
  }

  step(at = 0): void {
    const [{ request, receiver }] = this.open.splice(at, 1) as [Open];
    const [h, x] = request.inputs.map(valuesOf) as [number[], number[]];
    const sum = h.map((value, row) => value + x[row]!);
    const outputs = request.outputs!.map((name) => floats(name, sum));
    receiver.resolve({
      model: "m",
      version: "1",
      id: request.id,
      outputs,
      parameters: NO_PARAMETERS,
      batchRows: 1,
    });
  }

  lose(at = 0): void {
    const [{ receiver }] = this.open.splice(at, 1) as [Open];
    receiver.reject(new ServeError("unavailable", "the worker died", { reason: "worker_died" }));
  }
}

function setUp(options: Partial<LiveSequencesOptions> = {}) {
  const clock = new ManualClock();
  const inner = new Sum(candidateOf("m"));
  const plan = compileStatePlan(SIGNATURE, [{ input: "h", output: "h_out" }], new Map());
  const ends: string[] = [];
  const model = createSequencedModel(inner, plan, {
    clock,
    idleMs: 1000,
    maxSequences: 100,
    maxBytes: 1_000_000,
    onEnd: (why) => ends.push(why),
    ...options,
  });
  return { clock, inner, model, ends };
}

type Asked = Omit<Partial<InferRequest>, "id"> & {
  readonly id?: ParameterValue;
  readonly start?: boolean;
  readonly end?: boolean;
};

function ask(model: ServedModelHandle, x: number, { id: sequence, start, end, ...rest }: Asked = {}) {
  const parameters = new Map<string, ParameterValue>();
  if (sequence !== undefined) parameters.set("sequence_id", sequence);
  if (start !== undefined) parameters.set("sequence_start", start);
  if (end !== undefined) parameters.set("sequence_end", end);
  const inputs = [floats("x", [x])];
  const answer = submitTo(model, requestOf("m", { inputs, parameters, ...rest }));
  answer.catch(() => {});
  return answer;
}

async function sumOf(answer: Promise<InferResponse>): Promise<number> {
  const { outputs } = await answer;
  assert.deepEqual(
    outputs.map(({ name }) => name),
    ["y"],
  );
  return valuesOf(outputs[0]!)[0]!;
}

const reason = (expected: string) => (error: unknown) =>
  error instanceof ServeError && error.reason === expected;

describe("the state of a sequence", () => {
  test("clients see neither its inputs nor its outputs", () => {
    const { signature } = setUp().model.description;
    assert.deepEqual(
      [signature.inputs.map(({ name }) => name), signature.outputs.map(({ name }) => name)],
      [["x"], ["y"]],
    );
  });

  test("begins with zeros, goes from request to request, and ends when a request says so", async () => {
    const { model, inner, ends } = setUp();
    const one = ask(model, 1, { id: 7, start: true });
    inner.step();
    assert.equal(await sumOf(one), 1);
    const two = ask(model, 2, { id: 7 });
    inner.step();
    assert.equal(await sumOf(two), 3);
    const last = ask(model, 4, { id: 7, end: true });
    inner.step();
    assert.equal(await sumOf(last), 7);
    await assert.rejects(ask(model, 1, { id: 7 }), reason("sequence_not_live"));
    assert.deepEqual(ends, ["ended"]);
    assert.deepEqual((await model.gauges()).sequences, { live: 0, stateBytes: 0 });
  });

  test("is begun anew by a start", async () => {
    const { model, inner } = setUp();
    for (const x of [5, 6]) {
      const answer = ask(model, x, { id: "a", start: true });
      inner.step();
      assert.equal(await sumOf(answer), x);
    }
  });

  test("is another for another id, a text that reads as a number, and another tenant", async () => {
    const { model, inner } = setUp();
    const asked: Asked[] = [{ id: 1 }, { id: "1" }, { id: 1n, tenant: "b" }, { id: 2n ** 64n - 1n }];
    for (const [i, who] of asked.entries()) {
      const answer = ask(model, 10 ** i, { ...who, start: true });
      inner.step();
      await answer;
    }
    for (const [i, who] of asked.entries()) {
      const answer = ask(model, 0, who);
      inner.step();
      assert.equal(await sumOf(answer), 10 ** i);
    }
    await assert.rejects(ask(model, 0, { id: 2, tenant: "b" }), reason("sequence_not_live"));
  });

  test("is not kept of a request that is a whole sequence, which needs no id", async () => {
    const { model, inner } = setUp();
    const answer = ask(model, 3, { start: true, end: true });
    inner.step();
    assert.equal(await sumOf(answer), 3);
    assert.deepEqual((await model.gauges()).sequences, { live: 0, stateBytes: 0 });
    for (const flags of [{}, { start: true }, { end: true }, { id: 0 }, { id: "" }])
      await assert.rejects(ask(model, 1, flags), reason("no_sequence"));
  });

  test("ends after the idle time, not while a request of it runs", async () => {
    const { model, inner, clock, ends } = setUp();
    for (const id of [1, 2]) {
      void ask(model, 1, { id, start: true });
      inner.step();
      await clock.advance(400);
    }
    const running = ask(model, 1, { id: 2 });
    await clock.advance(5000);
    assert.deepEqual(ends, ["idle"]);
    inner.step();
    assert.equal(await sumOf(running), 2);
    await assert.rejects(ask(model, 1, { id: 1 }), reason("sequence_not_live"));
    await clock.advance(999);
    assert.deepEqual(ends, ["idle"]);
    await clock.advance(1);
    assert.deepEqual(ends, ["idle", "idle"]);
  });

  test("ends with a thousand others at the most: a crowd that leaves together keeps nobody waiting", async () => {
    const { model, inner, clock, ends } = setUp({ maxSequences: 2500, maxBytes: 100_000_000 });
    for (let id = 1; id <= 2500; id++) {
      void ask(model, 1, { id, start: true });
      inner.step();
    }
    await clock.advance(1000);
    assert.equal(ends.length, 1000);
    await clock.advance(1);
    assert.equal(ends.length, 2000);
    await clock.advance(1);
    assert.equal(ends.length, 2500);
    assert.deepEqual((await model.gauges()).sequences, { live: 0, stateBytes: 0 });
  });
});

describe("requests of one sequence", () => {
  test("run one after another, while those of others run beside them", async () => {
    const { model, inner } = setUp();
    const first = [1, 2, 3].map((x) => ask(model, x, { id: 1, start: x === 1 }));
    const second = [10, 20].map((x) => ask(model, x, { id: 2, start: x === 10 }));
    assert.equal(inner.open.length, 2);
    while (inner.open.length > 0) {
      inner.step(inner.open.length - 1);
      await turns();
    }
    assert.deepEqual(await Promise.all(first.map(sumOf)), [1, 3, 6]);
    assert.deepEqual(await Promise.all(second.map(sumOf)), [10, 30]);
  });

  test("are not answered when one before them failed, and the state is the one before it", async () => {
    const { model, inner } = setUp();
    const begun = ask(model, 1, { id: 1, start: true });
    inner.step();
    await begun;
    const failing = ask(model, 2, { id: 1 });
    const behind = ask(model, 3, { id: 1 });
    const anew = ask(model, 4, { id: 1, start: true });
    inner.lose();
    await assert.rejects(failing, reason("worker_died"));
    await assert.rejects(behind, reason("sequence_interrupted"));
    await turns();
    inner.lose();
    await assert.rejects(anew, reason("worker_died"));
    const retried = ask(model, 2, { id: 1 });
    inner.step();
    assert.equal(await sumOf(retried), 3);
  });

  test("leave no sequence behind when the first one fails", async () => {
    const { model, inner } = setUp();
    const first = ask(model, 1, { id: 1, start: true });
    inner.lose();
    await assert.rejects(first);
    assert.equal((await model.gauges()).sequences?.live, 0);
    assert.equal(model.inFlight(), 0);
  });

  test("whose client left while they waited are not run, nor what it sent after them", async () => {
    const { model, inner } = setUp();
    const signal = new CallSignal();
    const first = ask(model, 1, { id: 1, start: true });
    const left = [2, 3].map((x) => ask(model, x, { id: 1, signal }));
    const behind = ask(model, 4, { id: 1 });
    signal.abort(new ServeError("cancelled", "gone", { reason: "client_left" }));
    await assert.rejects(left[0]!, reason("client_left"));
    await assert.rejects(left[1]!, reason("sequence_interrupted"));
    await assert.rejects(behind, reason("sequence_interrupted"));
    inner.step();
    assert.equal(await sumOf(first), 1);
    assert.equal(model.inFlight(), 0);
    assert.equal(inner.open.length, 0);
  });

  test("whose client leaves in the moment before its turn are not run", async () => {
    const { model, inner } = setUp();
    const signal = new CallSignal();
    void ask(model, 1, { id: 1, start: true });
    const next = ask(model, 2, { id: 1, signal });
    inner.step();
    signal.abort(new ServeError("cancelled", "gone", { reason: "client_left" }));
    await assert.rejects(next, reason("client_left"));
    assert.equal(inner.open.length, 0);
    assert.equal(model.inFlight(), 0);
  });

  test("are rejected when more than 64 wait", async () => {
    const { model } = setUp();
    const asked = Array.from({ length: 66 }, (_, i) => ask(model, 1, { id: 1, start: i === 0 }));
    await assert.rejects(asked[65]!, reason("queue_full"));
  });

  test("must have as many rows as the first", async () => {
    const { model, inner } = setUp();
    const first = ask(model, 1, { id: 1, start: true, inputs: [floats("x", [1, 2])] });
    inner.step();
    assert.deepEqual(valuesOf((await first).outputs[0]!), [1, 2]);
    await assert.rejects(ask(model, 1, { id: 1 }), reason("bad_input"));
    const second = ask(model, 1, { id: 1, inputs: [floats("x", [1, 1])] });
    inner.step();
    assert.deepEqual(valuesOf((await second).outputs[0]!), [2, 3]);
  });
});

describe("limits", () => {
  test("n sequences live, n + 1 do not", async () => {
    const { model, inner } = setUp({ maxSequences: 2 });
    for (const id of [1, 2]) {
      void ask(model, 1, { id, start: true });
      inner.step();
    }
    await assert.rejects(ask(model, 1, { id: 3, start: true }), reason("too_many_sequences"));
    void ask(model, 1, { id: 1, end: true });
    inner.step();
    void ask(model, 1, { id: 3, start: true });
    inner.step();
    assert.equal((await model.gauges()).sequences?.live, 2);
  });

  test("states take n bytes, not n + 1; what does not fit leaves the state as it was", async () => {
    const { model, inner } = setUp({ maxBytes: 3 * SEQUENCE_BYTES + 8 });
    for (const id of [1, 2]) {
      void ask(model, 1, { id, start: true });
      inner.step();
    }
    await assert.rejects(ask(model, 1, { id: 3, start: true }), reason("state_memory"));
    const third = ask(model, 1, { id: 2 });
    inner.step();
    assert.equal(await sumOf(third), 2);
    assert.equal((await model.gauges()).sequences?.live, 2);
  });

  test("ids and flags of other kinds are named", async () => {
    const { model } = setUp();
    for (const id of [-1, 1.5, true, 2n ** 64n, "x".repeat(129)])
      await assert.rejects(ask(model, 1, { id, start: true }), reason("bad_sequence"));
    const parameters = new Map<string, ParameterValue>([["sequence_start", 1]]);
    await assert.rejects(ask(model, 1, { parameters }), reason("bad_sequence"));
  });
});

describe("a stream without an id", () => {
  test("is one sequence, which ends with it", async () => {
    const { model, inner, ends } = setUp();
    const streams = [new RequestStream(), new RequestStream()];
    for (const x of [1, 2, 3]) {
      for (const [i, stream] of streams.entries()) {
        const answer = ask(model, x * 10 ** i, { stream });
        inner.step();
        assert.equal(await sumOf(answer), ((x * (x + 1)) / 2) * 10 ** i);
      }
    }
    streams[0]!.close();
    assert.deepEqual(ends, ["stream_closed"]);
    assert.equal((await model.gauges()).sequences?.live, 1);
    await assert.rejects(ask(model, 1, { stream: streams[0]! }), reason("sequence_not_live"));
  });

  test("begins another one after its end, and says when the state was lost", async () => {
    const { model, inner, clock } = setUp();
    const stream = new RequestStream();
    for (const end of [true, false]) {
      const answer = ask(model, 5, { stream, end });
      inner.step();
      assert.equal(await sumOf(answer), 5);
    }
    await clock.advance(1000);
    await assert.rejects(ask(model, 5, { stream }), reason("sequence_not_live"));
    const anew = ask(model, 5, { stream, start: true });
    inner.step();
    assert.equal(await sumOf(anew), 5);
  });

  test("that closes while its request runs keeps nothing", async () => {
    const { model, inner } = setUp();
    const stream = new RequestStream();
    void ask(model, 5, { stream });
    stream.close();
    inner.step();
    await turns();
    assert.deepEqual((await model.gauges()).sequences, { live: 0, stateBytes: 0 });
    assert.equal(model.inFlight(), 0);
  });
});

test("a model that closes answers what it took, then forgets its sequences", async () => {
  const { model, inner, ends } = setUp();
  const answers = [1, 2].map((x) => ask(model, x, { id: 1, start: x === 1 }));
  const closed = model.close();
  await assert.rejects(ask(model, 1, { id: 2, start: true }), reason("draining"));
  inner.step();
  await turns();
  assert.equal(inner.closed, false);
  inner.step();
  assert.deepEqual(await Promise.all(answers.map(sumOf)), [1, 3]);
  await closed;
  assert.deepEqual(ends, ["lost"]);
});

/** What happens next, and to which sequence. */
const action = fc.record({
  kind: fc.constantFrom("ask", "ask", "ask", "step", "step", "step", "fail", "leave", "idle"),
  sequence: fc.nat(2),
  start: fc.boolean(),
  end: fc.boolean(),
  x: fc.integer({ min: 1, max: 9 }),
});

test("whatever comes in whatever order: no sum holds another sequence's numbers, every request is told its end, nothing stays", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 60 }), async (actions) => {
      const { model, inner, clock } = setUp({ maxSequences: 2 });
      const settled: Promise<unknown>[] = [];
      const signals: CallSignal[] = [];
      for (const { kind, sequence, start, end, x } of actions) {
        if (kind === "ask") {
          const signal = new CallSignal();
          signals.push(signal);
          // Sequences count in different powers: a mixed sum would show.
          const answer = ask(model, x * 1000 ** sequence, { id: `s${sequence}`, start, end, signal });
          settled.push(
            answer.then(
              async (response) => {
                const sum = await sumOf(Promise.resolve(response));
                assert.ok(sum > 0 && sum % 1000 ** sequence === 0 && sum < 1000 ** (sequence + 1), `${sum}`);
              },
              (error: unknown) => assert.ok(error instanceof ServeError),
            ),
          );
        } else if (kind === "idle") await clock.advance(1000);
        else if (kind === "leave")
          signals[x % Math.max(1, signals.length)]?.abort(new ServeError("cancelled", "left"));
        else if (inner.open.length > 0) {
          if (kind === "fail") inner.lose(x % inner.open.length);
          else inner.step(x % inner.open.length);
        }
        if (x > 4) await turns();
      }
      await turns();
      while (inner.open.length > 0) {
        inner.step();
        await turns();
      }
      await Promise.all(settled);
      assert.equal(model.inFlight(), 0);
      await clock.advance(2000);
      assert.deepEqual((await model.gauges()).sequences, { live: 0, stateBytes: 0 });
    }),
    { numRuns: 60 },
  );
});
