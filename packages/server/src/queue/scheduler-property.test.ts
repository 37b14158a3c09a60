// Tests scheduler.ts: properties over generated histories.
import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import fc from "fast-check";
import { ServeError } from "../base/errors.ts";
import { submitTo } from "../base/result-receiver.ts";
import {
  expectedOutputs,
  int32s,
  KIND,
  type Kind,
  rowsRequest,
  type SetUp,
  settle,
  setUp,
} from "./fakes.kit.ts";
import type { RequestResult } from "./queued-request.ts";

fc.configureGlobal({ includeErrorInReport: true });

type Row = readonly [id: number, kind: Kind];

type Command =
  | {
      readonly kind: "submit";
      readonly rows: readonly Kind[];
      readonly priority: number;
      readonly tenant: string;
      readonly timeoutMs: number | undefined;
    }
  | { readonly kind: "cancel"; readonly which: number }
  | { readonly kind: "step"; readonly instance: number }
  | { readonly kind: "die"; readonly instance: number }
  | { readonly kind: "revive"; readonly instance: number }
  | { readonly kind: "advance"; readonly ms: number };

interface Submitted {
  readonly rows: readonly Row[];
  readonly controller: AbortController;
  readonly deadlineMs: number | undefined;
  settledMs: number | undefined;
  answer: RequestResult | undefined;
  error: ServeError | undefined;
  settledTimes: number;
}

const MAX_BATCH = 4;

function commandsOf(kinds: readonly Kind[], weights: { readonly die: number }): fc.Arbitrary<Command[]> {
  const instance = fc.nat({ max: 1 });
  return fc.array(
    fc.oneof(
      {
        weight: 8,
        arbitrary: fc.record({
          kind: fc.constant("submit" as const),
          rows: fc.array(fc.constantFrom(...kinds), { minLength: 1, maxLength: 10 }),
          priority: fc.nat({ max: 3 }),
          tenant: fc.constantFrom("", "a", "b"),
          timeoutMs: fc.option(fc.integer({ min: 1, max: 60 }), { nil: undefined }),
        }),
      },
      {
        weight: 2,
        arbitrary: fc.record({ kind: fc.constant("cancel" as const), which: fc.nat({ max: 50 }) }),
      },
      { weight: 6, arbitrary: fc.record({ kind: fc.constant("step" as const), instance }) },
      { weight: weights.die, arbitrary: fc.record({ kind: fc.constant("die" as const), instance }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant("revive" as const), instance }) },
      {
        weight: 3,
        arbitrary: fc.record({ kind: fc.constant("advance" as const), ms: fc.integer({ min: 1, max: 20 }) }),
      },
    ),
    { maxLength: 60 },
  );
}

const configs = fc.record({
  maxBatchSize: fc.constant(MAX_BATCH),
  maxQueueDelayMs: fc.constantFrom(0, 0, 5),
  preferredBatchSizes: fc.constantFrom([], [2], [3, 4]),
  pipelineDepth: fc.constantFrom(1, 2),
  priorityLevels: fc.constantFrom(1, 3),
  maxQueueSize: fc.constantFrom(4, 1000),
  queueTimeoutMs: fc.constantFrom(undefined, 30),
});

/** Plays the commands, then lets every instance live and finish, and closes. */
async function play(parts: SetUp, commands: readonly Command[]): Promise<Submitted[]> {
  const submitted: Submitted[] = [];
  let nextId = 1;
  for (const command of commands) {
    const instance =
      "instance" in command ? parts.instances[command.instance % parts.instances.length]! : undefined;
    switch (command.kind) {
      case "submit":
        submitted.push(
          submit(
            parts,
            command,
            command.rows.map((kind) => [nextId++, kind] as const),
          ),
        );
        break;
      case "cancel":
        submitted[command.which % Math.max(1, submitted.length)]?.controller.abort();
        break;
      case "step":
        instance!.step();
        break;
      case "die":
        if (instance!.isReady) instance!.die();
        break;
      case "revive":
        revive(parts, command.instance);
        break;
      case "advance":
        parts.clock.advance(command.ms);
    }
    await settle();
  }
  await finish(parts);
  return submitted;
}

