import assert from "node:assert/strict";
import { test } from "node:test";
import { explanation, type Figures } from "./load-difference.ts";

const WRK: Figures = { perSecond: 1000, p50Ms: 1, p99Ms: 2, clientMicros: 10, serverMicros: 30 };

test("clients within 5 % and 10 % of one another agree", () => {
  const bench = { ...WRK, perSecond: 960, p99Ms: 2.15 };
  assert.equal(explanation({ connections: 8, bench, wrk: WRK }), "8 in flight: requests/s agree; p99 agree.");
});

test("a client that takes more of shared processors is said to leave the server less", () => {
  const bench = { ...WRK, perSecond: 800, p99Ms: 3, clientMicros: 20 };
  const said = explanation({ connections: 32, bench, wrk: WRK });
  assert.match(
    said,
    /requests\/s are 0\.80 of wrk's: a request takes 50 µs .*, 40 with wrk, so that 0\.80 is/,
  );
  assert.match(said, /p99 is 1\.50 of wrk's, by 1\.00 ms/);
});
