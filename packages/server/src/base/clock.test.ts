import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { systemClock } from "./clock.ts";

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
