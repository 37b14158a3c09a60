import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ServeError } from "../base/errors.ts";
import type { Instance, InstanceState } from "../base/instance.ts";
import { submitTo } from "../base/result-receiver.ts";
import type { RunRequest, RunResult } from "../base/run.ts";
import { completeQueueConfig } from "../queue/queue-config.ts";
import { createScheduler } from "../queue/scheduler.ts";
import type { LoadedModel } from "../runtime/runtime.ts";
import {
  describe as describeModel,
  ManualClock,
  requestOf,
  SETTINGS,
  silentLogger,
  turns,
} from "./models.kit.ts";
import { createServedModel } from "./served-model.ts";

/** An instance that answers when the test says so: y doubles x, z is x. */
class StubInstance implements Instance {
  readonly id: string;
  state: InstanceState = { kind: "ready" };
  readonly #runs: {
    readonly request: RunRequest;
    resolve(result: RunResult): void;
    reject(error: Error): void;
  }[] = [];

  constructor(id: string) {
    this.id = id;
  }

  async residentBytes(): Promise<number | undefined> {
    return this.state.kind === "ready" ? 1000 + Number(this.id) : undefined;
  }

  get running(): number {
    return this.#runs.length;
  }

  run(request: RunRequest): Promise<RunResult> {
    return new Promise((resolve, reject) => this.#runs.push({ request, resolve, reject }));
  }

  answer(): void {
    const { request, resolve } = this.#runs.shift()!;
    const input = request.inputs[0]!;
    const x = new Uint8Array(Buffer.concat(input.chunks));
    const doubled = new Uint8Array(new Float32Array(x.buffer).map((value) => 2 * value).buffer);
    const { datatype, shape } = input;
    resolve({ outputs: [doubled, x].map((bytes) => ({ datatype, shape, bytes })), computeMs: 2 });
  }

  die(): void {
    for (const { reject } of this.#runs.splice(0)) {
      reject(new ServeError("unavailable", "the worker died", { reason: "worker_died" }));
    }
  }
}

function setUp(instances = [new StubInstance("0")]) {
  const clock = new ManualClock();
  const listeners = new Set<(instance: Instance) => void>();
  const ended: string[] = [];
  const loaded: LoadedModel = {
    description: describeModel("d"),
    instances,
    onStateChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close() {
      ended.push("close");
    },
    destroy(reason) {
      ended.push(reason);
    },
  };
  const answered: number[] = [];
  const restarts = { count: 0 };
  const served = createServedModel({
    name: "m",
    version: "3",
    loaded,
    logger: silentLogger,
    settings: SETTINGS,
    onRestart() {
      restarts.count += 1;
    },
    wallNowMs: () => 1_700_000_000_000,
    createQueue: (parts) =>
      createScheduler({
        ...parts,
        clock,
        config: completeQueueConfig({}, parts.signature, instances.length),
      }),
    observer: {
      runFinished() {},
      requestAnswered: (_timeline, rows) => answered.push(rows),
      requestFailed() {},
      requestRejected() {},
      requestsRetried() {},
    },
  });
  const change = (instance: StubInstance, state: InstanceState): void => {
    instance.state = state;
    for (const listener of listeners) listener(instance);
  };
  return { clock, served, instances, ended, change, listeners, answered, restarts };
}

function rows(...values: readonly number[]) {
  const bytes = new Uint8Array(new Float32Array(values).buffer);
  return requestOf("m", {
    id: "7",
    inputs: [{ name: "x", datatype: "FP32" as const, shape: [values.length, 1], bytes }],
  });
}

function floats(bytes: Uint8Array): number[] {
  return [...new Float32Array(bytes.slice().buffer)];
}

test("requests go through the queue to an instance and come back with name, version and id", async () => {
  const { served, instances, answered } = setUp();
  const first = submitTo(served, rows(1));
  const both = [submitTo(served, rows(2, 3)), submitTo(served, { ...rows(4), outputs: ["z"] })];
  assert.equal(served.inFlight(), 3);
  instances[0]!.answer();
  const { model, version, id, outputs } = await first;
  assert.deepEqual([model, version, id], ["m", "3", "7"]);
  assert.deepEqual(
    outputs.map((output) => [output.name, floats(output.bytes)]),
    [
      ["y", [2]],
      ["z", [1]],
    ],
  );
  instances[0]!.answer();
  const [pair, single] = await Promise.all(both);
  assert.deepEqual(floats(pair!.outputs[0]!.bytes), [4, 6]);
  assert.deepEqual(
    single!.outputs.map((output) => output.name),
    ["z"],
  );
  assert.equal(single!.batchRows, 3);
  assert.equal(served.inFlight(), 0);
  assert.deepEqual(answered, [1, 2, 1]);
});

