import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { submitTo } from "../base/result-receiver.ts";
import { KIND, type RequestOptions, rowsRequest, settle, setUp } from "./fakes.kit.ts";
import { RunAhead } from "./run-ahead.ts";

const one = (id: number, options: RequestOptions = {}) => rowsRequest([[id, KIND.fine]], options);

const SIZE = { shapeKey: 0, rows: 4 };

describe("RunAhead", () => {
  test("a number lets so many go at once", () => {
    const ahead = new RunAhead(3);
    assert.equal(ahead.depth, 3);
    assert.ok(ahead.nextMs(SIZE, 100) <= 100);
  });

  test("auto: 4 ms before a run of the same size should end", () => {
    const ahead = new RunAhead("auto");
    assert.equal(ahead.nextMs(SIZE, 100), Number.POSITIVE_INFINITY, "nothing is known yet");
    ahead.observe(SIZE, 50);
    assert.equal(ahead.nextMs(SIZE, 100), 146);
    assert.equal(ahead.nextMs({ ...SIZE, rows: 5 }, 100), Number.POSITIVE_INFINITY);
    assert.equal(ahead.nextMs({ ...SIZE, shapeKey: 128 }, 100), Number.POSITIVE_INFINITY);
    ahead.observe(SIZE, 70);
    assert.equal(ahead.nextMs(SIZE, 100), 151, "what was learned moves slowly");
  });

  test("auto: short runs are followed when they have ended", () => {
    const ahead = new RunAhead("auto");
    ahead.observe(SIZE, 9.9);
    assert.equal(ahead.nextMs(SIZE, 100), Number.POSITIVE_INFINITY);
  });
});

describe("pipelineDepth auto", () => {
  /** A run of one row takes 50 ms, as one before it did. */
  async function learned() {
    const parts = setUp({ pipelineDepth: "auto", maxBatchSize: 1 });
    const first = submitTo(parts.scheduler, one(0));
    parts.clock.advance(50);
    parts.instances[0]!.step();
    await first;
    return parts;
  }

  test("the next batch leaves shortly before the run ends, and no second one", async () => {
    const { scheduler, instances, clock } = await learned();
    for (const id of [1, 2, 3]) void submitTo(scheduler, one(id));
    assert.equal(instances[0]!.outstanding, 1);
    clock.advance(45);
    assert.equal(instances[0]!.outstanding, 1);
    clock.advance(1);
    assert.equal(instances[0]!.outstanding, 2);
    clock.advance(100);
    assert.equal(instances[0]!.outstanding, 2);
  });

  test("a request that comes when the run is about to end leaves at once; its own time counts from when it begins", async () => {
    const { scheduler, instances, clock } = await learned();
    void submitTo(scheduler, one(1));
    clock.advance(48);
    void submitTo(scheduler, one(2));
    void submitTo(scheduler, one(3));
    assert.equal(instances[0]!.outstanding, 2);
    clock.advance(2);
    instances[0]!.step();
    await settle();
    assert.equal(instances[0]!.outstanding, 1, "the third waits for the second to be nearly done");
    clock.advance(45);
    assert.equal(instances[0]!.outstanding, 1);
    clock.advance(1);
    assert.equal(instances[0]!.outstanding, 2);
  });

  test("what was cancelled while the run went on does not leave", async () => {
    const { scheduler, instances, clock } = await learned();
    void submitTo(scheduler, one(1));
    const gone = new AbortController();
    const cancelled = submitTo(scheduler, one(2, { signal: gone.signal }));
    clock.advance(40);
    gone.abort();
    await assert.rejects(cancelled, { code: "cancelled" });
    clock.advance(10);
    assert.equal(instances[0]!.outstanding, 1);
    assert.deepEqual(instances[0]!.runs, [[0], [1]]);
  });
});
