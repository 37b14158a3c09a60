import assert from "node:assert/strict";
import { test } from "node:test";
import type { Logger } from "../base/logger.ts";
import { ManualClock } from "../base/manual-clock.kit.ts";
import { createPrometheusMetrics } from "../base/prometheus-metrics.ts";
import { type EventLoop, watchEventLoop } from "./event-loop.ts";

/** A clock whose process can stand still: time goes on, and timers are late. */
class StallingClock extends ManualClock {
  #lateMs = 0;

  override nowMs(): number {
    return super.nowMs() + this.#lateMs;
  }

  sleep(ms: number): void {
    this.#lateMs += ms;
  }
}

interface Watched {
  readonly clock: StallingClock;
  readonly loop: EventLoop;
  readonly stalls: number[];
  read(pattern: RegExp): Promise<number>;
}

function watch({ begins = true } = {}): Watched {
  const clock = new StallingClock();
  const stalls: number[] = [];
  const logger: Logger = {
    debug() {},
    info() {},
    warn: (fields) => stalls.push((fields as { stalledMs: number }).stalledMs),
    error() {},
    child: () => logger,
  };
  const metrics = createPrometheusMetrics();
  const loop = watchEventLoop({ clock, logger, metrics });
  if (begins) {
    loop.begin();
    clock.advance(10);
  }
  const read = async (pattern: RegExp): Promise<number> => Number(pattern.exec(await metrics.render())?.[1]);
  return { clock, loop, stalls, read };
}

test("a stall of more than half a second is logged with its length and counted, a shorter one is not", async () => {
  const { clock, stalls, read } = watch();
  clock.advance(100);
  clock.sleep(490);
  clock.advance(100);
  clock.sleep(600);
  clock.advance(100);
  assert.deepEqual(stalls, [600]);
  assert.equal(await read(/^sconce_event_loop_stalls_total (\d+)$/m), 1);
});

test("the beats that a delay swallowed count as late, too", async () => {
  const { clock, read } = watch();
  clock.advance(100);
  assert.equal(await read(/delay_seconds_count (\d+)/), 10);
  clock.sleep(100);
  clock.advance(10);
  assert.equal(await read(/delay_seconds_count (\d+)/), 20);
  assert.equal(await read(/delay_seconds_bucket\{le="0.05"\} (\d+)/), 15);
});

test("time that the process slept through does not pass on its own clock, and its timers wait it out", () => {
  const { clock, loop } = watch();
  const startMs = loop.activeClock.nowMs();
  const fired: number[] = [];
  loop.activeClock.after(2_000, () => fired.push(loop.activeClock.nowMs() - startMs));
  const cancel = loop.activeClock.after(2_000, () => assert.fail("it was cancelled"));
  clock.advance(1_000);
  clock.sleep(3_600_000);
  clock.advance(500);
  assert.ok(Math.abs(loop.activeClock.nowMs() - startMs - 1_500) <= 10);
  assert.deepEqual(fired, []);
  cancel();
  clock.advance(520);
  assert.equal(fired.length, 1);
  assert.ok(fired[0]! >= 2_000);
});

test("after its end it leaves no timer behind", () => {
  const { clock, loop } = watch();
  clock.advance(50);
  loop.stop();
  assert.equal(clock.pendingTimers, 0);
});

test("a start that takes long is not told as a loop that stood still", async () => {
  const { clock, loop, stalls, read } = watch({ begins: false });
  clock.sleep(900);
  clock.advance(20);
  clock.sleep(700);
  loop.begin();
  clock.advance(20);
  assert.deepEqual(stalls, []);
  assert.equal(await read(/^sconce_event_loop_stalls_total (\d+)$/m), 0);
  clock.sleep(800);
  clock.advance(10);
  assert.deepEqual(stalls, [800]);
});
