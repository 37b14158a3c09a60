import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import { systemClock } from "../../base/clock.ts";
import { until } from "../../base/until.kit.ts";
import { createByteBudget } from "../../gate/byte-budget.ts";
import { createSlowClientGuard } from "../../gate/slow-client-guard.ts";
import type { CallStream } from "../call-stream.ts";
import { createTimeSlicer } from "../time-slicer.ts";
import { MessageReader, type MessageReceiver } from "./message-reader.ts";

/** More than are handed on in a turn. */
const COUNT = 1000;

/** A call that asks for the next message as soon as it has one. */
function openCall() {
  let paused = 0;
  const stream = Object.assign(new EventEmitter(), {
    pause: () => void paused++,
    resume: () => void paused--,
    close() {},
  });
  const budget = createByteBudget({ maxBytes: 1e6, maxRequests: 10 });
  const messages: number[] = [];
  const call = {
    ended: false as boolean,
    isHalfClosed: false as boolean,
    onMessage(bytes: Buffer) {
      messages.push(bytes.readUInt16BE());
      reader.read();
    },
    onHalfClose() {
      this.isHalfClosed = true;
    },
    onBeginning() {},
    fail: (error: Error) => assert.fail(error),
  } satisfies MessageReceiver & { isHalfClosed: boolean };
  const deps = {
    clock: systemClock,
    budget,
    slowClients: createSlowClientGuard(systemClock),
    slicer: createTimeSlicer(systemClock),
    inflateLimits: { maxBytes: 1e6, maxRatio: 100 },
  };
  // It is all that a reader uses of one.
  const reader = new MessageReader(stream as unknown as CallStream, call, {
    deps,
    options: { coding: undefined, isSingle: false },
  });
  return { stream, call, reader, budget, messages, isPaused: () => paused > 0 };
}

const frames = (from: number): Buffer =>
  Buffer.concat(
    Array.from({ length: COUNT }, (_, i) => Buffer.from([0, 0, 0, 0, 2, (from + i) >> 8, (from + i) & 255])),
  );

test("thousands of messages that come in one piece are handed on over many turns, in their order, and others get theirs between", async () => {
  const { stream, call, budget, messages, isPaused } = openCall();
  stream.emit("data", frames(0));
  assert.ok(messages.length < COUNT / 10, `${messages.length} at once`);
  assert.equal(isPaused(), true, "no more is read meanwhile");
  // What was on its way when it was told to wait.
  stream.emit("data", frames(COUNT));
  stream.emit("end");
  assert.ok(messages.length < COUNT / 10, "nor with what comes behind it");
  await until("all are there", () => call.isHalfClosed);
  assert.deepEqual(
    messages,
    Array.from({ length: 2 * COUNT }, (_, i) => i),
  );
  assert.equal(budget.bytes, 0);
});

test("of a call that ends while its messages wait no more are handed on", async () => {
  const { stream, call, reader, budget, messages } = openCall();
  stream.emit("data", frames(0));
  const before = messages.length;
  call.ended = true;
  reader.stop();
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  assert.equal(messages.length, before);
  assert.equal(budget.bytes, 0);
});
