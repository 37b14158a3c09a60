import assert from "node:assert/strict";
import { test } from "node:test";
import { mostRegions } from "./edge-limits.ts";

test("where few files may be open, shared memory that clients register leaves most of them to connections and models", () => {
  assert.equal(mostRegions(Number.POSITIVE_INFINITY), 1024);
  assert.equal(mostRegions(1_048_576), 1024);
  assert.equal(mostRegions(1024), 64);
  assert.equal(mostRegions(64), 4);
});
