import assert from "node:assert/strict";
import { test } from "node:test";
import { betterText, type LoadRow, peersPage, ratioTo, type WorkloadResult } from "./peers-page.ts";

const ROWS: readonly LoadRow[] = [
  {
    load: "8 in flight",
    server: "sconce",
    perSecond: 2000,
    p50Ms: 4,
    p99Ms: 9,
    cpuMs: 0.5,
    othersShare: 0.02,
  },
  {
    load: "8 in flight",
    server: "litserve",
    perSecond: 500,
    p50Ms: 16,
    p99Ms: 8,
    cpuMs: 2,
    othersShare: 0.1,
  },
  { load: "8 in flight", server: "bare node:http", perSecond: 9000, p50Ms: 1, p99Ms: 2, cpuMs: 0.1 },
];
const RESULT: WorkloadResult = {
  workload: "digits",
  rounds: 5,
  settings: [{ server: "sconce", settings: "its defaults" }],
  starts: [
    { server: "sconce", firstAnswerMs: 350, pssBytes: 2 ** 26, loadedPssBytes: 2 ** 27, idleShare: 0.01 },
    { server: "litserve", firstAnswerMs: 700, pssBytes: 2 ** 27, loadedPssBytes: 2 ** 26, idleShare: 1.6 },
  ],
  rows: ROWS,
  absent: [{ server: "ray serve", why: "no package index" }],
};

test("a ratio above 1 says how many times a peer's requests Sconce answers", () => {
  assert.equal(ratioTo(ROWS[1]!, ROWS), 4);
});

test("there is no ratio to a load that Sconce did not have", () => {
  assert.equal(ratioTo({ ...ROWS[1]!, load: "1 in flight" }, ROWS), undefined);
});

test("what a peer does better is said, and what bounds every server is not a peer", () => {
  assert.equal(
    betterText(RESULT),
    "Where a peer is better: 8 in flight, LitServe by 1.13 in p99; LitServe by 2 in memory.",
  );
});

test("differences up to 5 % make no peer better", () => {
  const rows = ROWS.map((row) => (row.server === "litserve" ? { ...row, p99Ms: 8.6 } : row));
  assert.equal(betterText({ rows, starts: [] }), "No peer is better by more than 5 %.");
});

test("the page names the load once, who took no part, and what else the machine did", () => {
  const page = peersPage([RESULT]);
  assert.match(page, /\| 8 in flight \| \*\*Sconce\*\* \| 2,000 \| 4 \| 9 \| 0\.5 \| {2}\|\n/);
  assert.match(page, /\| {2}\| LitServe \| 500 \| 16 \| 8 \| 2 \| 4 \|\n/);
  assert.match(page, /LitServe \| 0\.7 \| 128 \| 64 \| 160 % \|/);
  assert.match(page, /up to 10 % of the machine/);
  assert.match(page, /- \*\*Ray Serve\*\* took no part: no package index/);
});

test("requests that failed are counted in a column that is only there when some did", () => {
  assert.doesNotMatch(peersPage([RESULT]), /failed/);
  const rows = ROWS.map((row) => (row.server === "litserve" ? { ...row, failures: 12 } : row));
  assert.match(peersPage([{ ...RESULT, rows }]), /LitServe \|.*\| 12 failed \|/);
});
