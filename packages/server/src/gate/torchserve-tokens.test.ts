import assert from "node:assert/strict";
import { test } from "node:test";
import { createApiKeys, makeKey } from "./api-keys.ts";
import {
  holdsApiKey,
  joinKeys,
  makeTokens,
  parseTokens,
  tokenKeys,
  tokensText,
} from "./torchserve-tokens.ts";

const MAKERS = { nowMs: Date.UTC(2026, 0, 1), expirationMs: 60_000 };
/** As the real one writes it. */
const REAL = `{
  "management": { "key": "4XU8qvED", "expiration time": "2026-11-30T15:31:04.934539498Z" },
  "inference": { "key": "1MPC-Jq2", "expiration time": "2026-11-30T15:31:04.934528030Z" },
  "API": { "key": "8kDB7A0W" }
}`;

test("what is written is read again", () => {
  const made = makeTokens(undefined, [], MAKERS);
  assert.deepEqual(parseTokens(tokensText(made)), made);
  assert.equal(new Set([made.management.key, made.inference.key, made.api]).size, 3);
  assert.equal(made.inference.expiresAtMs, MAKERS.nowMs + 60_000);
});

test("TorchServe's own file is read, and each token is for its own API", () => {
  const file = parseTokens(REAL);
  const keys = tokenKeys(file);
  assert.deepEqual([...keys.find("4XU8qvED")!.scopes], ["admin"]);
  assert.deepEqual([...keys.find("1MPC-Jq2")!.scopes], ["infer"]);
  assert.equal(keys.find("1MPC-Jq2")!.expiresAtMs, Date.parse("2026-11-30T15:31:04.934Z"));
  for (const other of ["8kDB7A0W", "", "1MPC-Jq", "1MPC-Jq20"]) assert.equal(keys.find(other), undefined);
  assert.ok(holdsApiKey(file, "Bearer 8kDB7A0W"));
  for (const other of [undefined, "", "bearer 8kDB7A0W", "Bearer 1MPC-Jq2", "8kDB7A0W"])
    assert.ok(!holdsApiKey(file, other), other);
});

test("one token is renewed, and the others stay", () => {
  const before = parseTokens(REAL);
  const after = makeTokens(before, ["inference"], MAKERS);
  assert.deepEqual([after.management, after.api], [before.management, before.api]);
  assert.notEqual(after.inference.key, before.inference.key);
});

test("Sconce's own keys are right beside them", () => {
  const wishes = { name: "ci", models: ["*"], scopes: ["infer"], created: "" } as const;
  const { key, record } = makeKey(wishes);
  const keys = joinKeys(createApiKeys([record]), tokenKeys(parseTokens(REAL)));
  assert.deepEqual(
    [keys.find(key)?.name, keys.find("4XU8qvED")?.name],
    ["key ci", "TorchServe's management token"],
  );
  assert.equal(keys.callers.length, 3);
});

test("what is no such file is refused without a word of what it holds", () => {
  for (const text of [
    "",
    "[]",
    "{}",
    '{"management": 1}',
    REAL.replace("4XU8qvED", "short"),
    REAL.replace(/"2026[^"]*"/, '"soon"'),
    REAL.replace("API", "api"),
    // One key must not be two things.
    REAL.replace("1MPC-Jq2", "4XU8qvED"),
    REAL.replace("8kDB7A0W", "1MPC-Jq2"),
    REAL.replace("8kDB7A0W", "4XU8qvED"),
  ]) {
    assert.throws(
      () => parseTokens(text),
      (error: Error & { reason?: string }) => {
        assert.equal(error.reason, "bad_key_file");
        assert.doesNotMatch(error.message, /4XU8qvED|1MPC|8kDB7A0W|short/);
        return true;
      },
    );
  }
});
