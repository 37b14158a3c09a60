import assert from "node:assert/strict";
import { test } from "node:test";
import { readTraceState } from "./trace-state.ts";

test("tracestate is kept as it is, without what is empty; what is not of its shape is dropped as a whole", () => {
  for (const [given, kept] of [
    ["rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"],
    [" a=1 , ,b@c=2\t", "a=1,b@c=2"],
    ["a=1,a=2", ""],
    ["A=1", ""],
    ["a", ""],
    ["a=", ""],
    ["a=b=c", ""],
    ["a=\u00e9", ""],
    ["x".repeat(513), ""],
    [
      Array.from({ length: 32 }, (_, i) => `k${i}=v`).join(","),
      Array.from({ length: 32 }, (_, i) => `k${i}=v`).join(","),
    ],
    [Array.from({ length: 33 }, (_, i) => `k${i}=v`).join(","), ""],
    [undefined, ""],
  ] as const) {
    assert.equal(readTraceState(given), kept, given);
  }
});
