import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "../base/manual-clock.kit.ts";
import type { TracedCall } from "../base/request-trace.ts";
import { Timeline } from "../base/timeline.ts";
import { isTraceInRatio, ratioSampler, type Sampling } from "./sampler.ts";
import type { TraceSpan } from "./span.ts";
import { createTracer } from "./tracer.ts";

const CALL: TracedCall = {
  protocol: "rest",
  method: "POST",
  url: "/v2/models/di%20gits/versions/3/infer?x=1",
  params: { model: "di gits", version: "3" },
  requestId: "r-1",
  tracestate: undefined,
};
const SOURCE = { traced: () => CALL };
const TRACE = "0af7651916cd43dd8448eb211c80319c";
const parent = (flags: string): string => `00-${TRACE}-b7ad6b7169203331-${flags}`;

function rig(sampling: Partial<Sampling> = {}, random: () => number = Math.random) {
  const clock = new ManualClock();
  const spans: TraceSpan[] = [];
  const tracer = createTracer({
    clock,
    wallNowMs: () => 1_000_000 + clock.nowMs(),
    random,
    sampling: { ratio: 1, followsParent: true, ...sampling },
    onSpans(make) {
      spans.push(...make());
    },
  });
  return { clock, spans, tracer };
}

test("the decision is the trace id's: exactly those at or above the threshold are recorded", () => {
  /** The first two draws decide. */
  const decide = (ratio: number, high: number, low: number): boolean => {
    const draws = [high / 2 ** 24, low / 2 ** 32];
    let at = 0;
    return rig({ ratio }, () => draws[at++] ?? 0.3).tracer.begin(undefined, SOURCE) !== undefined;
  };
  // 1 %: from 0.99 * 2^56 on.
  const threshold = BigInt(2 ** 56) - BigInt(2 ** 56) / 100n;
  const parts = (value: bigint): [number, number] => [Number(value >> 32n), Number(value & 0xffff_ffffn)];
  assert.equal(decide(0.01, ...parts(threshold + 1024n)), true);
  assert.equal(decide(0.01, ...parts(threshold - 1024n)), false);
  assert.equal(decide(0.5, 0x80_0000, 0), true);
  assert.equal(decide(0.5, 0x7f_ffff, 0xffff_ffff), false);
  assert.equal(decide(1, 0, 0), true);
  assert.equal(decide(0, 0xff_ffff, 0xffff_ffff), false);
});

test("of evenly spread draws exactly the ratio is recorded", () => {
  for (const ratio of [0.01, 0.25, 0.5]) {
    let drawn = 0;
    let recorded = 0;
    let draws: number[] = [];
    const { tracer } = rig({ ratio }, () => draws.shift() ?? 0.3);
    for (drawn = 0; drawn < 1000; drawn++) {
      draws = [drawn / 1000, 0.5];
      if (tracer.begin(undefined, SOURCE) !== undefined) recorded += 1;
    }
    assert.ok(Math.abs(recorded - ratio * drawn) <= 1, `${recorded} of ${drawn} at ${ratio}`);
  }
});

test("a request with a traceparent is recorded as that says, and is its child", () => {
  const { tracer, spans, clock } = rig({ ratio: 0 });
  const unsampled = tracer.begin(parent("00"), SOURCE);
  assert.deepEqual([unsampled?.traceId, unsampled?.isSampled], [TRACE, false]);
  const trace = tracer.begin(parent("01"), { traced: () => ({ ...CALL, tracestate: "v=1" }) })!;
  assert.deepEqual([trace.traceId, trace.isSampled], [TRACE, true]);
  const timeline = new Timeline(clock.nowMs());
  const end = { model: "di gits", failure: undefined, httpStatus: 200, timeline } as const;
  trace.ended({ ...end, version: "3", code: "ok" });
  const [span] = spans;
  assert.deepEqual(
    [span!.parentSpanId, span!.isParentRemote, span!.traceState, span!.name],
    ["b7ad6b7169203331", true, "v=1", "POST /v2/models/{model}/versions/{version}/infer"],
  );
  assert.notEqual(span!.spanId, span!.parentSpanId);
  unsampled!.ended({ ...end, version: "3", code: "ok" });
  assert.equal(spans.length, 1);
});

test("a request that is not recorded says nothing of itself, and costs one random number", () => {
  let draws = 0;
  const { tracer } = rig({ ratio: 0.01 }, () => {
    draws += 1;
    return 0.5;
  });
  const source = { traced: () => assert.fail("it was asked") };
  assert.equal(tracer.begin(undefined, source), undefined);
  assert.equal(draws, 1);
  assert.equal(tracer.begin(parent("00"), source)?.isSampled, false);
});

test("a recorded trace's id says itself that it is in the ratio", () => {
  const { tracer } = rig({ ratio: 0.3 });
  const sampler = ratioSampler(0.3);
  for (let i = 0; i < 2000; i++) {
    const trace = tracer.begin(undefined, SOURCE);
    if (trace === undefined) continue;
    assert.match(trace.traceId, /^[0-9a-f]{32}$/);
    assert.ok(isTraceInRatio(sampler, trace.traceId), trace.traceId);
  }
});

