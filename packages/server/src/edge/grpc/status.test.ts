import assert from "node:assert/strict";
import { test } from "node:test";
import { status as Status } from "@grpc/grpc-js";
import { ERROR_CODES } from "@sconce/protocol";
import { ServeError } from "../../base/errors.ts";
import { REASON_KEY, safeMessage, statusNumber, statusOf } from "./status.ts";

test("every code has the number that gRPC gives its name", () => {
  for (const code of ERROR_CODES) {
    const number = Status[code.toUpperCase() as keyof typeof Status];
    assert.equal(statusNumber(code), number, code);
  }
  assert.equal(ERROR_CODES.length, 16);
});

test("a status carries reason and retry hint, rounded up", () => {
  const { code, details, metadata } = statusOf(
    new ServeError("unavailable", "later", { reason: "queue_full", retryAfterMs: 0.2 }),
  );
  assert.deepEqual([code, details], [14, "later"]);
  assert.deepEqual(metadata.get(REASON_KEY), ["queue_full"]);
  assert.deepEqual(metadata.get("grpc-retry-pushback-ms"), ["1"]);
  assert.deepEqual(statusOf(new ServeError("internal", "x")).metadata.get("grpc-retry-pushback-ms"), []);
});

test("an unavailable server says when to come back, also when the error names no time", () => {
  const draining = new ServeError("unavailable", "the server is stopping", { reason: "draining" });
  assert.deepEqual(statusOf(draining).metadata.get("grpc-retry-pushback-ms"), ["1000"]);
});

test("a message fits a header, whatever names the client chose", () => {
  assert.equal(safeMessage("a\ud800b"), "a\ufffdb");
  assert.equal(safeMessage("😀"), "😀");
  assert.ok(safeMessage("é".repeat(5000)).length <= 801);
  assert.doesNotThrow(() => encodeURI(safeMessage(`${"x".repeat(799)}😀`)));
});
