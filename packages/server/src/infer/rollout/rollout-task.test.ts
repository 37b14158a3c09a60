import assert from "node:assert/strict";
import { test } from "node:test";
import { CallSignal } from "../../base/call-signal.ts";
import { ServeError } from "../../base/errors.ts";
import { silentLogger } from "../../base/logger.ts";
import { createPrometheusMetrics } from "../../base/prometheus-metrics.ts";
import type { Task, TaskRequest } from "../../base/task.ts";
import { Timeline } from "../../base/timeline.ts";
import { candidateOf, ManualClock, StubModel } from "../../models/models.kit.ts";
import { createCheckedSubmit } from "../checked-submit.ts";
import { ROLLOUT_SETTINGS } from "./rollout.kit.ts";
import { Rollout } from "./rollout.ts";
import { rolloutTask } from "./rollout-task.ts";

const request: TaskRequest = {
  parts: [],
  priority: 0,
  deadlineMs: undefined,
  signal: new CallSignal(),
  tenant: undefined,
  timeline: new Timeline(0),
};

function setUp(candidateRun: Task["run"]) {
  const clock = new ManualClock();
  const versions = new Map(
    ["1", "2"].map((version) => {
      const answer: Task["run"] = async () => ({ model: "m", version, body: new Uint8Array() });
      const task: Task = { name: "text-classification", run: version === "2" ? candidateRun : answer };
      return [version, Object.assign(new StubModel(candidateOf("m", { version })), { task })];
    }),
  );
  const find = (version: string) => versions.get(version)!;
  const rollout = new Rollout(
    "m",
    { stable: "1", candidate: "2" },
    {
      settings: { ...ROLLOUT_SETTINGS, maxErrors: 1 },
      registry: { lookup: (_, version) => find(version!), noteTrial() {}, endTrial() {} },
      submitChecked: createCheckedSubmit(clock),
      clock,
      random: () => 0,
      logger: silentLogger,
      metrics: createPrometheusMetrics(),
      defer: setImmediate,
    },
  );
  rollout.look({
    stable: "1",
    candidate: "2",
    stableHandle: find("1"),
    candidateHandle: find("2"),
    failure: undefined,
  });
  return { rollout, task: rolloutTask(rollout, find("1").task) };
}

test("a task is done by one version as a whole", async () => {
  const { rollout, task } = setUp(async () => ({ model: "m", version: "2", body: new Uint8Array() }));
  assert.equal((await task.run(request)).version, "2");
  assert.equal((await task.run({ ...request, routeKey: "never" })).version, "1");
  const { stable, candidate } = rollout.status;
  assert.deepEqual([stable.requests, candidate.requests, candidate.failed], [1, 1, 0]);
});

test("a task that the new version fails is done by the old one, unless its client left", async () => {
  const { rollout, task } = setUp(async () => {
    throw new ServeError("internal", "it raises");
  });
  assert.equal((await task.run(request)).version, "1");
  const signal = new CallSignal();
  signal.abort(new ServeError("cancelled", "gone"));
  await assert.rejects(task.run({ ...request, signal }), { code: "internal" });
  assert.deepEqual([rollout.status.candidate.requests, rollout.status.candidate.failed], [2, 2]);
});