function submit(parts: SetUp, command: Command & { kind: "submit" }, rows: readonly Row[]): Submitted {
  const deadlineMs = command.timeoutMs === undefined ? undefined : parts.clock.nowMs() + command.timeoutMs;
  const controller = new AbortController();
  const entry: Submitted = {
    rows,
    controller,
    deadlineMs,
    settledMs: undefined,
    answer: undefined,
    error: undefined,
    settledTimes: 0,
  };
  const request = rowsRequest(rows, {
    priority: command.priority,
    deadlineMs,
    signal: controller.signal,
    tenant: command.tenant,
  });
  submitTo(parts.scheduler, request)
    .then(
      (answer) => {
        entry.answer = answer;
      },
      (error) => {
        entry.error = error;
      },
    )
    .finally(() => {
      entry.settledMs = parts.clock.nowMs();
      entry.settledTimes += 1;
    });
  return entry;
}

function revive(parts: SetUp, index: number): void {
  const instance = parts.instances[index]!;
  if (instance.isReady) return;
  instance.revive();
  parts.scheduler.instancesChanged();
}

async function finish(parts: SetUp): Promise<void> {
  let isClosed = false;
  void parts.scheduler.close().then(() => {
    isClosed = true;
  });
  for (let round = 0; !isClosed; round++) {
    assert.ok(round < 10_000, "the queue does not drain");
    parts.instances.forEach((instance, index) => {
      revive(parts, index);
      instance.step();
    });
    await settle();
    if (parts.instances.every((instance) => instance.outstanding === 0)) parts.clock.advance(1);
    await settle();
  }
}

function assertRightAnswer(entry: Submitted): void {
  assert.deepEqual(
    entry.answer!.outputs.map((output) => int32s(output.bytes)),
    expectedOutputs(entry.rows),
  );
}

function assertNothingLeft({ scheduler, clock, instances }: SetUp, submitted: readonly Submitted[]): void {
  const { waitingRequests, waitingBytes, runningRequests } = scheduler.gauges();
  assert.deepEqual([waitingRequests, waitingBytes, runningRequests], [0, 0, 0]);
  assert.equal(clock.pendingTimers, 0);
  for (const entry of submitted) {
    assert.equal(entry.settledTimes, 1);
    assert.equal(getEventListeners(entry.controller.signal, "abort").length, 0);
  }
  for (const instance of instances) {
    for (const shape of instance.shapes)
      assert.ok(shape[0]! >= 1 && shape[0]! <= MAX_BATCH, `a run of ${shape[0]} rows`);
  }
}

test("whatever happens: one answer each, the right one, no earlier than it may, and nothing stays behind", async () => {
  const kinds = [KIND.fine, KIND.fine, KIND.fine, KIND.throws, KIND.badShape, KIND.kills, KIND.hangs];
  await fc.assert(
    fc.asyncProperty(commandsOf(kinds, { die: 1 }), configs, async (commands, config) => {
      const parts = setUp(config, { instances: 2 });
      const submitted = await play(parts, commands);
      assertNothingLeft(parts, submitted);
      for (const entry of submitted) {
        if (entry.answer !== undefined) {
          assertRightAnswer(entry);
          assert.ok(entry.rows.every(([, kind]) => kind === KIND.fine));
          continue;
        }
        assert.ok(entry.error instanceof ServeError);
        const reason = entry.error.reason;
        if (reason === "cancelled") assert.ok(entry.controller.signal.aborted);
        if (reason === "deadline_exceeded" && config.queueTimeoutMs === undefined) {
          assert.ok(entry.settledMs! >= entry.deadlineMs!);
        }
        if (reason === "model_failed") assert.ok(entry.rows.some(([, kind]) => kind === KIND.throws));
        if (reason === "bad_output") assert.ok(entry.rows.some(([, kind]) => kind === KIND.badShape));
        if (reason === "queue_full") assert.equal(config.maxQueueSize, 4);
      }
    }),
    { numRuns: 300 },
  );
});

