import assert from "node:assert/strict";
import { test } from "node:test";
import { cacheStoreAddressOf } from "./cache-store-address.ts";
import { loadConfig } from "./load-config.ts";

const SECRET = "s3cret";

test("an address is read in all its parts, and shown without a user and password", () => {
  assert.equal(cacheStoreAddressOf({ cacheStore: undefined }), undefined);
  assert.deepEqual(cacheStoreAddressOf({ cacheStore: "redis://cache" }), {
    host: "cache",
    port: 6379,
    database: 0,
    isTls: false,
    username: undefined,
    password: undefined,
    shown: "redis://cache:6379/0",
  });
  assert.deepEqual(cacheStoreAddressOf({ cacheStore: `valkeys://a%40b:${SECRET}%25@[::1]:7000/15` }), {
    host: "::1",
    port: 7000,
    database: 15,
    isTls: true,
    username: "a@b",
    password: `${SECRET}%`,
    shown: "rediss://[::1]:7000/15",
  });
});

test("what is no address is rejected without being repeated", () => {
  for (const text of ["localhost", "http://h", "redis:", "redis:///0", "redis://h/a", "redis://h/0/1"]) {
    assert.throws(() => cacheStoreAddressOf({ cacheStore: text }), { reason: "bad_option" }, text);
  }
  for (const text of [`redis://u:${SECRET}@h/x`, `redis://u:${SECRET}%@h`, `redis://u:${SECRET}@h?a=b`]) {
    assert.throws(
      () => cacheStoreAddressOf({ cacheStore: text }),
      (error: Error) => !error.message.includes(SECRET),
    );
  }
});

test("a password among the flags is rejected, for process lists show it; in the environment it is taken", () => {
  const address = `redis://user:${SECRET}@host:6379/1`;
  assert.throws(
    () => loadConfig({ flags: new Map([["--cache-store", address]]) }),
    (error: Error & { reason?: string }) =>
      error.reason === "bad_option" &&
      error.message.includes("--cache-store-password-file") &&
      !error.message.includes(SECRET),
  );
  assert.equal(loadConfig({ env: { SCONCE_CACHE_STORE: address } }).server.cacheStore, address);
  const harmless = "rediss://user@[::1]:6379/1";
  assert.equal(loadConfig({ flags: new Map([["--cache-store", harmless]]) }).server.cacheStore, harmless);
});
