// Tests the findings on what servers record that are slow for one reason: it comes first, and not where it is no reason.
import assert from "node:assert/strict";
import { test } from "node:test";
import { BATCH, firstOf, found, idsOf, type Recorded } from "./recorded.kit.ts";

const MACHINE = { cores: 4, load: 1, stealShare: 0, throttledShare: 0 };
const LOAD = {
  connections: 8,
  protocol: "json",
  requestBytes: 9,
  perSecond: 9,
  meanMs: 0.4,
  p50Ms: 0.4,
  p99Ms: 0.4,
  failures: {},
};

test("a connection for each request, with what opening one takes", async () => {
  const [first] = await found({ connections: 10, connectMs: 1.5 });
  assert.equal(first?.id, "connection_per_request");
  assert.equal(first?.costMs, 1.5);
  assert.match(
    first!.evidence,
    /10 connections were opened for 10 inferences; with one of its own a request takes 1\.50 ms longer/,
  );
  assert.deepEqual(await idsOf({ connections: 3, connectMs: 1.5 }), [], "clients keep theirs");
  assert.deepEqual(await idsOf({ connections: 10, load: { ...LOAD, connections: 8 } }), [], "a load's own");
});

test("one request at a time: the server is busy, and never with two", async () => {
  const busy: Recorded = { stageMs: { compute: 4 }, seconds: 0.05 };
  assert.equal(await firstOf(busy), "one_at_a_time");
  assert.deepEqual(await idsOf({ ...busy, seconds: 1 }), [], "few requests are no queue of one");
  assert.deepEqual(await idsOf({ ...busy, stageMs: { compute: 4, queue: 0.4 } }), [], "some waited");
  assert.deepEqual(await idsOf({ ...busy, runs: 5, rows: 2 }), [], "they share runs");
  assert.deepEqual(
    await idsOf({ ...busy, load: { ...LOAD, meanMs: 4.4 } }),
    [],
    "a load is as it was asked for",
  );
});

test("shapes that do not join: requests queue, and each runs alone", async () => {
  const dims = [BATCH, { symbol: "tokens", min: 1, max: undefined }];
  const stageMs = { queue: 40, compute: 6 };
  assert.equal(await firstOf({ dims, stageMs }), "shapes_differ");
  assert.equal(await firstOf({ dims, stageMs, runs: 2, rows: 5 }), "queue_saturated");
  assert.equal(await firstOf({ stageMs }), "queue_saturated", "all have one shape");
  const padding = { content: 100, padding: 10 };
  assert.equal(await firstOf({ dims, stageMs, padding }), "queue_saturated", "they are padded");
});

test("padding that is most of a run: nearer sizes", async () => {
  const stageMs = { compute: 4 };
  const [first] = await found({ stageMs, padding: { content: 330, padding: 310 } });
  assert.equal(first?.id, "padding_waste");
  assert.deepEqual(first?.remedy, {
    kind: "options",
    flags: { "--pad-buckets": Array.from({ length: 16 }, (_, i) => 5 * (i + 1)).join(",") },
  });
  assert.match(first!.evidence, /fill 33 of 64 positions/);
  assert.deepEqual(await idsOf({ stageMs, padding: { content: 330, padding: 100 } }), []);
  assert.deepEqual(await idsOf({ padding: { content: 330, padding: 310 } }), [], "it takes no time");
});

test("several large outputs, of which some can be left out", async () => {
  const model = {
    signature: {
      inputs: [{ name: "x", datatype: "FP32" as const, dims: [BATCH, 8] }],
      outputs: [
        { name: "features", datatype: "FP32" as const, dims: [BATCH, 512, 256] },
        { name: "scores", datatype: "FP32" as const, dims: [BATCH, 10] },
      ],
    },
  };
  const load = { ...LOAD, protocol: "binary" };
  const found = await idsOf({ model, load: { ...load, meanMs: 9 }, stageMs: { transfer: 3, encode: 5 } });
  assert.equal(found[0], "large_outputs");
  assert.deepEqual(await idsOf({ model, load }), [], "they cost nothing");
  assert.deepEqual(await idsOf({ stageMs: { transfer: 3 } }), [], "there is one small output");
});

