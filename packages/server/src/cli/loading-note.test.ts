import assert from "node:assert/strict";
import { test } from "node:test";
import { loadingNote } from "./loading-note.ts";

const entry = (name: string, state: "LOADING" | "READY") => ({ name, version: "1", state, reason: "" });

test("names what loads, not more than fit, and how many are done", () => {
  assert.equal(loadingNote([entry("a", "READY")]), undefined);
  assert.equal(loadingNote([entry("a", "READY"), entry("b\n", "LOADING")]), "loading b\\n; 1 of 2 done");
  const many = Array.from({ length: 7 }, (_, i) => entry(`m${i}`, "LOADING"));
  assert.equal(loadingNote(many), "loading m0, m1, m2, m3, m4, and 2 more; 0 of 7 done");
});
