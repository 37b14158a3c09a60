import assert from "node:assert/strict";
import { test } from "node:test";
import { type Logger, silentLogger } from "../base/logger.ts";
import { createRequestLog } from "./request-log.ts";

const REQUEST = {
  requestId: "r-1",
  protocol: "rest",
  call: "POST /predict/digits",
  status: 400,
  model: "digits",
  ms: 1.23456,
} as const;
const FAILURE = { reason: "bad_input", message: 'input "image" is missing' };

function rig(isComplete: boolean) {
  const lines: { fields: Record<string, unknown>; message: string }[] = [];
  const logger: Logger = {
    ...silentLogger,
    info: (fields, message) => void lines.push({ fields: fields as Record<string, unknown>, message }),
  };
  let nowMs = 0;
  const clock = { nowMs: () => nowMs, after: () => () => {} } as unknown as Parameters<
    typeof createRequestLog
  >[0]["clock"];
  const log = createRequestLog({ logger, clock, isComplete });
  return { lines, log, pass: (ms: number) => (nowMs += ms) };
}

test("a request that failed is in the log with its id and why, one that did not is not", () => {
  const { lines, log } = rig(false);
  log.ended({ ...REQUEST, status: 200 });
  log.ended(REQUEST, FAILURE);
  assert.deepEqual(lines, [
    {
      fields: { ...REQUEST, ms: 1.23, reason: "bad_input", error: 'input "image" is missing' },
      message: "request failed",
    },
  ]);
});

test("a flood of failures is told of a hundred times a second, and then how many more there were", () => {
  const { lines, log, pass } = rig(false);
  for (let i = 0; i < 5000; i++) log.ended({ ...REQUEST, requestId: `r-${i}` }, FAILURE);
  assert.equal(lines.length, 100);
  pass(1000);
  log.ended(REQUEST, FAILURE);
  assert.equal(lines.length, 102);
  assert.deepEqual(lines[100]!.fields, { requests: 4900 });
});

test("a complete log has every request, and what clients put into it is cut", () => {
  const { lines, log } = rig(true);
  log.ended({ ...REQUEST, status: 200, call: "x".repeat(10_000) });
  for (let i = 0; i < 500; i++) log.ended(REQUEST, { ...FAILURE, message: "y".repeat(10_000) });
  assert.equal(lines.length, 501);
  assert.equal(String(lines[0]!.fields["call"]).length, 200);
  assert.equal(String(lines[1]!.fields["error"]).length, 500);
});
