import assert from "node:assert/strict";
import { test } from "node:test";
import { ServeError } from "./serve-error.ts";

test("an answer to a caller carries no stack, which costs more than the rest of it; a fault of ours says where", () => {
  const limit = Error.stackTraceLimit;
  assert.equal(new ServeError("unavailable", "the queue is full").stack, "ServeError: the queue is full");
  assert.match(new ServeError("internal", "broken").stack ?? "", /serve-error\.test/);
  assert.equal(Error.stackTraceLimit, limit);
});

test("what was thrown by others keeps its own stack as the cause", () => {
  const thrown = new TypeError("x is not a function");
  const error = ServeError.from(thrown);
  assert.equal(error.code, "internal");
  assert.equal(error.cause, thrown);
});

test("a reason that the table does not list, or not under this code, does not compile", () => {
  // @ts-expect-error: there is no such reason.
  assert.equal(new ServeError("unavailable", "x", { reason: "queue_ful" }).code, "unavailable");
  // @ts-expect-error: a full queue is `unavailable`.
  assert.equal(new ServeError("internal", "x", { reason: "queue_full" }).code, "internal");
  assert.equal(new ServeError("unavailable", "x", { reason: "queue_full" }).reason, "queue_full");
});
