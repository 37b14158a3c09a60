import assert from "node:assert/strict";
import { test } from "node:test";
import { createApiKeys, type KeyRecord, makeKey, parseRate, readKeyFile } from "./api-keys.ts";

const WISHES = { name: "ci", models: ["*"], scopes: ["infer"], created: "2026-11-30T00:00:00Z" } as const;

test("a key opens, whatever is near to it does not", () => {
  const { key, record } = makeKey(WISHES);
  const other = makeKey({ ...WISHES, name: "other" });
  const keys = createApiKeys([record, other.record]);
  assert.equal(keys.find(key)?.name, "key ci");
  assert.equal(keys.find(other.key)?.tenant, "key:other");
  const mixed = key.slice(0, 20) + other.key.slice(20);
  for (const wrong of [
    "",
    key.slice(0, -1),
    `${key}A`,
    mixed,
    key.toUpperCase(),
    `sconce_${record.id}_`,
    record.sha256,
  ]) {
    assert.equal(keys.find(wrong), undefined, wrong);
  }
});

test("what is kept of a key does not hold it, and is read as it was written", () => {
  const { key, record } = makeKey({ ...WISHES, rate: "100/s", expires: "2027-01-01T00:00:00Z" });
  const text = JSON.stringify({ keys: [record] });
  assert.ok(!text.includes(key.slice(-43)));
  const [caller] = createApiKeys(readKeyFile(text)).callers;
  assert.deepEqual(caller?.rate, { perSecond: 100, burst: 100 });
  assert.equal(caller?.expiresAtMs, Date.UTC(2027, 0, 1));
  assert.equal(new Set(Array.from({ length: 50 }, () => makeKey(WISHES).key)).size, 50);
});

test("a file that is not right is refused with the place, and without what it holds", () => {
  const { record } = makeKey(WISHES);
  const entry = (change: object): string => JSON.stringify({ keys: [{ ...record, ...change }] });
  const cases: readonly (readonly [string, RegExp])[] = [
    ["", /not JSON/],
    ["[]", /expected \{"keys"/],
    ['{"keys": [7]}', /keys\[0\]\.scopes/],
    [entry({ sha256: "CANARY" }), /keys\[0\]\.sha256/],
    [entry({ id: "../x" }), /keys\[0\]\.id/],
    [entry({ scopes: ["root"] }), /known are infer, metrics, admin/],
    [entry({ models: [] }), /keys\[0\]\.models/],
    [entry({ name: "a b" }), /keys\[0\]\.name/],
  ];
  for (const [text, words] of cases) {
    assert.throws(
      () => readKeyFile(text),
      (error: Error) => {
        assert.match(error.message, words);
        assert.doesNotMatch(error.message, /CANARY/);
        return true;
      },
    );
  }
  for (const records of [
    [record, record],
    [record, { ...makeKey(WISHES).record }],
    [{ ...record, rate: "fast" }],
    [{ ...record, expires: "soon" }],
  ] as KeyRecord[][]) {
    assert.throws(() => createApiKeys(records), { reason: "bad_key_file" });
  }
});

test("a rate is so many requests per unit of time", () => {
  assert.deepEqual(parseRate("6000/m"), { perSecond: 100, burst: 100 });
  assert.deepEqual(parseRate("0.5/s"), { perSecond: 0.5, burst: 10 });
  for (const wrong of ["", "0/s", "100", "100/d", "-1/s", "1e9/s"])
    assert.throws(() => parseRate(wrong), wrong);
});
