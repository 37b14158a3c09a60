import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServeError } from "../base/errors.ts";
import { submitTo } from "../base/result-receiver.ts";
import {
  expectedOutputs,
  int32s,
  KIND,
  type Kind,
  type RequestOptions,
  rowsRequest,
  type SetUp,
  settle,
  setUp,
} from "./fakes.kit.ts";
import { fingerprintOf } from "./quarantine.ts";
import { NO_RETRY_PARAMETER } from "./recovery.ts";

interface Outcome {
  reason: string;
  readonly id: number;
}

function send(parts: SetUp, id: number, kind: Kind = KIND.fine, options: RequestOptions = {}): Outcome {
  const outcome: Outcome = { reason: "waits", id };
  submitTo(parts.scheduler, rowsRequest([[id, kind]], options)).then(
    (answer) => {
      assert.deepEqual(
        answer.outputs.map((o) => int32s(o.bytes)),
        expectedOutputs([[id, kind]]),
      );
      outcome.reason = "answered";
    },
    (error: ServeError) => {
      outcome.reason = `${error.code}/${error.reason}`;
    },
  );
  return outcome;
}

/** Runs everything, bringing workers that died back at once. */
async function drive(parts: SetUp): Promise<void> {
  await settle();
  while (parts.instances.some((instance) => instance.outstanding > 0 || !instance.isReady)) {
    for (const instance of parts.instances) {
      instance.step();
      await settle();
      if (instance.isReady) continue;
      instance.revive();
      parts.scheduler.instancesChanged();
    }
    await settle();
  }
}

const NO_RETRY = new Map([[NO_RETRY_PARAMETER, true]]);

/** One request keeps the instance busy, so that all that follow share a batch. */
function gather(parts: SetUp, kinds: readonly Kind[]): Outcome[] {
  send(parts, 0);
  return kinds.map((kind, i) => send(parts, i + 1, kind));
}

for (const [kind, reason] of [
  [KIND.throws, "internal/model_failed"],
  [KIND.badShape, "internal/bad_output"],
] as const) {
  test(`one of 32 ends in ${reason}: 31 mates are answered, in at most 2·log2(32) more runs`, async () => {
    const parts = setUp();
    const kinds = Array.from({ length: 32 }, (_, i) => (i === 19 ? kind : KIND.fine));
    const outcomes = gather(parts, kinds);
    await drive(parts);
    outcomes.forEach((outcome, i) => {
      assert.equal(outcome.reason, i === 19 ? reason : "answered");
    });
    assert.ok(parts.instances[0]!.runs.length <= 2 + 10, `${parts.instances[0]!.runs.length} runs`);
    assert.equal(parts.counts.failed, 1);
  });
}

for (const kind of [KIND.kills, KIND.hangs]) {
  test(`one of 32 ${kind === KIND.kills ? "kills" : "hangs"} its worker: two workers are lost, no mate, and the input is refused from then on`, async () => {
    const refused =
      kind === KIND.kills ? "failed_precondition/quarantined" : "deadline_exceeded/execution_timeout";
    const parts = setUp({}, { instances: 2 });
    for (const instance of parts.instances.slice(1))
      instance.state = { kind: "restarting", attempt: 1, reason: "test" };
    const outcomes = gather(
      parts,
      Array.from({ length: 32 }, (_, i) => (i === 7 ? kind : KIND.fine)),
    );
    parts.instances[0]!.step();
    await drive(parts);
    outcomes.forEach((outcome, i) => {
      assert.equal(outcome.reason, i === 7 ? refused : "answered");
    });
    const deaths = () => parts.instances.reduce((sum, instance) => sum + instance.deaths, 0);
    assert.equal(deaths(), 2);
    const runs = parts.instances.reduce((sum, instance) => sum + instance.runs.length, 0);

    const again = send(parts, 8, kind);
    const otherTenant = send(parts, 9, KIND.fine, { tenant: "other" });
    await settle();
    assert.equal(again.reason, refused);
    await drive(parts);
    assert.equal(otherTenant.reason, "answered");
    assert.equal(
      parts.instances.reduce((sum, instance) => sum + instance.runs.length, 0),
      runs + 1,
    );

    parts.clock.advance(599_999);
    const stillRefused = send(parts, 8, kind);
    parts.clock.advance(1);
    const released = send(parts, 8, kind, { parameters: NO_RETRY });
    await drive(parts);
    assert.equal(stillRefused.reason, refused);
    // A time-out has the same words in quarantine and out of it; the count of deaths tells them apart.
    if (kind === KIND.kills) assert.notEqual(released.reason, refused);
    assert.equal(deaths(), 3);
  });
}