test("a malformed traceparent begins a trace anew", () => {
  const trace = rig().tracer.begin(`${parent("01")}-more`, SOURCE)!;
  assert.match(trace.traceId, /^[0-9a-f]{32}$/);
  assert.notEqual(trace.traceId, TRACE);
});

test("where clients must not decide, the ratio does, by their trace ids", () => {
  const begin = (ratio: number, flags: string) =>
    rig({ ratio, followsParent: false }).tracer.begin(parent(flags), SOURCE)!;
  assert.equal(begin(0, "01").isSampled, false);
  assert.equal(begin(1, "00").isSampled, true);
  // The last 56 bits are 48eb211c80319c: 0.2848 of all lie below it.
  assert.equal(begin(0.71, "00").isSampled, false);
  assert.equal(begin(0.72, "00").isSampled, true);
});

test("stages become children as long as the metrics have them; failures name their reason", () => {
  const { tracer, spans } = rig();
  const timeline = new Timeline(10);
  Object.assign(timeline, { bodyMs: 11, enqueuedMs: 13, claimedMs: 12, dispatchedMs: 14, answeredMs: 20 });
  Object.assign(timeline, { computeMs: 4, encodedMs: 21 });
  const end = { model: "m", version: undefined, timeline } as const;
  const failure = { reason: "model_failed", message: "it broke" };
  tracer.begin(undefined, SOURCE)!.ended({ ...end, code: "internal", failure, httpStatus: 500 });
  const lengths = spans
    .slice(1)
    .map(({ name, startMs, endMs }) => [name, startMs - 1_000_000, endMs - startMs]);
  assert.deepEqual(lengths, [
    ["receive", 10, 1],
    ["decode", 11, 2],
    ["queue", 13, 0],
    ["batch", 13, 1],
    ["transfer", 14, 2],
    ["compute", 16, 4],
    ["encode", 20, 1],
  ]);
  assert.equal(spans[0]!.error, "it broke");
  assert.equal(new Map(spans[0]!.attributes).get("error.type"), "model_failed");
  const wrong = { reason: "invalid_input", message: "no" } as const;
  tracer
    .begin(undefined, SOURCE)!
    .ended({ ...end, code: "invalid_argument", failure: wrong, httpStatus: 400 });
  assert.equal(
    spans.find(({ error, kind }) => kind === 2 && error === undefined)?.kind,
    2,
    "a client's fault is no error",
  );
});

test("a run that failed is an error, and a request that ran again has a link to each run", () => {
  const { tracer, spans } = rig();
  const trace = tracer.begin(undefined, SOURCE)!;
  const run = { rows: 3, size: 2, dispatchedMs: 1, endedMs: 2, requests: [{ trace, rows: 1 }] };
  const model = { name: "m", version: "1" };
  tracer.ran(model, { ...run, computeMs: Number.NaN, failure: { reason: "worker_died", message: "gone" } });
  tracer.ran(model, { ...run, rows: 1, size: 1, computeMs: 0.5, failure: undefined });
  const timeline = new Timeline(0);
  trace.ended({ model: "m", version: "1", code: "ok", failure: undefined, httpStatus: 200, timeline });
  assert.deepEqual(
    spans.map(({ name, error }) => [name, error]),
    [
      ["run m", "gone"],
      ["run m", undefined],
      [spans[2]!.name, undefined],
    ],
  );
  assert.deepEqual(
    spans[2]!.links.map(({ spanId }) => spanId),
    [spans[0]!.spanId, spans[1]!.spanId],
  );
});

test("spans are made later, of what the request was when it ended", () => {
  const makers: (() => readonly TraceSpan[])[] = [];
  const clock = new ManualClock();
  const tracer = createTracer({
    clock,
    wallNowMs: () => clock.nowMs(),
    random: Math.random,
    sampling: { ratio: 1, followsParent: true },
    onSpans: (make) => void makers.push(make),
  });
  const timeline = Object.assign(new Timeline(1), { bodyMs: 2 });
  const end = { model: "m", version: "1", code: "ok", failure: undefined, httpStatus: 200 } as const;
  tracer.begin(undefined, SOURCE)!.ended({ ...end, timeline });
  Object.assign(timeline, { receivedMs: 50, bodyMs: 70 });
  clock.advance(100);
  const [server, receive] = makers[0]!();
  assert.deepEqual([server!.startMs, receive!.startMs, receive!.endMs], [1, 1, 2]);
});

test("what is recorded can change: a part of the traces, and so many of them at most", () => {
  const { tracer } = rig({ ratio: 0 });
  const recorded = (): number =>
    Array.from({ length: 5 }, () => tracer.begin(undefined, SOURCE)).filter((trace) => trace?.isSampled)
      .length;
  assert.equal(recorded(), 0);
  tracer.sample(1, 3);
  assert.equal(recorded(), 3);
  assert.equal(recorded(), 0);
  tracer.sample(1, undefined);
  assert.equal(recorded(), 5);
  tracer.sample(0, undefined);
  assert.equal(recorded(), 0);
});
