import assert from "node:assert/strict";
import { test } from "node:test";
import { readEngineRuns } from "./engine-events.ts";

const run = (ts: number, dur: number): object => ({ cat: "Session", name: "model_run", ts, dur });
const node = (
  name: string,
  operator: string,
  { ts, dur, index }: { readonly ts: number; readonly dur: number; readonly index: number },
): object => ({
  cat: "Node",
  name: `${name}_kernel_time`,
  ts,
  dur,
  args: { op_name: operator, node_index: String(index) },
});

test("a branch's time is its own without what ran inside it, and nodes of one name are kept apart", () => {
  const events = (start: number): object[] => [
    run(start, 100),
    node("inner", "Add", { ts: start + 12, dur: 20, index: 0 }),
    node("branch", "If", { ts: start + 10, dur: 30, index: 0 }),
    node("Attention_0", "Attention", { ts: start + 40, dur: 7, index: 1 }),
    node("Attention_0", "Attention", { ts: start + 50, dur: 9, index: 2 }),
  ];
  const found = readEngineRuns(JSON.stringify([...events(0), ...events(1000)]), 2);
  assert.equal(found.runs, 2);
  assert.equal(found.runMs, 0.1);
  const rows = found.nodes.map(({ name, occurrence, ms, calls }) => [name, occurrence, ms, calls]);
  assert.deepEqual(rows, [
    ["branch", 0, 0.01, 1],
    ["inner", 0, 0.02, 1],
    ["Attention_0", 0, 0.007, 1],
    ["Attention_0", 1, 0.009, 1],
  ]);
});

test("runs before the last ones do not count, and of these the slower half does not", () => {
  const events = [
    run(0, 1000),
    node("a", "Add", { ts: 1, dur: 900, index: 0 }),
    run(2000, 500),
    node("a", "Add", { ts: 2001, dur: 400, index: 0 }),
    run(3000, 50),
    node("a", "Add", { ts: 3001, dur: 40, index: 0 }),
  ];
  const found = readEngineRuns(JSON.stringify(events), 2);
  assert.equal(found.runs, 2);
  assert.equal(found.runMs, 0.05);
  assert.deepEqual(
    found.nodes.map(({ ms }) => ms),
    [0.04],
  );
});