test("an input that takes too long alone is a time-out both times, costs one worker each, and no third", async () => {
  const parts = setUp();
  for (const deaths of [1, 2, 2, 2]) {
    parts.clock.advance(1);
    const outcome = send(parts, 1, KIND.hangs);
    await drive(parts);
    assert.equal(outcome.reason, "deadline_exceeded/execution_timeout");
    assert.equal(parts.instances[0]!.deaths, deaths);
  }
});

test("a worker that is killed from outside costs nobody an answer, and nobody is blamed", async () => {
  const parts = setUp();
  const outcomes = gather(
    parts,
    Array.from({ length: 8 }, () => KIND.fine),
  );
  parts.instances[0]!.step();
  await settle();
  parts.instances[0]!.die();
  await drive(parts);
  assert.ok(outcomes.every((outcome) => outcome.reason === "answered"));
  assert.equal(parts.counts.retried.died, 8);
  // Suspects would run alone.
  gather(
    parts,
    Array.from({ length: 8 }, () => KIND.fine),
  );
  await drive(parts);
  assert.deepEqual(parts.instances[0]!.runs.at(-1), [1, 2, 3, 4, 5, 6, 7, 8]);
});

test("all workers killed at the same moment under equal requests condemns none of them", async () => {
  const parts = setUp({ maxBatchSize: 1 }, { instances: 3 });
  const outcomes = [1, 1, 1].map((id) => send(parts, id));
  for (const instance of parts.instances) instance.die();
  await drive(parts);
  assert.deepEqual(
    outcomes.map((outcome) => outcome.reason),
    ["answered", "answered", "answered"],
  );
});

test("runs that had not begun when their worker died are run again without using up anything", async () => {
  const parts = setUp({ pipelineDepth: 2, maxBatchSize: 1, retryMinimum: 0, retryRatio: 0 });
  const executing = send(parts, 1);
  const behind = send(parts, 2, KIND.fine, { parameters: NO_RETRY });
  parts.instances[0]!.die();
  await drive(parts);
  assert.equal(executing.reason, "unavailable/worker_died");
  assert.equal(behind.reason, "answered");
});

test("no_retry: the model never sees the request twice; its mates are still saved", async () => {
  const parts = setUp();
  send(parts, 0);
  const once = send(parts, 1, KIND.fine, { parameters: NO_RETRY });
  const mate = send(parts, 2);
  const bad = send(parts, 3, KIND.throws);
  await drive(parts);
  assert.deepEqual(
    [once.reason, mate.reason, bad.reason],
    ["internal/model_failed", "answered", "internal/model_failed"],
  );
  assert.equal(parts.instances[0]!.runs.flat().filter((id) => id === 1).length, 1);
});

test("an input that ends workers and forbids re-runs is run alone when it comes back, and then refused", async () => {
  const parts = setUp();
  const poison = () => send(parts, 1, KIND.kills, { parameters: NO_RETRY });
  const first = poison();
  await drive(parts);
  parts.clock.advance(1);
  send(parts, 0);
  const mate = send(parts, 5);
  const second = poison();
  await drive(parts);
  const third = poison();
  await drive(parts);
  assert.deepEqual(
    [first, mate, second, third].map((outcome) => outcome.reason),
    [
      "unavailable/worker_died",
      "answered",
      "failed_precondition/quarantined",
      "failed_precondition/quarantined",
    ],
  );
  assert.equal(parts.instances[0]!.deaths, 2);
  assert.ok(parts.instances[0]!.runs.every((ids) => !ids.includes(1) || ids.length === 1));
});

for (const [minimum, answered] of [
  [1, 1],
  [2, 2],
  [3, 3],
] as const) {
  test(`a retry budget of ${minimum} saves ${answered} of three requests whose workers are killed`, async () => {
    const parts = setUp({ retryMinimum: minimum, retryRatio: 0, maxBatchSize: 1 });
    const outcomes: Outcome[] = [];
    for (const id of [1, 2, 3]) {
      outcomes.push(send(parts, id));
      parts.instances[0]!.die();
      await drive(parts);
    }
    assert.equal(outcomes.filter((outcome) => outcome.reason === "answered").length, answered);
    parts.clock.advance(10_000);
    const later = send(parts, 4);
    parts.instances[0]!.die();
    await drive(parts);
    assert.equal(later.reason, "answered", "the budget is per ten seconds");
  });
}

test("a fingerprint covers tenant, shape and every byte", () => {
  const inputs = (bytes: readonly number[], shape = [bytes.length]) => [
    { name: "x", datatype: "UINT8" as const, shape, bytes: Uint8Array.from(bytes) },
  ];
  const prints = [
    fingerprintOf(inputs([1, 2]), ""),
    fingerprintOf(inputs([1, 3]), ""),
    fingerprintOf(inputs([1, 2], [1, 2]), ""),
    fingerprintOf(inputs([1, 2]), "tenant"),
  ];
  assert.equal(new Set(prints).size, 4);
  assert.equal(fingerprintOf(inputs([1, 2]), ""), prints[0]);
});
