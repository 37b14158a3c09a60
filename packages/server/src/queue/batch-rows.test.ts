// Tests scheduler.ts: how requests are joined, padded, cut and split.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ServeError } from "../base/errors.ts";
import { type InferRequest, NO_PARAMETERS } from "../base/infer-request.ts";
import type { Instance } from "../base/instance.ts";
import { ManualClock } from "../base/manual-clock.kit.ts";
import { submitTo } from "../base/result-receiver.ts";
import type { RunRequest, RunResult } from "../base/run.ts";
import type { Dim, Signature } from "../base/signature.ts";
import type { NamedTensor, Tensor } from "../base/tensor.ts";
import { Timeline } from "../base/timeline.ts";
import { settle } from "./fakes.kit.ts";
import { completeQueueConfig, type QueueConfig } from "./queue-config.ts";
import type { RequestResult } from "./queued-request.ts";
import { createScheduler } from "./scheduler.ts";

const N: Dim = { symbol: "n", min: 1, max: undefined };
const T: Dim = { symbol: "t", min: 1, max: 64 };

/** An instance whose runs end when told, by a function on the joined tensors. */
function functionInstance(model: (inputs: readonly Tensor[]) => Tensor[]) {
  const runs: RunRequest[] = [];
  const pending: (() => void)[] = [];
  const instance: Instance = {
    id: "0",
    state: { kind: "ready" },
    residentBytes: async () => undefined,
    run(request) {
      runs.push(request);
      const inputs = request.inputs.map(({ datatype, shape, chunks }) => ({
        datatype,
        shape,
        bytes: new Uint8Array(Buffer.concat(chunks)),
      }));
      return new Promise<RunResult>((resolve) => {
        pending.push(() => resolve({ outputs: model(inputs), computeMs: 0 }));
      });
    },
  };
  return { instance, runs, pending };
}

function setUpModel(
  signature: Signature,
  config: Partial<QueueConfig>,
  model: (inputs: readonly Tensor[]) => Tensor[],
) {
  const { instance, runs, pending } = functionInstance(model);
  const scheduler = createScheduler({
    signature,
    config: completeQueueConfig(config, signature, 1),
    instances: [instance],
    clock: new ManualClock(),
  });
  const submit = (...inputs: NamedTensor[]) => submitTo(scheduler, requestOf(inputs));
  const finish = async () => {
    for (let run = pending.shift(); run !== undefined; run = pending.shift()) {
      run();
      await settle();
    }
  };
  return { submit, finish, runs };
}

function requestOf(inputs: readonly NamedTensor[]): InferRequest {
  return {
    model: "m",
    version: undefined,
    id: undefined,
    inputs,
    outputs: undefined,
    parameters: NO_PARAMETERS,
    priority: 0,
    deadlineMs: undefined,
    signal: new AbortController().signal,
    timeline: new Timeline(0),
  };
}

const bytesSignature: Signature = {
  inputs: [{ name: "texts", datatype: "BYTES", dims: [N, 2] }],
  outputs: [{ name: "same", datatype: "BYTES", dims: [N, 2] }],
  batching: { kind: "on", symbol: "n", maxRows: undefined },
};

function texts(rows: readonly (readonly [string, string])[]): NamedTensor {
  const parts = rows.flat().flatMap((text) => {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(Buffer.byteLength(text));
    return [length, Buffer.from(text)];
  });
  return {
    name: "texts",
    datatype: "BYTES",
    shape: [rows.length, 2],
    bytes: new Uint8Array(Buffer.concat(parts)),
  };
}

