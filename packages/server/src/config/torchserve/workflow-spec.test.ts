import assert from "node:assert/strict";
import { test } from "node:test";
import { readWorkflowSpec } from "./workflow-spec.ts";

const AS = { name: "search", url: "search.war" };
const dag = (graph: object, models: object = {}) => readWorkflowSpec({ models, dag: graph }, AS);

test("nodes have what they say, else what is said for all, and functions run alone", () => {
  const { nodes, defaults } = dag(
    { prepare: ["encode"], encode: ["finish"] },
    { "batch-size": 8, "max-workers": 2, "timeout-ms": 5, encode: { url: "encode.mar", "batch-size": 4 } },
  );
  assert.deepEqual(
    nodes.map(({ name, model, url, workers, batchSize }) => [name, model, url, workers, batchSize]),
    [
      ["prepare", "search__prepare", undefined, 1, 1],
      ["encode", "search__encode", "encode.mar", 2, 4],
      ["finish", "search__finish", undefined, 1, 1],
    ],
  );
  assert.deepEqual(
    nodes.map(({ before, isLeaf, timeoutMs, retryAttempts }) => [before, isLeaf, timeoutMs, retryAttempts]),
    [
      [[], false, 5, 1],
      [["prepare"], false, 5, 1],
      [["encode"], true, 5, 1],
    ],
  );
  assert.deepEqual(defaults, { minWorkers: 1, maxWorkers: 2, batchSize: 8, maxBatchDelayMs: 50 });
});

test("a node comes after all whose results it gets, in whatever order they are written", () => {
  const { nodes, dag: shown } = dag({ join: ["end"], b: ["join"], a: ["b", "join"], end: [] });
  assert.deepEqual(
    nodes.map(({ name, before }) => [name, before]),
    [
      ["a", []],
      ["b", ["a"]],
      ["join", ["b", "a"]],
      ["end", ["join"]],
    ],
  );
  assert.equal(shown, "{join=[end], b=[join], a=[b, join], end=[]}");
});

test("graphs that do not end, or begin twice, are refused in TorchServe's words", () => {
  assert.throws(() => dag({ a: ["b"], b: ["c"], c: ["b"] }), /Not a valid DAG/);
  assert.throws(() => dag({ a: ["c"], b: ["c"] }), /only one start node/);
  assert.throws(() => dag({ a: ["a"] }), /Self loop/);
  assert.throws(() => dag({ a: ["b", "b"] }), /loop exception/);
  assert.throws(() => dag({}), /only one start node/);
});

test("what is no specification is refused with the place", () => {
  assert.throws(() => readWorkflowSpec({ models: [], dag: {} }, AS), /models: expected keys and values/);
  assert.throws(() => readWorkflowSpec({}, AS), /dag: expected keys and values/);
  assert.throws(() => dag({ a: "b" }), /dag\.a: expected a list of names/);
  assert.throws(() => dag({ "../a": [] }), /is no name of a function or model/);
  assert.throws(() => dag({ a: [] }, { a: {} }), /models\.a: url: expected the name of an archive/);
  assert.throws(() => dag({ a: [] }, { "timeout-ms": "soon" }), /timeout-ms: expected a whole number/);
  assert.throws(
    () => readWorkflowSpec({ dag: { a: [] } }, { ...AS, name: "../up" }),
    /the name of a workflow/,
  );
  const many = Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`n${i}`, [`n${i + 1}`]]));
  assert.throws(() => dag(many), /more than 64 nodes/);
});
