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
