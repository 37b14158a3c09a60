import assert from "node:assert/strict";
import { test } from "node:test";
import { ERROR_CODES } from "@sconce/protocol";
import { type ErrorCode, type ErrorReason, ServeError } from "../../../base/errors.ts";
import { errorResponse } from "./error-response.ts";
import { statusOf } from "./status.ts";

test("every code has a status that HTTP counts as an error", () => {
  for (const code of ERROR_CODES) {
    const status = statusOf({ code, reason: code });
    assert.ok(status >= 400 && status < 600, `${code} → ${status}`);
  }
});

test("the statuses that reliability depends on", () => {
  const table: Array<[ErrorCode, ErrorReason, number]> = [
    ["resource_exhausted", "quota_exceeded", 429],
    ["unavailable", "queue_full", 503],
    ["unavailable", "draining", 503],
    ["deadline_exceeded", "deadline_exceeded", 504],
    ["deadline_exceeded", "request_timeout", 408],
    ["cancelled", "cancelled", 499],
    ["resource_exhausted", "body_too_large", 413],
    ["resource_exhausted", "headers_too_large", 431],
    ["invalid_argument", "url_too_long", 414],
    ["invalid_argument", "method_not_allowed", 405],
    ["internal", "model_failed", 500],
  ];
  for (const [code, reason, status] of table) assert.equal(statusOf({ code, reason }), status, reason);
});

test("429 and 503 always say when to come back, jittered; others never do", () => {
  const full = new ServeError("unavailable", "full", { retryAfterMs: 4000 });
  assert.equal(errorResponse(full, () => 0).retryAfter, 3);
  assert.equal(errorResponse(full, () => 0.999).retryAfter, 5);
  assert.equal(errorResponse(new ServeError("resource_exhausted", "quota"), () => 0).retryAfter, 1);
  assert.equal(errorResponse(new ServeError("not_found", "x"), () => 0).retryAfter, undefined);
});
