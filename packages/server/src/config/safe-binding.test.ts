import assert from "node:assert/strict";
import { test } from "node:test";
import { ServeError } from "../base/errors.ts";
import { parseHealthAddress } from "./health-address.ts";
import { loadConfig } from "./load-config.ts";
import { checkSafeBinding } from "./safe-binding.ts";

/** The message with which a start with these flags is rejected; undefined: it is not. */
function rejection(...flags: readonly (readonly [string, string])[]): string | undefined {
  const { server } = loadConfig({ env: {}, flags: new Map(flags) });
  try {
    checkSafeBinding(server);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof ServeError);
    return error.message;
  }
}

test("neither the port nor the health port is opened to a network without --insecure", () => {
  assert.equal(rejection(["--health-address", "127.0.0.1:8081"]), undefined);
  assert.match(rejection(["--host", "0.0.0.0"])!, /^--host 0\.0\.0\.0 is reachable/);
  assert.match(rejection(["--health-address", "0.0.0.0:8081"])!, /^--health-address 0\.0\.0\.0 is reachable/);
  assert.match(rejection(["--health-address", "[::]:8081"])!, /^--health-address :: is reachable/);
  assert.equal(rejection(["--health-address", "0.0.0.0:8081"], ["--insecure", "true"]), undefined);
});

test("with a certificate both may be open", () => {
  assert.equal(rejection(["--host", "0.0.0.0"], ["--tls-cert", "a"], ["--tls-key", "b"]), undefined);
  assert.equal(rejection(["--health-address", "[::]:1"], ["--tls-cert", "a"], ["--tls-key", "b"]), undefined);
});

test("load and unload need a long token, or keys", () => {
  const explicit = ["--model-control", "explicit"] as const;
  const keys = ["--api-keys", "keys.json"] as const;
  assert.match(rejection(explicit)!, /explicit needs an admin token of at least 16/);
  assert.match(rejection(explicit, ["--admin-token", "short"])!, /at least 16/);
  assert.equal(rejection(explicit, ["--admin-token", "0123456789abcdef"]), undefined);
  assert.equal(rejection(explicit, keys), undefined);
  assert.match(
    rejection(keys, ["--admin-token", "short"])!,
    /--admin-token: expected a token of at least 16/,
  );
});

test("a health address is a host and a port", () => {
  assert.deepEqual(parseHealthAddress("localhost:65535"), { host: "localhost", port: 65535 });
  assert.deepEqual(parseHealthAddress("[::1]:0"), { host: "::1", port: 0 });
  for (const text of ["8081", ":8081", "::1:8081", "a b:1", "127.0.0.1:", "127.0.0.1:65536", ""]) {
    assert.throws(() => parseHealthAddress(text), /--health-address: expected HOST:PORT/, text);
  }
});
