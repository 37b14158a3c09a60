// Tests how the built server is let into a real Redis: TLS, an ACL user, and secrets that show nowhere.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { childrenOf } from "../chaos/process-facts.ts";
import { expectedDigits, MODELS_FOLDER, nestedImage } from "../expected-digits.ts";
import { examineStores } from "../internals/cache-store.ts";
import { makeCertificate } from "../internals/security.ts";
import { programOrReason } from "../program.ts";
import { type ServerProcess, startServerProcess } from "../server-process.ts";
import { until } from "../until.kit.ts";
import { type RedisServer, startRedis } from "./redis-server.ts";

const { path, skip } = programOrReason("redis-server");
const PASSWORD = "canary-7f3a9c";
const SECRET = `canary-secret-${"5".repeat(32)}`;
/** The line of docs/operations.md. */
const ACL = /^user sconce .*$/m.exec(
  readFileSync(new URL("../../../docs/operations.md", import.meta.url), "utf8"),
)![0];
const images = expectedDigits().digits.map(nestedImage);

describe("a cache store with TLS and a user", { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), "sconce-admission-"));
  const file = (name: string, content: string | Uint8Array): string => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  let redis: RedisServer;
  let server: ServerProcess;
  let next = 0;

  before(async () => {
    const ca = makeCertificate({ name: "localhost" });
    const [cert, key] = [file("store.crt", ca.cert), file("store.key", ca.key)];
    const acl = file("users.acl", `user default off\n${ACL.replace("PASSWORD", PASSWORD)}\n`);
    redis = await startRedis(
      path!,
      [
        ...["--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert],
        ...["--tls-auth-clients", "yes", "--aclfile", acl],
      ],
      (port) => ["--port", "0", "--tls-port", String(port)],
    );
    server = await startServerProcess([
      ...[`${MODELS_FOLDER}/digits.pt2`, "--cache", "1MiB", "--cache-store-ca", cert],
      ...["--cache-store", `rediss://sconce@localhost:${redis.port}/3`],
      ...["--cache-store-cert", cert, "--cache-store-key", key],
      ...["--cache-store-password-file", file("password", `${PASSWORD}\n`)],
      ...["--cache-store-secret-file", file("secret", SECRET)],
    ]);
  });
  after(async () => {
    await server?.stop();
    await redis?.kill();
    rmSync(folder, { recursive: true, force: true });
  });

  test("sconce doctor is let in as the server is, and says what it found", async () => {
    const own = join(folder, "store.crt");
    const stranger = {
      cacheStore: `rediss://sconce@localhost:${redis.port}/3`,
      cacheStoreCa: own,
      cacheStoreCert: undefined,
      cacheStoreKey: undefined,
      cacheStorePasswordFile: undefined,
      cacheStoreSecretFile: undefined,
      cacheStoreTimeoutMs: 60_000,
      storeCa: undefined,
    };
    const known = { ...stranger, cacheStoreCert: own, cacheStoreKey: join(folder, "store.key") };
    const user = { ...known, cacheStorePasswordFile: join(folder, "password") };
    const [asUser, asKnown, asStranger] = await Promise.all(
      [user, known, stranger].map(async (options) => (await examineStores([], options))[0]!),
    );
    assert.equal(asUser!.what, "cache store");
    assert.match(asUser!.found, /^rediss:\/\/localhost:\d+\/3: answers after [\d.]+ ms$/);
    assert.equal(asUser!.lacks, undefined);
    assert.match(asKnown!.lacks!, /NOAUTH/);
    assert.match(asStranger!.found, /^rediss:\/\/localhost:\d+\/3 cannot be used$/);
    assert.ok(!JSON.stringify([asUser, asKnown, asStranger]).includes(PASSWORD));
  });

  const ask = async (): Promise<void> => {
    const input = images[next++ % images.length];
    const body = JSON.stringify({ input });
    const headers = { "content-type": "application/json" };
    const response = await fetch(`${server.url}/predict/digits`, { method: "POST", headers, body });
    assert.equal(response.status, 200, await response.text());
  };
  const metrics = async (): Promise<string> => (await fetch(`${server.url}/metrics`)).text();
  const isUsed = async (): Promise<boolean> =>
    (await metrics()).includes('sconce_cache_store_state{state="closed"} 1');

  test("is used with the rights of the page, and the password is in no argument, log, metric or worker", async () => {
    await until("the store is used", isUsed);
    await until("answers are shared", async () => {
      await ask();
      return /store_lookups_total\{[^}]*result="miss"\} [1-9]/.test(await metrics());
    });
    assert.match(await metrics(), /sconce_cache_store_failures_total\{reason="write_refused"\} 0/);
    const seen = [server.output(), await metrics()];
    const workers = childrenOf(server.pid);
    assert.ok(workers.length > 0);
    for (const pid of [server.pid, ...workers]) seen.push(readFileSync(`/proc/${pid}/cmdline`, "latin1"));
    for (const pid of workers) seen.push(readFileSync(`/proc/${pid}/environ`, "latin1"));
    assert.doesNotMatch(seen.join("\n"), /canary/);
  });

  test("that does not let it in any more costs no request, and the log says why without the password", async () => {
    writeFileSync(join(folder, "password"), `${PASSWORD}-old`);
    await redis.restart();
    await until("the log says why", () => /WRONGPASS|left alone/.test(server.output()));
    await ask();
    await until("a new connection was refused", async () =>
      /failures_total\{reason="probe"\} [1-9]/.test(await metrics()),
    );
    await ask();
    assert.doesNotMatch(server.output(), /canary/);
    // The password is read anew.
    writeFileSync(join(folder, "password"), PASSWORD);
    await until("the store is used again", isUsed);
    await ask();
  });
});
