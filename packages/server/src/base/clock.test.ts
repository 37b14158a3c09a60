import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { mock, test } from "node:test";
import { fileURLToPath } from "node:url";
import { systemClock, timerDelayMs } from "./clock.ts";

const MONTH_MS = 30 * 24 * 3600 * 1000;
/** The longest delay of one timer. */
const LONGEST_MS = 2 ** 31 - 1;

test("a deadline in a month is not an instant one", (t) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  t.after(() => mock.timers.reset());
  let calls = 0;
  systemClock.after(MONTH_MS, () => calls++);
  const cancel = systemClock.after(MONTH_MS, () => assert.fail("it was cancelled"));
  mock.timers.tick(LONGEST_MS);
  assert.equal(calls, 0, "called too early");
  cancel();
  mock.timers.tick(MONTH_MS - LONGEST_MS - 1);
  assert.equal(calls, 0, "called too early");
  mock.timers.tick(1);
  assert.equal(calls, 1, "calls after a month");
});

test("every length of time is waited for: none fires at once because a timer overflowed", (t) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  t.after(() => mock.timers.reset());
  let calls = 0;
  const cancels = [LONGEST_MS, LONGEST_MS + 1, 2 ** 32, 2 ** 53, 1e308, Number.POSITIVE_INFINITY].map(
    (delayMs) => systemClock.after(delayMs, () => calls++),
  );
  mock.timers.tick(LONGEST_MS - 1);
  assert.equal(calls, 0);
  for (const cancel of cancels) cancel();
  assert.deepEqual(
    [-1, 0, 5, LONGEST_MS, LONGEST_MS + 1, 1e308, Number.POSITIVE_INFINITY].map(timerDelayMs),
    [0, 0, 5, LONGEST_MS, LONGEST_MS, LONGEST_MS, LONGEST_MS],
  );
});

/** Take constants, or clamp as the clock does. */
const HAS_NO_CLOCK = [
  "cli/watch-starter.js",
  "cli/predict.js",
  "cli/bench/drive.js",
  "cli/bench/measure.js",
  "cli/bench/model-ports.js",
  "cli/why/observe.js",
  "cli/private/private-server.js",
  "worker/serve-worker.js",
];

test("no timer is started past the clock", () => {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const found = readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".js") && !/\.(test|kit)\.js$/.test(name))
    .filter((name) => name !== "base/clock.js" && !HAS_NO_CLOCK.includes(name))
    .filter((name) => {
      const text = readFileSync(join(root, name), "utf8");
      return /(?<!\.)\bset(Timeout|Interval)\(|AbortSignal\.timeout\(|\.setTimeout\((?!timerDelayMs|0\))/.test(
        text,
      );
    });
  assert.deepEqual(found, []);
});
