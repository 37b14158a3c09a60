import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ServeError } from "../base/errors.ts";
import {
  earliestDeadline,
  parseGrpcTimeout,
  parseTimeoutMs,
  parseTimeoutParameter,
  preferDeadline,
} from "./deadline.ts";

const NANOS: Record<string, bigint> = {
  H: 3_600_000_000_000n,
  M: 60_000_000_000n,
  S: 1_000_000_000n,
  m: 1_000_000n,
  u: 1000n,
  n: 1n,
};
const INVALID = { code: "invalid_argument", reason: "bad_timeout" };

test("every grpc-timeout from 1n to 99999999H is exact to the nearest double", () => {
  const timeout = fc.tuple(fc.integer({ min: 0, max: 99_999_999 }), fc.constantFrom(...Object.keys(NANOS)));
  fc.assert(
    fc.property(timeout, ([value, unit]) => {
      const nanos = BigInt(value) * NANOS[unit]!;
      const whole = nanos / 1_000_000n;
      const exact = Number(`${whole}.${String(nanos % 1_000_000n).padStart(6, "0")}`);
      assert.equal(parseGrpcTimeout(`${value}${unit}`), exact);
    }),
  );
});

test("the values that a 32-bit parser gets wrong", () => {
  assert.equal(parseGrpcTimeout("2147484S"), 2_147_484_000);
  assert.equal(parseGrpcTimeout("100u"), 0.1);
  assert.equal(parseGrpcTimeout("1n"), 0.000001);
  assert.equal(parseGrpcTimeout("99999999H"), 359_999_996_400_000);
  assert.equal(parseGrpcTimeout("00000001S"), 1000);
});

test("a malformed grpc-timeout is an invalid argument", () => {
  const wellFormed = /^[0-9]{1,8}[HMSmun]$/;
  for (const header of [
    "",
    "S",
    "1",
    "1 S",
    "-1S",
    "+1S",
    "1s",
    "1.5S",
    "123456789S",
    "1SS",
    " 1S",
    "1S ",
    "0x1S",
    "١S",
  ]) {
    assert.throws(() => parseGrpcTimeout(header), INVALID, JSON.stringify(header));
  }
  fc.assert(
    fc.property(fc.string(), (header) => {
      fc.pre(!wellFormed.test(header));
      assert.throws(() => parseGrpcTimeout(header), INVALID);
    }),
  );
});

test("x-request-timeout-ms takes whole milliseconds above 0", () => {
  assert.equal(parseTimeoutMs("1"), 1);
  assert.equal(parseTimeoutMs("999999999999999"), 999_999_999_999_999);
  for (const header of ["", "0", "-1", "1.5", "1e3", "NaN", "1000000000000000", "9".repeat(400)]) {
    assert.throws(() => parseTimeoutMs(header), INVALID, header);
  }
});

test("the timeout parameter counts microseconds, as number, bigint or text; 0 means none", () => {
  assert.equal(parseTimeoutParameter(1500), 1.5);
  assert.equal(parseTimeoutParameter(1500n), 1.5);
  assert.equal(parseTimeoutParameter("1500"), 1.5);
  assert.equal(parseTimeoutParameter(0), undefined);
  for (const value of [-1, 1.5, Number.NaN, true, "x", "-1", -1n]) {
    assert.throws(() => parseTimeoutParameter(value), INVALID, String(value));
  }
});

test("the smallest timeout wins", () => {
  assert.equal(earliestDeadline(100, [50, undefined, 20]), 120);
  assert.equal(earliestDeadline(100, [undefined, undefined]), undefined);
});

test("a client that leaves when its deadline comes is counted by the deadline, and nobody else is", () => {
  const left = new ServeError("cancelled", "the client cancelled the call", { reason: "client_left" });
  const codeAt = (nowMs: number, deadlineMs: number | undefined, error = left): string =>
    preferDeadline(error, deadlineMs, nowMs).code;
  assert.equal(codeAt(1000, 1000), "deadline_exceeded");
  // Its clock was a little ahead of ours.
  assert.equal(codeAt(995, 1000), "deadline_exceeded");
  assert.equal(codeAt(900, 1000), "cancelled");
  assert.equal(codeAt(1000, undefined), "cancelled");
  assert.equal(codeAt(1000, 1000, new ServeError("unavailable", "full")), "unavailable");
});
