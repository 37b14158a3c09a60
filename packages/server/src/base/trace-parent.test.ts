import assert from "node:assert/strict";
import { test } from "node:test";
import { parseTraceParent } from "./trace-parent.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";

test("traceparent is read as W3C Trace Context has it", () => {
  const expected = { traceId: TRACE, spanId: SPAN };
  assert.deepEqual(parseTraceParent(`00-${TRACE}-${SPAN}-01`), { ...expected, isSampled: true });
  assert.deepEqual(parseTraceParent(`00-${TRACE}-${SPAN}-00`), { ...expected, isSampled: false });
  // Flags that nobody knows yet do not matter.
  assert.deepEqual(parseTraceParent(`00-${TRACE}-${SPAN}-fe`), { ...expected, isSampled: false });
  assert.deepEqual(parseTraceParent(`00-${TRACE}-${SPAN}-03`), { ...expected, isSampled: true });
  // Of a version to come what version 00 knows counts.
  assert.deepEqual(parseTraceParent(`cc-${TRACE}-${SPAN}-01`), { ...expected, isSampled: true });
  assert.deepEqual(parseTraceParent(`cc-${TRACE}-${SPAN}-01-what-comes`), { ...expected, isSampled: true });
});

test("a traceparent that is not as W3C has it counts as none", () => {
  const bad = [
    undefined,
    "",
    `ff-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01-more`,
    `00-${TRACE}-${SPAN}-01-`,
    `00-${TRACE}-${SPAN}-1`,
    `00-${TRACE}-${SPAN}`,
    `0-${TRACE}-${SPAN}-01`,
    `cc-${TRACE}-${SPAN}-01.more`,
    `00-${"0".repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${"0".repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${TRACE.slice(1)}-${SPAN}-01`,
    `00-${TRACE}0-${SPAN}-01`,
    `00-${TRACE}-${SPAN}x-01`,
    ` 00-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01\n`,
    `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`,
    `cc-${TRACE}-${SPAN}-01-${"x".repeat(300)}`,
  ];
  for (const header of bad) assert.equal(parseTraceParent(header), undefined, header);
});