test("strings of any length are joined, cut, divided and joined again", async () => {
  const row = fc.tuple(fc.string({ maxLength: 5 }), fc.string({ maxLength: 5 }));
  const requests = fc.array(fc.array(row, { maxLength: 9 }), { minLength: 1, maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(requests, async (list) => {
      const { submit, finish } = setUpModel(bytesSignature, { maxBatchSize: 4 }, (inputs) => [...inputs]);
      const tensors = list.map((rows) => texts(rows));
      const answers = tensors.map((tensor) => submit(tensor));
      await finish();
      for (const [i, answer] of (await Promise.all(answers)).entries()) {
        assert.deepEqual(Buffer.from(answer.outputs[0]!.bytes), Buffer.from(tensors[i]!.bytes));
        assert.deepEqual(answer.outputs[0]!.shape, tensors[i]!.shape);
      }
    }),
    { numRuns: 100 },
  );
});

test("an answer whose strings end before its shape says is bad output", async () => {
  const { submit, finish } = setUpModel(bytesSignature, {}, (inputs) => [
    { ...inputs[0]!, bytes: inputs[0]!.bytes.subarray(1) },
  ]);
  const answer = assert.rejects(
    submit(texts([["a", "b"]])),
    (error: ServeError) => error.reason === "bad_output",
  );
  await finish();
  await answer;
});

const sequenceSignature: Signature = {
  inputs: [
    { name: "ids", datatype: "INT32", dims: [N, T] },
    { name: "mask", datatype: "UINT8", dims: [N, T] },
  ],
  outputs: [
    { name: "negated", datatype: "INT32", dims: [N, T] },
    { name: "outer", datatype: "INT32", dims: [N, T, T] },
    { name: "sum", datatype: "INT32", dims: [N] },
  ],
  batching: { kind: "on", symbol: "n", maxRows: undefined },
};

/** A model that looks only where the mask is 1: −id per token, products of all pairs, and the sum. */
function maskedModel([ids, mask]: readonly Tensor[]): Tensor[] {
  const [rows, length] = ids!.shape as [number, number];
  const id = new Int32Array(ids!.bytes.slice().buffer).map((value, i) => (mask!.bytes[i] === 1 ? value : 0));
  const outer = new Int32Array(rows * length * length);
  const sum = new Int32Array(rows);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < length; i++) {
      sum[row]! += id[row * length + i]!;
      for (let j = 0; j < length; j++) {
        outer[(row * length + i) * length + j] = id[row * length + i]! * id[row * length + j]!;
      }
    }
  }
  const tensor = (shape: number[], values: Int32Array): Tensor => ({
    datatype: "INT32",
    shape,
    bytes: new Uint8Array(values.buffer),
  });
  return [
    tensor(
      [rows, length],
      id.map((value) => -value),
    ),
    tensor([rows, length, length], outer),
    tensor([rows], sum),
  ];
}

function sequence(rows: readonly (readonly number[])[]): NamedTensor[] {
  const length = rows[0]!.length;
  const ids = Int32Array.from(rows.flat());
  return [
    { name: "ids", datatype: "INT32", shape: [rows.length, length], bytes: new Uint8Array(ids.buffer) },
    {
      name: "mask",
      datatype: "UINT8",
      shape: [rows.length, length],
      bytes: new Uint8Array(ids.length).fill(1),
    },
  ];
}

function comparable(answer: RequestResult) {
  return answer.outputs.map(({ name, shape, bytes }) => [name, shape, Buffer.from(bytes).toString("hex")]);
}

/** Requests of equal-length rows, as a client sends them. */
const sequences = fc.array(
  fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 12 })).chain(([rows, length]) =>
    fc.array(fc.array(fc.integer({ min: 1, max: 99 }), { minLength: length, maxLength: length }), {
      minLength: rows,
      maxLength: rows,
    }),
  ),
  { minLength: 1, maxLength: 10 },
);

for (const [name, pad] of [
  ["without padding requests of different lengths never share a run", undefined],
  [
    "padded requests get what they would have got alone",
    { symbol: "t", value: { ids: 77 }, buckets: [4, 8] },
  ],
  ["padding to powers of two as well", { symbol: "t", value: 0, buckets: [] }],
] as const) {
  test(name, async () => {
    await fc.assert(
      fc.asyncProperty(sequences, async (list) => {
        const { submit, finish, runs } = setUpModel(sequenceSignature, { maxBatchSize: 6, pad }, maskedModel);
        const answers = list.map((rows) => submit(...sequence(rows)));
        await finish();
        for (const [i, answer] of (await Promise.all(answers)).entries()) {
          const alone = maskedModel(sequence(list[i]!)).map((tensor, index) => ({
            ...tensor,
            name: sequenceSignature.outputs[index]!.name,
          }));
          assert.deepEqual(comparable(answer), comparable({ outputs: alone, batchRows: 0 }));
        }
        const lengths = new Set(list.map((rows) => rows[0]!.length));
        for (const run of runs) {
          assert.ok(run.inputs[0]!.shape[0]! <= 6);
          assert.deepEqual(run.inputs[0]!.shape, run.inputs[1]!.shape);
          if (pad === undefined) assert.ok(lengths.has(run.inputs[0]!.shape[1]!));
          else if (pad.buckets.length > 0) assert.ok([4, 8, ...lengths].includes(run.inputs[0]!.shape[1]!));
        }
      }),
      { numRuns: 100 },
    );
  });
}

