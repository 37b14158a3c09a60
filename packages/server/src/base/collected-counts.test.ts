// Tests metrics that another process shows.
import assert from "node:assert/strict";
import { test } from "node:test";
import { addCounts, createCountingMetrics } from "./collected-counts.ts";
import type { Metrics } from "./metrics.ts";
import { createPrometheusMetrics } from "./prometheus-metrics.ts";

const BUCKETS = [1, 2, 5];

function count(metrics: Metrics, seconds: readonly number[]): void {
  const total = metrics.counter("things_total", "Things.", { kind: "a" });
  const times = metrics.histogram("time_seconds", "Times.", { labels: { kind: "a" }, buckets: BUCKETS });
  for (const s of seconds) {
    total.add(1);
    times.observe(s);
  }
}

test("what two processes count is shown as if one had", async () => {
  const [here, alone] = [createPrometheusMetrics(), createPrometheusMetrics()];
  const [first, second] = [createCountingMetrics(), createCountingMetrics()];
  count(first, [0.5, 3]);
  addCounts(here, first.take());
  count(first, [9]);
  count(second, [1.5]);
  addCounts(here, structuredClone(first.take()));
  addCounts(here, structuredClone(second.take()));
  count(alone, [0.5, 3, 9, 1.5]);
  assert.equal(await here.render(), await alone.render());
  assert.deepEqual(first.take(), []);
});

test("what was dropped is not told any more, and counts anew when it comes back", () => {
  const metrics = createCountingMetrics();
  count(metrics, [1]);
  metrics.drop({ kind: "a" });
  assert.deepEqual(metrics.take(), []);
  count(metrics, [1]);
  assert.equal(metrics.take().length, 2);
});

test("a gauge is refused: two processes' cannot be added up", () => {
  assert.throws(() => createCountingMetrics().gauge("level", "A level."), /says nothing about the others/);
});
