import assert from "node:assert/strict";
import { test } from "node:test";
import { createPrometheusMetrics } from "./prometheus-metrics.ts";

test("renders counters, gauges and cumulative histograms", async () => {
  const metrics = createPrometheusMetrics();
  metrics.counter("c_total", "Counts.", { a: 'x"\\\n' }).add(2);
  metrics.counter("c_total", "Counts.", { a: 'x"\\\n' }).add(1);
  metrics.gauge("g", "Goes up\nand down.").set(1.5);
  const histogram = metrics.histogram("h", "Spreads.", { labels: { m: "d" }, buckets: [1, 2] });
  for (const value of [0.5, 1, 1.5, 9]) histogram.observe(value);
  const text = await metrics.render();
  assert.match(text, /# TYPE c_total counter\nc_total\{a="x\\"\\\\\\n"\} 3\n/);
  assert.match(text, /# HELP g Goes up\\nand down\.\n# TYPE g gauge\ng 1\.5\n/);
  assert.match(
    text,
    /h_bucket\{m="d",le="1"\} 2\nh_bucket\{m="d",le="2"\} 3\nh_bucket\{m="d",le="\+Inf"\} 4\nh_sum\{m="d"\} 12\nh_count\{m="d"\} 4\n/,
  );
});

test("series past the limit are dropped and counted", async () => {
  const metrics = createPrometheusMetrics({ maxSeriesPerMetric: 2 });
  for (const id of ["1", "2", "3"]) metrics.counter("c_total", "Counts.", { id }).add(1);
  const text = await metrics.render();
  assert.match(text, /c_total\{id="2"\} 1\n/);
  assert.doesNotMatch(text, /id="3"/);
  assert.match(text, /sconce_metrics_dropped_series_total 1\n/);
});

test("the process's own figures come along on request", async () => {
  const text = await createPrometheusMetrics({ processMetrics: true }).render();
  assert.match(text, /process_resident_memory_bytes \d+/);
  assert.match(text, /nodejs_eventloop_lag_seconds/);
});

test("collected gauges are read at every rendering, and only what is there then is shown", async () => {
  const metrics = createPrometheusMetrics();
  const values = [{ labels: { m: "a" }, value: 1 }];
  metrics.collect(async () => [{ name: "now", help: "At this moment.", kind: "gauge", values }]);
  assert.match(await metrics.render(), /# HELP now At this moment\.\n# TYPE now gauge\nnow\{m="a"\} 1\n/);
  values[0] = { labels: { m: "b" }, value: 2 };
  const text = await metrics.render();
  assert.match(text, /# TYPE now gauge\nnow\{m="b"\} 2\n/);
  assert.doesNotMatch(text, /now\{m="a"\}/);
});
