// Tests the two ways to drive a load, with senders that answer when they are told to.
import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../../base/clock.ts";
import { driveClosed, driveOpen } from "./drive.ts";
import { createRecorder, isStable, mergeWindows, type Window } from "./recorder.ts";
import type { Reply, Sender } from "./sender.ts";

const OK: Reply = { outcome: "ok", serverTiming: "receive;dur=1.000, compute;dur=2.500, total;dur=3.500" };

/** A sender whose answers come when `answer` is called. */
function heldSender(): Sender & { answer(): void; readonly waiting: () => number } {
  const held: ((reply: Reply) => void)[] = [];
  return {
    send: () => new Promise((resolve) => held.push(resolve)),
    close: () => {},
    answer: () => held.shift()?.(OK),
    waiting: () => held.length,
  };
}

const turn = (ms = 0): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test("a closed connection has one request under way", async () => {
  const sender = heldSender();
  const recorder = createRecorder();
  const drive = driveClosed({ senders: [sender], recorder, clock: systemClock });
  for (let i = 0; i < 3; i++) {
    await turn();
    assert.equal(sender.waiting(), 1);
    sender.answer();
  }
  const stopped = drive.stop();
  await turn();
  sender.answer();
  await stopped;
  assert.equal(recorder.next(1).answered, drive.sent());
});

test("a server that stood still shows in the latency of all that arrived meanwhile", async () => {
  const sender = heldSender();
  const recorder = createRecorder();
  let nowMs = 0;
  const clock = { ...systemClock, nowMs: () => nowMs };
  const drive = driveOpen(
    { senders: [sender], recorder, clock },
    { rate: 1000, spacing: "constant", random: () => 0.5 },
  );
  nowMs = 100;
  await turn(5);
  assert.equal(drive.behind().waiting, 99);
  for (let i = 0; i < 100; i++) {
    sender.answer();
    await turn();
  }
  const stopped = drive.stop();
  sender.answer();
  await stopped;
  const { latencies } = recorder.next(1);
  // Arrivals at 1 … 100 ms, all answered at 100: the mean is half of it. Counted from the sending, all would be 0.
  assert.ok(latencies.mean / 1000 > 45 && latencies.mean / 1000 < 55, String(latencies.mean));
});

test("stages are read from Server-Timing, and windows add up", () => {
  const recorder = createRecorder();
  recorder.record(OK, 4);
  const first = recorder.next(1);
  recorder.record({ outcome: "503", serverTiming: undefined }, 4);
  const all = mergeWindows([first, recorder.next(1)]);
  assert.deepEqual(all.stageMs, [1, 0, 0, 0, 0, 2.5, 0]);
  assert.equal(all.answered, 1);
  assert.deepEqual([...all.failures], [["503", 1]]);
});

test("three windows are stable when throughput and mean latency agree", () => {
  const window = (count: number, ms: number): Window => {
    const recorder = createRecorder();
    for (let i = 0; i < count; i++) recorder.record(OK, ms);
    return recorder.next(1);
  };
  assert.ok(isStable([window(500, 9), window(100, 2), window(105, 2), window(100, 2.1)], 0.1));
  assert.ok(!isStable([window(100, 2), window(100, 2), window(130, 2)], 0.1), "throughput differs");
  assert.ok(!isStable([window(100, 2), window(100, 2), window(100, 3)], 0.1), "latency differs");
  assert.ok(!isStable([window(100, 2), window(100, 2)], 0.1), "two are too few");
  assert.ok(!isStable([window(0, 0), window(0, 0), window(0, 0)], 0.1), "nothing was answered");
});
