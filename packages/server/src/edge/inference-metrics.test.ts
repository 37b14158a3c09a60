import assert from "node:assert/strict";
import { test } from "node:test";
import type { Labels, Metrics } from "../base/metrics.ts";
import { createPrometheusMetrics } from "../base/prometheus-metrics.ts";
import { Timeline } from "../base/timeline.ts";
import { createInferenceObserver, serverTiming } from "./inference-metrics.ts";

/** Metrics that keep what was recorded, under the name and label values. */
function recording(): { readonly metrics: Metrics; readonly seen: Map<string, number[]> } {
  const seen = new Map<string, number[]>();
  const record = (name: string, labels: Labels = {}) => {
    const values: number[] = [];
    seen.set([name, ...Object.values(labels)].join(" "), values);
    return (value: number) => values.push(value);
  };
  const metrics: Metrics = {
    counter: (name, _help, labels) => ({ add: record(name, labels) }),
    gauge: (name, _help, labels) => ({ set: record(name, labels), add: record(name, labels) }),
    histogram: (name, _help, { labels }) => ({ observe: record(name, labels), exemplify() {}, merge() {} }),
    collect: () => {},
    drop: () => {},
    render: async () => "",
  };
  return { metrics, seen };
}

function finished(): Timeline {
  const timeline = new Timeline(0);
  Object.assign(timeline, { bodyMs: 1, enqueuedMs: 3, claimedMs: 6, dispatchedMs: 10 });
  Object.assign(timeline, { computeMs: 5, answeredMs: 21, encodedMs: 28 });
  return timeline;
}

test("the header and the histograms show the same stages", () => {
  const { metrics, seen } = recording();
  const answeredBy = { model: "m", version: "1" };
  const timeline = finished();
  createInferenceObserver(metrics, () => false).observe({
    protocol: "grpc",
    answeredBy,
    asked: "m",
    code: "ok",
    timeline,
  });
  const stages = { receive: 1, decode: 2, queue: 3, batch: 4, transfer: 6, compute: 5, encode: 7 };
  for (const [stage, ms] of Object.entries(stages)) {
    assert.deepEqual(seen.get(`sconce_inference_stage_seconds m 1 ${stage}`), [ms / 1000]);
  }
  assert.equal(
    serverTiming(timeline),
    `${Object.entries(stages)
      .map(([stage, ms]) => `${stage};dur=${ms.toFixed(3)}`)
      .join(", ")}, total;dur=28.000`,
  );
});

test("a stage that was not reached is not shown", () => {
  const timeline = new Timeline(10);
  timeline.bodyMs = 12;
  assert.equal(serverTiming(timeline), "receive;dur=2.000, total;dur=2.000");
});

test("names that clients made up share one label value", () => {
  const { metrics, seen } = recording();
  const observer = createInferenceObserver(metrics, () => false);
  const failed = { protocol: "rest", answeredBy: undefined, timeline: new Timeline(0) } as const;
  for (let i = 0; i < 100; i++) observer.observe({ ...failed, asked: `m${i}`, code: "not_found" });
  assert.deepEqual([...seen.keys()], ["sconce_inferences_total unknown rest not_found"]);
  assert.equal(seen.get("sconce_inferences_total unknown rest not_found")?.length, 100);
  const answeredBy = { model: "m1", version: "1" };
  observer.observe({ protocol: "rest", answeredBy, asked: "m1", code: "ok", timeline: finished() });
  observer.observe({ ...failed, asked: "m1", code: "unavailable" });
  assert.equal(seen.get("sconce_inferences_total m1 rest unavailable")?.length, 1);
});

test("a version that was gone and comes back is seen again", async () => {
  const metrics = createPrometheusMetrics();
  const observer = createInferenceObserver(metrics, () => true);
  const answer = (version: string): void =>
    observer.observe({
      protocol: "rest",
      answeredBy: { model: "m", version },
      asked: "m",
      code: "ok",
      timeline: finished(),
    });
  for (const version of ["1", "10"]) answer(version);
  observer.forget("m", "1");
  metrics.drop({ model: "m", version: "1" });
  const without = await metrics.render();
  assert.doesNotMatch(without, /version="1"/);
  assert.match(without, /stage="compute",le="\+Inf"\} 1\n/);
  assert.match(without, /version="10"/);
  assert.match(without, /sconce_inferences_total\{model="m",protocol="rest",code="ok"\} 2\n/);
  answer("1");
  assert.match(await metrics.render(), /stage_seconds_count\{model="m",version="1",stage="compute"\} 1\n/);
});

test("a model that has not answered yet fails under its own name, from the registry on", () => {
  const { metrics, seen } = recording();
  const observer = createInferenceObserver(metrics, (model) => model === "loading");
  const failed = { protocol: "grpc", answeredBy: undefined, timeline: new Timeline(0) } as const;
  observer.observe({ ...failed, asked: "loading", code: "unavailable" });
  observer.observe({ ...failed, asked: "other", code: "not_found" });
  assert.deepEqual(
    [...seen.keys()],
    ["sconce_inferences_total loading grpc unavailable", "sconce_inferences_total unknown grpc not_found"],
  );
});
