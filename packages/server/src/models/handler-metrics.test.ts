import assert from "node:assert/strict";
import { test } from "node:test";
import type { Logger } from "../base/logger.ts";
import { silentLogger } from "../base/logger.ts";
import type { MetricReport } from "../base/metric-report.ts";
import { createPrometheusMetrics } from "../base/prometheus-metrics.ts";
import { createHandlerMetrics } from "./handler-metrics.ts";

function rig() {
  const metrics = createPrometheusMetrics();
  const warnings: string[] = [];
  const logger: Logger = { ...silentLogger, warn: (_, text) => void warnings.push(String(text)) };
  const take = createHandlerMetrics({ metrics, hostname: "here", logger });
  return {
    warnings,
    take: (...reports: readonly MetricReport[]) => take(reports),
    async lines() {
      const text = await metrics.render();
      return text.split("\n").filter((line) => line !== "" && !/sconce_metrics_dropped/.test(line));
    },
  };
}

function report(kind: MetricReport["kind"], name: string, value: number, ...labels: MetricReport["labels"]) {
  return { kind, name, value, unit: "Count", labels };
}

test("counters add, gauges keep the last value and histograms spread, under TorchServe's labels and help", async () => {
  const { take, lines, warnings } = rig();
  take(report("counter", "Asked", 2, ["ModelName", "m"]), report("gauge", "Size", 3));
  take(report("counter", "Asked", 1, ["ModelName", "m"]), report("counter", "Asked", 1, ["ModelName", "n"]));
  take(report("gauge", "Size", 1.5), report("histogram", "Spread", 0.2));
  const shown = await lines();
  assert.deepEqual(shown.slice(0, 6), [
    "# HELP Asked Torchserve prometheus counter metric with unit: Count",
    "# TYPE Asked counter",
    'Asked{ModelName="m",Hostname="here"} 3',
    'Asked{ModelName="n",Hostname="here"} 1',
    "# HELP Size Torchserve prometheus gauge metric with unit: Count",
    "# TYPE Size gauge",
  ]);
  assert.ok(shown.includes('Size{Hostname="here"} 1.5'));
  assert.ok(shown.includes('Spread_bucket{Hostname="here",le="0.25"} 1'));
  assert.ok(shown.includes('Spread_count{Hostname="here"} 1'));
  assert.deepEqual(warnings, []);
});

test("a handler's numbers neither change the server's own nor break the page, and the log says once why", async () => {
  const { take, lines, warnings } = rig();
  const bad = [
    report("counter", "sconce_inferences_total", 1),
    report("gauge", "two words", 1),
    report("gauge", "", 1),
    report("gauge", "a".repeat(101), 1),
    report("counter", "Down", -1),
    report("gauge", "Endless", Number.POSITIVE_INFINITY),
    report("gauge", "Odd", 1, ["of what", "x"]),
    report("gauge", "Many", 1, ...Array.from({ length: 17 }, (_, i) => [`d${i}`, ""] as const)),
  ];
  for (let i = 0; i < 3; i++) take(...bad);
  take(report("gauge", "Fine", 1), report("counter", "Fine", 1));
  assert.deepEqual(
    (await lines()).filter((line) => !line.startsWith("#")),
    ['Fine{Hostname="here"} 1'],
  );
  assert.equal(warnings.length, 5);
});

test("values that clients choose fill no memory", async () => {
  const { take, lines, warnings } = rig();
  for (let i = 0; i < 1100; i++) take(report("counter", "Asked", 1, ["Who", `${i}\n"${"x".repeat(300)}`]));
  for (let i = 0; i < 300; i++) take(report("counter", `Kind${i}`, 1));
  const series = (await lines()).filter((line) => !line.startsWith("#"));
  assert.equal(series.length, 1000 + 199);
  assert.ok(series.every((line) => line.length < 260));
  assert.equal(warnings.length, 2);
});
