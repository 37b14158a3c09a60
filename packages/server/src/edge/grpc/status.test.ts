import assert from "node:assert/strict";
import { test } from "node:test";
import { status as Status } from "@grpc/grpc-js";
import { ERROR_CODES } from "@sconce/protocol";
import fc from "fast-check";
import { ServeError } from "../../base/errors.ts";
import { encodeStatus, percentEncode, safeMessage, statusNumber } from "./status.ts";

test("every code has the number that gRPC gives its name", () => {
  for (const code of ERROR_CODES) {
    const number = Status[code.toUpperCase() as keyof typeof Status];
    assert.equal(statusNumber(code), number, code);
  }
  assert.equal(ERROR_CODES.length, 16);
});

test("a status carries reason and retry hint, rounded up", () => {
  const trailers = encodeStatus(
    new ServeError("unavailable", "later", { reason: "queue_full", retryAfterMs: 0.2 }),
  );
  assert.deepEqual([trailers["grpc-status"], trailers["grpc-message"]], ["14", "later"]);
  assert.equal(trailers["sconce-reason"], "queue_full");
  assert.equal(trailers["grpc-retry-pushback-ms"], "1");
  assert.equal(encodeStatus(new ServeError("internal", "x"))["grpc-retry-pushback-ms"], undefined);
});

test("an unavailable server says when to come back, also when the error names no time", () => {
  const draining = new ServeError("unavailable", "the server is stopping", { reason: "draining" });
  assert.equal(encodeStatus(draining)["grpc-retry-pushback-ms"], "1000");
});

test("grpc-message is printable ASCII, and what it was before when decoded", () => {
  assert.equal(percentEncode("50 % of é\t😀~"), "50 %25 of %C3%A9%09%F0%9F%98%80~");
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const encoded = percentEncode(safeMessage(text));
      assert.match(encoded, /^[ -~]*$/);
      assert.equal(decodeURIComponent(encoded), safeMessage(text));
    }),
  );
});

test("a message fits a header, whatever names the client chose", () => {
  assert.equal(safeMessage("a\ud800b"), "a\ufffdb");
  assert.equal(safeMessage("😀"), "😀");
  assert.ok(safeMessage("é".repeat(5000)).length <= 801);
  assert.doesNotThrow(() => encodeURI(safeMessage(`${"x".repeat(799)}😀`)));
});