test("without faults every row runs exactly once, and each tenant's rows of a priority in the order they came", async () => {
  const commands = commandsOf([KIND.fine], { die: 0 }).map((list) =>
    list
      .filter((command) => command.kind === "submit" || command.kind === "step")
      .map((command) => (command.kind === "submit" ? { ...command, timeoutMs: undefined } : command)),
  );
  await fc.assert(
    fc.asyncProperty(commands, fc.constantFrom(1, 3), async (list, priorityLevels) => {
      const parts = setUp({ maxBatchSize: MAX_BATCH, priorityLevels, maxQueueSize: 1000 }, { instances: 1 });
      const submitted = await play(parts, list);
      for (const entry of submitted) assertRightAnswer(entry);
      const order = parts.instances[0]!.runs.flat();
      const ids = submitted.flatMap((entry) => entry.rows.map(([id]) => id));
      assert.deepEqual(
        [...order].sort((a, b) => a - b),
        ids,
      );
      const submits = list.filter((command) => command.kind === "submit");
      for (const tenant of ["", "a", "b"]) {
        for (const level of [1, 2, 3]) {
          const own = new Set(
            submitted.flatMap((entry, i) => {
              const { priority } = submits[i]!;
              const effective =
                priority >= 1 && priority <= priorityLevels ? priority : Math.ceil(priorityLevels / 2);
              return submits[i]!.tenant === tenant && effective === level ? entry.rows.map(([id]) => id) : [];
            }),
          );
          assert.deepEqual(
            order.filter((id) => own.has(id)),
            [...own],
          );
        }
      }
    }),
    { numRuns: 150 },
  );
});

test("any set of poisoned requests: exactly those fail, their mates are answered, two deaths at most for each that kills", async () => {
  const kinds = fc.constantFrom<Kind>(
    KIND.fine,
    KIND.fine,
    KIND.fine,
    KIND.throws,
    KIND.badShape,
    KIND.kills,
    KIND.hangs,
  );
  const depth = fc.constantFrom(1, 2);
  await fc.assert(
    fc.asyncProperty(fc.array(kinds, { minLength: 1, maxLength: 40 }), depth, async (list, pipelineDepth) => {
      const parts = setUp({ maxBatchSize: 32, pipelineDepth }, { instances: 2 });
      const commands = list.map(
        (kind): Command => ({ kind: "submit", rows: [kind], priority: 0, tenant: "", timeoutMs: undefined }),
      );
      const submitted = await play(parts, commands);
      for (const entry of submitted) {
        switch (entry.rows[0]![1]) {
          case KIND.fine:
            assertRightAnswer(entry);
            break;
          case KIND.throws:
            assert.equal(entry.error?.reason, "model_failed");
            break;
          case KIND.badShape:
            assert.equal(entry.error?.reason, "bad_output");
            break;
          case KIND.hangs:
            assert.equal(entry.error?.reason, "execution_timeout");
            break;
          default:
            assert.equal(entry.error?.reason, "quarantined");
        }
      }
      const killers = list.filter((kind) => kind === KIND.kills || kind === KIND.hangs).length;
      const deaths = parts.instances.reduce((sum, instance) => sum + instance.deaths, 0);
      assert.ok(deaths <= 2 * killers, `${deaths} deaths for ${killers} killers`);
      assertNothingLeftButRows(parts, submitted);
    }),
    { numRuns: 200 },
  );
});

function assertNothingLeftButRows(parts: SetUp, submitted: readonly Submitted[]): void {
  const { waitingRequests, waitingBytes, runningRequests } = parts.scheduler.gauges();
  assert.deepEqual([waitingRequests, waitingBytes, runningRequests], [0, 0, 0]);
  for (const entry of submitted) assert.equal(entry.settledTimes, 1);
}

test("destroy at any moment rejects whatever has no answer", async () => {
  await fc.assert(
    fc.asyncProperty(
      commandsOf([KIND.fine, KIND.throws, KIND.kills], { die: 1 }),
      configs,
      async (commands, config) => {
        const parts = setUp(config, { instances: 2 });
        const submitted: Submitted[] = [];
        let nextId = 1;
        for (const command of commands) {
          if (command.kind === "submit") {
            submitted.push(
              submit(
                parts,
                command,
                command.rows.map((kind) => [nextId++, kind] as const),
              ),
            );
          } else if (command.kind === "step") parts.instances[command.instance]!.step();
          await settle();
        }
        parts.scheduler.destroy("test");
        await settle();
        assertNothingLeft(parts, submitted);
        for (const instance of parts.instances) while (instance.step());
        await settle();
        for (const entry of submitted) assert.equal(entry.settledTimes, 1);
      },
    ),
    { numRuns: 100 },
  );
});