test("texts of different lengths share a run when padded, and the padding holds the value asked for", async () => {
  const { submit, finish, runs } = setUpModel(
    sequenceSignature,
    { pad: { symbol: "t", value: { ids: 77 }, buckets: [4] } },
    maskedModel,
  );
  const answers = [[[9]], [[1, 2]], [[3, 4, 5]], [[6, 7, 8, 9, 10]]].map((rows) => submit(...sequence(rows)));
  await finish();
  await Promise.all(answers);
  assert.deepEqual(
    runs.map((run) => run.inputs[0]!.shape),
    [
      [1, 4],
      [2, 4],
      [1, 5],
    ],
  );
  const joined = new Int32Array(new Uint8Array(Buffer.concat(runs[1]!.inputs[0]!.chunks)).buffer);
  assert.deepEqual([...joined], [1, 2, 77, 77, 3, 4, 5, 77]);
  assert.deepEqual([...Buffer.concat(runs[1]!.inputs[1]!.chunks)], [1, 1, 0, 0, 1, 1, 1, 0]);
});

test("padding that does not fit the signature is refused", () => {
  for (const [pad, word] of [
    [{ symbol: "x", value: 0, buckets: [] }, "no input has"],
    [{ symbol: "n", value: 0, buckets: [] }, "batch dimension"],
    [{ symbol: "t", value: 0, buckets: [8, 4] }, "ascending"],
    [{ symbol: "t", value: 0, buckets: [65] }, "maximum"],
  ] as const) {
    assert.throws(
      () => setUpModel(sequenceSignature, { pad }, maskedModel),
      (error: unknown) => error instanceof ServeError && error.message.includes(word),
    );
  }
});

test("inputs may come in any order", async () => {
  const { submit, finish, runs } = setUpModel(sequenceSignature, {}, maskedModel);
  const [ids, mask] = sequence([[1, 2, 3]]);
  const answer = submit(mask!, ids!);
  await finish();
  assert.equal((await answer).outputs.length, 3);
  assert.deepEqual(
    runs[0]!.inputs.map((input) => input.datatype),
    ["INT32", "UINT8"],
  );
});

test("without batching every request runs alone and its outputs may have any shape", async () => {
  const signature: Signature = {
    inputs: [{ name: "x", datatype: "UINT8", dims: [3] }],
    outputs: [{ name: "y", datatype: "UINT8", dims: [] }],
    batching: { kind: "off", reason: "the first dimension is fixed" },
  };
  const { submit, finish, runs } = setUpModel(signature, { maxBatchSize: 8 }, ([x]) => [
    { datatype: "UINT8", shape: [], bytes: Uint8Array.of(x!.bytes.reduce((a, b) => a + b)) },
  ]);
  const answers = [1, 2, 3].map((value) =>
    submit({ name: "x", datatype: "UINT8", shape: [3], bytes: Uint8Array.of(value, value, value) }),
  );
  await finish();
  const sums = (await Promise.all(answers)).map((answer) => [answer.outputs[0]!.bytes[0], answer.batchRows]);
  assert.deepEqual(sums, [
    [3, 1],
    [6, 1],
    [9, 1],
  ]);
  assert.equal(runs.length, 3);
});

for (const [min, multipleOf, rows, sizes] of [
  [2, 1, 33, [31, 2]],
  [2, 1, 34, [32, 2]],
  [1, 3, 33, [30, 3]],
  [4, 4, 36, [32, 4]],
] as const) {
  test(`${rows} rows are divided into ${sizes.join(" + ")} when the model wants at least ${min}, in multiples of ${multipleOf}`, async () => {
    const dim: Dim = { symbol: "n", min, max: undefined, multipleOf };
    const signature: Signature = {
      inputs: [{ name: "x", datatype: "UINT8", dims: [dim] }],
      outputs: [{ name: "y", datatype: "UINT8", dims: [dim] }],
      batching: { kind: "on", symbol: "n", maxRows: undefined },
    };
    const { submit, finish, runs } = setUpModel(signature, { maxBatchSize: 32 }, (inputs) => [...inputs]);
    const bytes = Uint8Array.from({ length: rows }, (_, i) => i);
    const answer = submit({ name: "x", datatype: "UINT8", shape: [rows], bytes });
    await finish();
    assert.deepEqual([...(await answer).outputs[0]!.bytes], [...bytes]);
    assert.deepEqual(
      runs.map((run) => run.inputs[0]!.shape[0]),
      sizes,
    );
  });
}
