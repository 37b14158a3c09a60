import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { silentLogger } from "../base/logger.ts";
import { ManualClock } from "../base/manual-clock.kit.ts";
import { SpanExporter } from "./span-exporter.ts";
import type { Sent } from "./span-sender.ts";

const ACCEPTED: Sent = { kind: "accepted", rejected: 0 };
const AWAY: Sent = { kind: "retry", afterMs: undefined, why: "away" };

function rig(respond: (tries: number) => Sent | Promise<Sent>) {
  const clock = new ManualClock();
  const sent: number[] = [];
  const said: string[] = [];
  const counts = { exported: 0, dropped: 0, failed: 0 };
  const counter = (name: keyof typeof counts) => ({
    add(value: number) {
      counts[name] += value;
    },
  });
  const say = (_: object, message: string): void => void said.push(message);
  const exporter = new SpanExporter({
    sender: {
      async send(body) {
        sent.push(body.length);
        return respond(sent.length);
      },
      close() {},
    },
    limits: { maxQueueSpans: 10, maxBatchSpans: 4, delayMs: 2000, timeoutMs: 1000 },
    encode: (spans) => Buffer.concat(spans),
    clock,
    random: () => 1,
    logger: { ...silentLogger, warn: say, info: say },
    counters: { exported: counter("exported"), dropped: counter("dropped"), failed: counter("failed") },
  });
  const add = (spans: number): void => exporter.add(Buffer.alloc(spans), spans);
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms);
    for (let i = 0; i < 5; i++) await nextTurn();
  };
  return { exporter, add, pass, sent, said, counts };
}

test("spans wait for others, and go at once when there are enough", async () => {
  const { add, pass, sent, counts } = rig(() => ACCEPTED);
  add(3);
  await pass(1999);
  assert.deepEqual(sent, []);
  await pass(1);
  assert.deepEqual(sent, [3]);
  add(2);
  add(2);
  await pass(0);
  assert.deepEqual(sent, [3, 4]);
  assert.deepEqual(counts, { exported: 7, dropped: 0, failed: 0 });
});

test("what finds no room is dropped and counted, and nobody waits", async () => {
  let accept = (_: Sent): void => {};
  const { add, pass, counts, sent } = rig(
    () =>
      new Promise<Sent>((resolve) => {
        accept = resolve;
      }),
  );
  for (let i = 0; i < 20; i++) add(1);
  // Four are under way, ten wait.
  assert.deepEqual(counts, { exported: 0, dropped: 6, failed: 0 });
  for (let i = 0; i < 5; i++) {
    accept(ACCEPTED);
    await pass(2000);
  }
  assert.deepEqual(sent, [4, 4, 4, 2]);
  assert.deepEqual(counts, { exported: 14, dropped: 6, failed: 0 });
});

test("a collector that is away is asked again, with growing pauses, and it is said once", async () => {
  const { add, pass, sent, said, counts } = rig((tries) => (tries < 4 ? AWAY : ACCEPTED));
  add(4);
  await pass(0);
  for (const [pauseMs, tries] of [
    [1000, 2],
    [2000, 3],
    [4000, 4],
  ] as const) {
    await pass(pauseMs - 1);
    assert.equal(sent.length, tries - 1);
    await pass(1);
    assert.equal(sent.length, tries);
  }
  assert.deepEqual(counts, { exported: 4, dropped: 0, failed: 0 });
  assert.deepEqual(said, [
    "traces cannot be exported; requests are served all the same",
    "traces are exported again",
  ]);
});

test("after five tries, or a refusal, spans have failed; what a collector rejects of them has, too", async () => {
  const away = rig(() => AWAY);
  away.add(4);
  for (let i = 0; i < 10; i++) await away.pass(30_000);
  assert.equal(away.sent.length, 5);
  assert.deepEqual(away.counts, { exported: 0, dropped: 0, failed: 4 });
  const refused = rig(() => ({ kind: "refused", why: "HTTP status 400" }));
  refused.add(4);
  await refused.pass(60_000);
  assert.equal(refused.sent.length, 1);
  assert.deepEqual(refused.counts, { exported: 0, dropped: 0, failed: 4 });
  const partly = rig(() => ({ kind: "accepted", rejected: 1 }));
  partly.add(4);
  await partly.pass(0);
  assert.deepEqual(partly.counts, { exported: 3, dropped: 0, failed: 1 });
});

test("a pause that the collector asks for is kept, up to half a minute", async () => {
  for (const [afterMs, pauseMs] of [
    [5000, 5000],
    [3_600_000, 30_000],
  ] as const) {
    const { add, pass, sent } = rig((tries) => (tries === 1 ? { ...AWAY, afterMs } : ACCEPTED));
    add(4);
    await pass(0);
    await pass(pauseMs - 1);
    assert.equal(sent.length, 1);
    await pass(1);
    assert.equal(sent.length, 2);
  }
});

test("a drain sends what waits, and ends in time when the collector does not answer", async () => {
  const { exporter, add, counts } = rig(() => ACCEPTED);
  for (let i = 0; i < 3; i++) add(3);
  await exporter.close(3000);
  assert.deepEqual(counts, { exported: 9, dropped: 0, failed: 0 });
  add(1);
  assert.equal(counts.dropped, 1);

  // In a pause nothing keeps a process alive that ends: nobody is asked twice then.
  const away = rig(() => AWAY);
  for (let i = 0; i < 3; i++) away.add(3);
  await away.pass(0);
  await away.exporter.close(3000);
  assert.deepEqual(away.sent, [6, 6, 3]);
  assert.deepEqual(away.counts, { exported: 0, dropped: 0, failed: 9 });

  const silent = rig(() => new Promise<Sent>(() => {}));
  for (let i = 0; i < 3; i++) silent.add(3);
  const closed = silent.exporter.close(3000);
  await silent.pass(3000);
  await closed;
  assert.equal(silent.counts.dropped, 3);
});