test("padding is brought to the worker, too: its share of that counts", async () => {
  const padding = { content: 40, padding: 360 };
  const [first] = await found({ stageMs: { compute: 3, transfer: 5 }, padding });
  assert.equal(first?.id, "padding_waste");
  assert.ok(Math.abs(first!.costMs - 7.2) < 1e-6, String(first?.costMs));
});

test("compression that takes longer than the bytes it saves", async () => {
  const compressed = { plain: 1_000_000, packed: 600_000, ms: 200 };
  assert.equal(await firstOf({ compressed }), "costly_compression");
  assert.deepEqual(await idsOf({ compressed: { ...compressed, ms: 2 } }), []);
  assert.deepEqual(await idsOf({ compressed: { plain: 1e9, packed: 1e8, ms: 200 } }), [], "it saves more");
});

test("a load that requests waited for, and none that they did not", async () => {
  assert.equal(await firstOf({ loadMs: 900, stageMs: { decode: 800 } }), "cold_start");
  assert.deepEqual(await idsOf({ loadMs: 900 }), [], "a version that was loaded beside another one");
});

test("waiting for a load is not what reading numbers takes, nor a queue", async () => {
  const dims = [BATCH, 1024];
  const first = { receive: 0.05, decode: 4000, queue: 0.05, batch: 0.05 };
  assert.deepEqual(await idsOf({ dims, loadMs: 3500, firstMs: first }), ["cold_start"]);
  const queued = { ...first, decode: 0.05, queue: 4000 };
  assert.deepEqual(await idsOf({ dims, loadMs: 3500, firstMs: queued }), ["cold_start"]);
});

test("first requests of a model that PyTorch runs: warming up comes before another runtime", async () => {
  const model = { runtime: "python", platform: "pytorch_pt2" };
  const cold = { firstMs: { compute: 90 }, stageMs: { compute: 0.9 }, warmupRuns: 0, isFirst: true };
  assert.deepEqual(await idsOf({ ...cold, model }), ["no_warm_up"]);
});

test("first requests of a model without warm-up", async () => {
  const cold: Recorded = {
    firstMs: { compute: 90 },
    stageMs: { compute: 0.5 },
    warmupRuns: 0,
    isFirst: true,
  };
  assert.equal(await firstOf(cold), "no_warm_up");
  for (const no of [{ warmupRuns: 1 }, { isFirst: false }])
    assert.ok(!(await idsOf({ ...cold, ...no })).includes("no_warm_up"));
});

test("a container that has little memory left", async () => {
  const memory = { used: 950, limit: 1000 };
  assert.equal(await firstOf({ machine: { ...MACHINE, memory } }), "memory_near_limit");
  assert.deepEqual(await idsOf({ machine: { ...MACHINE, memory: { used: 500, limit: 1000 } } }), []);
});

test("fewer threads than processors, and a hypervisor that gives them to others", async () => {
  const stageMs = { compute: 50 };
  assert.equal(await firstOf({ stageMs, threads: 1, machine: MACHINE }), "too_few_threads");
  assert.deepEqual(await idsOf({ stageMs, threads: 4, machine: MACHINE }), ["compute_bound"]);
  assert.equal(await firstOf({ machine: { ...MACHINE, stealShare: 0.3 } }), "noisy_neighbour");
});

test("a program that PyTorch runs, and a class that only PyTorch can", async () => {
  const stageMs = { compute: 30 };
  const model = { runtime: "python", platform: "pytorch_pt2" };
  const [program] = await found({ stageMs, model });
  assert.equal(program?.id, "left_on_python");
  assert.deepEqual(program?.remedy, { kind: "options", flags: { "--runtime": "onnx" } });
  const [eager] = await found({ stageMs, model: { ...model, platform: "pytorch_eager" } });
  assert.equal(eager?.id, "left_on_python");
  assert.equal(eager?.remedy, undefined);
  assert.match(eager!.change, /torch\.export/);
});
