import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../../base/clock.ts";
import { measure } from "./measure.ts";

test("a server that takes longer than the whole measurement is measured all the same", async () => {
  const measured = await measure(
    { kind: "closed", connections: 1 },
    {
      openSender: () => ({
        send: () =>
          new Promise((resolve) =>
            setTimeout(() => resolve({ outcome: "ok", serverTiming: undefined }), 100),
          ),
        close: () => {},
      }),
      clock: systemClock,
      random: () => 0.5,
      arrival: "constant",
      warmUpMs: 0,
      windowMs: 1,
      stability: 0,
      durationMs: 2,
      maxRequests: Number.MAX_SAFE_INTEGER,
    },
  );
  assert.ok(measured.answered > 0);
  assert.ok(measured.latencyMs.mean > 90, `${measured.latencyMs.mean} ms`);
});