describe("ending", () => {
  test("closing waits for what is in flight, refuses what is new, then ends the workers", async () => {
    const { served, instances, ended, listeners } = setUp();
    const answers = [submitTo(served, rows(1)), submitTo(served, rows(2))];
    const closing = served.close();
    await assert.rejects(submitTo(served, rows(3)), { code: "unavailable", reason: "draining" });
    instances[0]!.answer();
    await turns();
    assert.deepEqual(ended, []);
    instances[0]!.answer();
    await Promise.all([...answers, closing, served.close()]);
    assert.deepEqual(ended, ["close"]);
    assert.equal(listeners.size, 0);
  });

  test("destroying ends everything now", async () => {
    const { served, ended } = setUp();
    const refused = assert.rejects(submitTo(served, rows(1)), { code: "unavailable" });
    served.destroy("stopped hard");
    await refused;
    assert.deepEqual(ended, ["stopped hard"]);
    await served.close();
  });
});

describe("health", () => {
  test("a model fails when no instance will come back, and says why", async () => {
    const { served, instances, change } = setUp([new StubInstance("0"), new StubInstance("1")]);
    const seen: (string | undefined)[] = [];
    served.onHealthChange(() => seen.push(served.failure()));
    change(instances[0]!, { kind: "failed", reason: "crash loop" });
    change(instances[1]!, { kind: "restarting", attempt: 1, reason: "died" });
    assert.deepEqual(seen, []);
    const waiting = assert.rejects(submitTo(served, rows(1)), { code: "unavailable", reason: "no_instance" });
    change(instances[1]!, { kind: "failed", reason: "crash loop too" });
    await waiting;
    assert.deepEqual(seen, ["crash loop"]);
    change(instances[1]!, { kind: "ready" });
    assert.deepEqual(seen, ["crash loop", undefined]);
  });

  test("a restart counts once, however many tries it takes, and another one counts again", () => {
    const { instances, change, restarts } = setUp([new StubInstance("0"), new StubInstance("1")]);
    for (const attempt of [0, 1, 2]) change(instances[0]!, { kind: "restarting", attempt, reason: "died" });
    assert.equal(restarts.count, 1);
    change(instances[0]!, { kind: "ready" });
    change(instances[1]!, { kind: "restarting", attempt: 1, reason: "died" });
    change(instances[0]!, { kind: "restarting", attempt: 1, reason: "died" });
    assert.equal(restarts.count, 3);
  });

  test("a request waits for an instance that restarts", async () => {
    const { served, instances, change } = setUp();
    const answer = submitTo(served, rows(5));
    change(instances[0]!, { kind: "restarting", attempt: 1, reason: "died" });
    instances[0]!.die();
    await turns();
    change(instances[0]!, { kind: "ready" });
    await turns();
    instances[0]!.answer();
    assert.deepEqual(floats((await answer).outputs[0]!.bytes), [10]);
  });

  test("idleness is told once per time the last request settles", async () => {
    const { served, instances } = setUp();
    let idle = 0;
    served.onIdle(() => {
      idle += 1;
    });
    const answers = [submitTo(served, rows(1)), submitTo(served, rows(2))];
    instances[0]!.answer();
    await answers[0];
    assert.equal(idle, 0);
    instances[0]!.answer();
    await answers[1];
    assert.equal(idle, 1);
  });
});

test("statistics add up", async () => {
  const { clock, served, instances } = setUp();
  const requests = [rows(1), rows(2), rows(3, 4)];
  for (const request of requests) request.timeline.enqueuedMs = clock.nowMs();
  const answers = requests.map((request) => submitTo(served, request));
  await clock.advance(5);
  instances[0]!.answer();
  await answers[0];
  await clock.advance(3);
  instances[0]!.answer();
  await Promise.all(answers);
  const gone = new AbortController();
  const left = assert.rejects(submitTo(served, { ...rows(9), signal: gone.signal }), { code: "cancelled" });
  gone.abort();
  await left;
  const late = { ...rows(9), deadlineMs: clock.nowMs() };
  await assert.rejects(submitTo(served, late), { code: "deadline_exceeded" });
  const found = served.statistics();
  assert.deepEqual([found.name, found.version, found.lastInferenceMs], ["m", "3", 1_700_000_000_000]);
  assert.deepEqual([found.inferenceCount, found.executionCount], [4, 2]);
  assert.deepEqual(found.success, { count: 3, ns: 21_000_000n });
  assert.equal(found.fail.count, 1);
  assert.deepEqual(found.queue, { count: 3, ns: 10_000_000n });
  assert.deepEqual(found.computeInfer, { count: 3, ns: 6_000_000n });
  assert.deepEqual(found.computeInput, { count: 3, ns: 5_000_000n });
  assert.deepEqual(
    found.batches.map((batch) => [batch.batchSize, batch.computeInfer.count, batch.computeInput.ns]),
    [
      [1, 1, 3_000_000n],
      [3, 1, 1_000_000n],
    ],
  );
});
