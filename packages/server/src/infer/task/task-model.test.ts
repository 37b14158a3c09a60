import assert from "node:assert/strict";
import { test } from "node:test";
import { CallSignal } from "../../base/call-signal.ts";
import { ServeError } from "../../base/errors.ts";
import { type InferRequest, type InferResponse, NO_PARAMETERS } from "../../base/infer-request.ts";
import type { ResultReceiver } from "../../base/result-receiver.ts";
import type { Signature } from "../../base/signature.ts";
import type { TaskResponse, TaskStages } from "../../base/task.ts";
import type { NamedTensor } from "../../base/tensor.ts";
import { Timeline } from "../../base/timeline.ts";
import {
  candidateOf,
  describe as described,
  ManualClock,
  StubModel,
  turns,
} from "../../models/models.kit.ts";
import { createTaskModel } from "./task-model.ts";

const SIGNATURE: Signature = {
  inputs: [{ name: "x", datatype: "UINT8", dims: [1] }],
  outputs: [{ name: "x", datatype: "UINT8", dims: [1] }],
  batching: { kind: "off", reason: "test" },
} as unknown as Signature;

const byte = (value: number): NamedTensor => ({
  name: "x",
  datatype: "UINT8",
  shape: [1],
  bytes: Uint8Array.of(value),
});

interface Open {
  readonly request: InferRequest;
  readonly receiver: ResultReceiver<InferResponse>;
}

/** Answers with what it was asked, when the test says so. Its queue has room for 64. */
class Echo extends StubModel {
  readonly open: Open[] = [];
  most = 0;
  override readonly description = described("a", SIGNATURE);

  override submit(request: InferRequest, receiver: ResultReceiver<InferResponse>): void {
    this.open.push({ request, receiver });
    this.most = Math.max(this.most, this.open.length);
  }

  answerOne(): void {
    const { request, receiver } = this.open.pop()!;
    const answer = { model: "m", version: "1", id: request.id, parameters: NO_PARAMETERS, batchRows: 1 };
    receiver.resolve({ ...answer, outputs: request.inputs });
  }
}

function setUp(runs: number): { readonly inner: Echo; readonly answer: Promise<TaskResponse> } {
  const inner = new Echo(candidateOf("m"));
  const stages: TaskStages = {
    prepare: async () => ({
      runs: Array.from({ length: runs }, (_, i) => [byte(i % 256)]),
      state: new Uint8Array(),
    }),
    finish: async (_state, outputs) => Uint8Array.from(outputs.map(([tensor]) => tensor!.bytes[0]!)),
    failure: () => undefined,
    isOutdated: () => false,
    onStateChange: () => () => {},
    residentBytes: async () => [],
    close: async () => {},
    destroy() {},
  };
  const model = createTaskModel(inner, { name: "echo", stages, clock: new ManualClock() });
  const answer = model.task!.run({
    parts: [],
    priority: 0,
    deadlineMs: undefined,
    signal: new CallSignal(),
    tenant: undefined,
    timeline: new Timeline(0),
  });
  answer.catch(() => {});
  return { inner, answer };
}

test("a request of 300 texts is not refused by a queue for 64 that it has for itself", async () => {
  const { inner, answer } = setUp(300);
  let isDone = false;
  void answer.then(() => {
    isDone = true;
  });
  while (!isDone) {
    await turns();
    if (inner.open.length > 0) inner.answerOne();
  }
  assert.ok(inner.most <= inner.settings.maxQueueSize, `${inner.most} waited at once`);
  const { body } = await answer;
  assert.deepEqual(
    [...body],
    Array.from({ length: 300 }, (_, i) => i % 256),
  );
});

test("of a request that has failed nothing more is run", async () => {
  const { inner, answer } = setUp(300);
  await turns();
  const begun = inner.open.length;
  inner.open.pop()!.receiver.reject(new ServeError("unavailable", "full", { reason: "queue_full" }));
  await assert.rejects(answer, /full/);
  while (inner.open.length > 0) {
    inner.answerOne();
    await turns();
  }
  assert.ok(inner.most <= begun, "others were begun");
});
