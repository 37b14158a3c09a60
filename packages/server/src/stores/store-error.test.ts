import assert from "node:assert/strict";
import { test } from "node:test";
import { ServeError } from "../base/errors.ts";
import { mayPass, refused, storeError } from "./store-error.ts";

const withCode = (code: unknown, message = "what a library said", cause?: unknown): Error =>
  Object.assign(new Error(message, { cause }), { code });

test("what is thrown on the way to a store is worth another try, unless the store says no", () => {
  const cases = [
    [withCode("ECONNREFUSED"), "store_unavailable", /connection was refused/],
    [
      new TypeError("fetch failed", { cause: withCode("ENOTFOUND") }),
      "store_unavailable",
      /host name is not known/,
    ],
    [new AggregateError([withCode("ETIMEDOUT", "timed out")]), "store_unavailable", /timed out/],
    [withCode("ENOSPC"), "store_unavailable", /cannot be written here: the disk is full/],
    [withCode(403), "store_refused", /answers 403/],
    [withCode(404), "store_refused", /answers 404/],
    [withCode(503), "store_unavailable", /answers 503/],
    [Object.assign(new Error("x"), { $metadata: { httpStatusCode: 412 } }), "store_unavailable", /replaced/],
    [withCode("DEPTH_ZERO_SELF_SIGNED_CERT", "self-signed certificate"), "store_refused", /--store-ca/],
    ["a text", "store_unavailable", /a text/],
    [undefined, "store_unavailable", /undefined/],
  ] as const;
  for (const [thrown, reason, words] of cases) {
    const error = storeError(thrown);
    assert.equal(error.reason, reason, String(thrown));
    assert.match(error.message, words);
  }
});

test("messages are one line, of bounded length, without the query of a URL; our own stay as they are", () => {
  const { message } = storeError(
    new Error(`GET https://h/a?sig=secret failed\n\u001b[31m${"x".repeat(1000)}`),
  );
  for (const text of ["secret", "\n", "\u001b"]) assert.ok(!message.includes(text), message);
  assert.ok(message.length <= 200);
  for (const own of [mayPass("a"), refused("b"), new ServeError("failed_precondition", "c")])
    assert.equal(storeError(own), own);
});
