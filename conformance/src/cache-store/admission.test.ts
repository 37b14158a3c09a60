// Tests how the built server is let into a real Redis: TLS, an ACL user, and secrets that show nowhere.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { childrenOf } from "../chaos/process-facts.ts";
import { expectedDigits, MODELS_FOLDER, nestedImage } from "../expected-digits.ts";
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
