// Tests the findings on metrics as a server writes them: for each known fault its finding comes first.
import assert from "node:assert/strict";
import { test } from "node:test";
import { metricsBetween, readMetrics, spreadOf, total } from "../base/metrics-text.ts";
import { createPrometheusMetrics } from "../base/prometheus-metrics.ts";
import { BATCH, firstOf, idsOf, page, REQUESTS, type Recorded } from "./recorded.kit.ts";

test("a healthy server has nothing to change", async () => {
  assert.deepEqual(await idsOf({}), []);
  assert.deepEqual(await idsOf({ stageMs: { compute: 4 } }), []);
  const load = {
    connections: 8,
    protocol: "json",
    requestBytes: 700,
    perSecond: 900,
    p50Ms: 1,
    p99Ms: 2,
    failures: {},
  };
  assert.deepEqual(await idsOf({ load: { ...load, meanMs: 1.2 } }), []);
});

test("a large image as JSON", async () => {
  const recorded: Recorded = { dims: [BATCH, 3, 224, 224], stageMs: { decode: 12, compute: 6, receive: 1 } };
  assert.equal(await firstOf(recorded), "json_tensors");
  const load = {
    connections: 1,
    requestBytes: 6e5,
    perSecond: 50,
    meanMs: 20,
    p50Ms: 20,
    p99Ms: 20,
    failures: {},
  };
  assert.ok(!(await idsOf({ ...recorded, load: { ...load, protocol: "binary" } })).includes("json_tensors"));
  // Copying 600 KB takes as long on a slow machine; that is not JSON.
  assert.ok(!(await idsOf({ ...recorded, stageMs: { decode: 0.55 } })).includes("json_tensors"));
});

test("a batch that the export fixed at 1", async () => {
  const model = { isBatching: false, maxBatchSize: 0 };
  assert.equal(await firstOf({ dims: [1, 8], model, stageMs: { queue: 40, compute: 6 } }), "batch_fixed");
  assert.equal(await firstOf({ model, stageMs: { queue: 40, compute: 6 } }), "batching_off");
  assert.deepEqual(await idsOf({ dims: [1, 8], model }), [], "nobody waits");
});

test("a queue that is saturated", async () => {
  const stageMs = { queue: 80, compute: 20 };
  assert.equal(await firstOf({ stageMs, rows: 20, queueFull: 3 }), "queue_saturated");
  assert.equal(await firstOf({ stageMs, rows: 4, model: { maxBatchSize: 4 } }), "batch_limit");
});

test("more threads than processors", async () => {
  assert.equal(await firstOf({ threads: 16, stageMs: { compute: 50, transfer: 2 } }), "too_many_threads");
  assert.deepEqual(await idsOf({ threads: 4, stageMs: { compute: 50 } }), ["compute_bound"]);
});

test("a delay for company that does not come", async () => {
  const model = { maxQueueDelayMs: 20 };
  assert.equal(await firstOf({ model, stageMs: { batch: 19, compute: 6 } }), "queue_delay");
  assert.deepEqual(await idsOf({ model, rows: 8, stageMs: { batch: 19 } }), [], "company came");
  assert.deepEqual(await idsOf({ model, stageMs: { batch: 0.1 } }), [], "nobody waited");
});

test("the machine: a quota that runs out, others that have the processors, a late event loop", async () => {
  const machine = { cores: 2, load: 1, stealShare: 0, throttledShare: 0 };
  const stageMs = { compute: 10, transfer: 8 };
  assert.equal(await firstOf({ stageMs, machine: { ...machine, throttledShare: 0.5 } }), "cpu_throttled");
  assert.deepEqual(await idsOf({ stageMs, machine: { ...machine, load: 9 }, loopLateMs: 50 }), [
    "machine_busy",
  ]);
  assert.equal(await firstOf({ stageMs: { transfer: 2 }, machine, loopLateMs: 50 }), "event_loop_late");
});

test("bodies that arrive slowly, time outside the server, and a slow model", async () => {
  assert.equal(await firstOf({ stageMs: { receive: 30 } }), "slow_bodies");
  const load = {
    connections: 1,
    protocol: "json",
    requestBytes: 9,
    perSecond: 9,
    p50Ms: 9,
    p99Ms: 9,
    failures: {},
  };
  assert.deepEqual(await idsOf({ load: { ...load, meanMs: 9 } }), ["outside_server"]);
  assert.deepEqual(await idsOf({ stageMs: { compute: 30 } }), ["compute_bound"]);
});

test("a window counts what came between two pages, and percentiles lie within their bucket", async () => {
  const before = readMetrics(await page({ stageMs: { compute: 500 } }));
  const text = await page({ stageMs: { compute: 500 } });
  assert.equal(total(metricsBetween(before, readMetrics(text)), "sconce_inferences_total"), 0);
  const spread = spreadOf([...before.values()], "sconce_inference_stage_seconds", { stage: "compute" });
  assert.equal(spread.count, REQUESTS);
  assert.equal(spread.mean, 0.5);
  assert.ok(spread.p50 > 0.1 && spread.p50 < spread.p99 && spread.p99 <= 1);
});

test("labels with quotes, backslashes and line ends are read as they were written", async () => {
  const metrics = createPrometheusMetrics();
  const model = 'a "b" \\ {x="y"}\nnext';
  metrics.counter("c", "", { model }).add(3);
  assert.equal(total([...readMetrics(await metrics.render()).values()], "c", { model }), 3);
});

test("of a pipeline the slowest step comes first, and nothing is said of a queue that it does not have", async () => {
  const stageMs = { queue: 40, compute: 12 };
  assert.deepEqual(await idsOf({ stageMs, stepMs: { encoder: 2, scorer: 49 } }), ["slowest_step"]);
});
