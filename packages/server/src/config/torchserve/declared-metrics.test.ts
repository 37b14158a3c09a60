import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readDeclaredMetrics } from "./declared-metrics.ts";

test("model_metrics of a metrics.yaml, with its anchors; mistakes name their place", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sconce-metrics-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const read = (text: string): unknown => {
    const path = join(folder, "metrics.yaml");
    writeFileSync(path, text);
    return readDeclaredMetrics(path);
  };
  const text = `
dimensions:
  - &model_name "ModelName"
ts_metrics:
  counter:
    - {name: Requests2XX, unit: Count, dimensions: []}
model_metrics:
  gauge:
    - name: HandlerTime
      unit: ms
      dimensions: [*model_name, Level]
  histogram:
    - {name: SizeOfImage, unit: kB, dimensions: [*model_name]}
`;
  assert.deepEqual(read(text), [
    { kind: "gauge", name: "HandlerTime", unit: "ms", dimensions: ["ModelName", "Level"] },
    { kind: "histogram", name: "SizeOfImage", unit: "kB", dimensions: ["ModelName"] },
  ]);
  assert.deepEqual(read("ts_metrics: {}"), []);
  assert.deepEqual(read("model_metrics:"), []);
  assert.deepEqual(readDeclaredMetrics(undefined), []);
  for (const [text, message] of [
    ["model_metrics: 1", /metrics.yaml: model_metrics must be a mapping/],
    ["model_metrics: {summary: []}", /model_metrics has "summary"; known are counter, gauge, histogram/],
    ["model_metrics: {gauge: {}}", /model_metrics.gauge must be a list/],
    ["model_metrics: {gauge: [{name: a, unit: ms}, {name: b}]}", /model_metrics.gauge\[1\] must have a name/],
    ["model_metrics: {gauge: [{name: a, unit: ms, dimensions: [1]}]}", /model_metrics.gauge\[0\]/],
    [`model_metrics: {gauge: [{name: ${"a".repeat(70_000)}, unit: ms}]}`, /more than 65536 characters/],
  ] as const)
    assert.throws(() => read(text), message);
});
