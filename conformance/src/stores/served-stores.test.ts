// Tests the built server with models behind a URL: what a store does never hurts what serves.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type ServerProcess, startServerProcess } from "../server-process.ts";
import { until } from "../until.kit.ts";
import { type FileServer, type Mood, multiplier, startFileServer } from "./file-server.kit.ts";

const CLIENTS = 3;
const BODY = JSON.stringify({ inputs: [{ name: "x", datatype: "FP32", shape: [1, 1], data: [1] }] });
const SIGNATURE = "canary-of-a-signed-url";

interface Rig {
  readonly store: FileServer;
  serve(flags?: readonly string[], until?: "ready" | "listening"): Promise<ServerProcess>;
}

async function rig(t: TestContext): Promise<Rig> {
  const cache = mkdtempSync(join(tmpdir(), "sconce-store-cache-"));
  const store = await startFileServer();
  const servers: ServerProcess[] = [];
  t.after(async () => {
    store.close();
    for (const server of servers) await server.stop("SIGKILL");
    rmSync(cache, { recursive: true });
  });
  return {
    store,
    async serve(flags = [], until = "ready") {
      const address = `factor=${store.url}?sig=${SIGNATURE}`;
      const options = ["--store-ca", store.caPath, "--store-cache", cache, ...flags];
      const server = await startServerProcess([address, ...options], { until });
      servers.push(server);
      return server;
    },
  };
}

const POLL = ["--model-control", "poll", "--poll-interval", "100ms"];

async function answerOf({ url }: ServerProcess): Promise<number> {
  const response = await fetch(`${url}/v2/models/factor/infer`, { method: "POST", body: BODY });
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return (JSON.parse(text) as { readonly outputs: readonly [{ readonly data: readonly [number] }] })
    .outputs[0].data[0];
}

async function indexOf({ url }: ServerProcess): Promise<string> {
  return await (await fetch(`${url}/v2/repository/index`, { method: "POST" })).text();
}

test("new contents take over under load, and no mood of the store costs a request", {
  timeout: 300_000,
}, async (t) => {
  const { store, serve } = await rig(t);
  const server = await serve([...POLL, "--store-timeout", "200ms"]);
  let newest = 0;
  let answers = 0;
  let isRunning = true;
  const client = async (): Promise<void> => {
    let last = 0;
    while (isRunning) {
      const factor = await answerOf(server);
      assert.ok(factor >= last, `${factor} after ${last}`);
      last = factor;
      newest = Math.max(newest, factor);
      answers += 1;
      // Load enough to notice, and no core for it.
      await delay(5);
    }
  };
  const clients = Array.from({ length: CLIENTS }, client);
  const meanwhile = (what: string, isSo: () => boolean | Promise<boolean>): Promise<unknown> =>
    Promise.race([until(what, isSo), Promise.all(clients)]);
  const moods: readonly (readonly [Mood, RegExp])[] = [
    ["down", /cannot be read: it answers 503/],
    ["cut", /cannot be read: the connection was cut|cannot be read: aborted/],
    ["half", /cannot be read: nothing came for too long/],
    ["forbidden", /cannot be read: it answers 403/],
    ["elsewhere", /cannot be read: it redirects to another host, 127\.0\.0\.1/],
    ["plain-http", /cannot be read: it redirects away from https/],
  ];
  let factor = 1;
  for (const [mood, words] of moods) {
    factor += 1;
    store.mood = mood;
    store.content = multiplier(factor);
    await meanwhile(`${mood} shows`, async () => words.test(await indexOf(server)));
    assert.match(await indexOf(server), /"state":"READY","reason":"the copy of 2\d{3}-[^"]+ serves: https:/);
    assert.match(
      await (await fetch(`${server.url}/metrics`)).text(),
      /sconce_store_up\{store="https:[^"]+"\} 0/,
    );
    assert.equal(newest, factor - 1, "the copy of before serves");
    store.mood = "honest";
    await meanwhile(`${factor} answers`, () => newest === factor);
    await meanwhile("all is well again", async () =>
      /"state":"READY","reason":""/.test(await indexOf(server)),
    );
  }
  isRunning = false;
  await Promise.all(clients);
  assert.ok(answers > 0);
  const everything =
    server.output() + (await indexOf(server)) + (await (await fetch(`${server.url}/metrics`)).text());
  assert.doesNotMatch(everything, new RegExp(SIGNATURE));
});

test("a start without a store and a copy says why, and serves as soon as it can", {
  timeout: 300_000,
}, async (t) => {
  const { store, serve } = await rig(t);
  store.mood = "down";
  const server = await serve([], "listening");
  await until("the reason is in the index", async () =>
    /"name":"factor".*"UNAVAILABLE".*cannot be read: it answers 503; it is tried again/.test(
      await indexOf(server),
    ),
  );
  assert.equal((await fetch(`${server.url}/v2/health/ready`)).status, 503);
  store.mood = "honest";
  await until("it is ready", async () => (await fetch(`${server.url}/v2/health/ready`)).ok);
  assert.equal(await answerOf(server), 1);
});

test("a server that is killed in a download reads on, and starts from its copy when the store is gone", {
  timeout: 300_000,
}, async (t) => {
  const { store, serve } = await rig(t);
  store.content = multiplier(1000);
  store.mood = "half";
  const first = await serve([], "listening");
  await until("half of it came", async () =>
    new RegExp(`sconce_store_bytes_total\\{[^}]+\\} ${store.content.byteLength >> 1}\n`).test(
      await (await fetch(`${first.url}/metrics`)).text(),
    ),
  );
  await first.stop("SIGKILL");
  store.mood = "honest";
  const second = await serve();
  assert.equal(await answerOf(second), 1000);
  assert.deepEqual(store.reads, [undefined, `bytes=${store.content.byteLength >> 1}-`]);
  await second.stop();
  store.mood = "down";
  const third = await serve();
  assert.equal(await answerOf(third), 1000);
  assert.match(await indexOf(third), /the copy of .* serves: .*it answers 503/);
});

test("a file of another digest than its address says is not served", { timeout: 300_000 }, async (t) => {
  const { store, serve } = await rig(t);
  const right = multiplier(7);
  const digest = createHash("sha256").update(right).digest("hex");
  const other = `pinned=${store.url}#sha256=${digest}`;
  const server = await serve([other, ...POLL], "listening");
  const pinned = async (): Promise<string> =>
    /\{"name":"pinned"[^}]*\}/.exec(await indexOf(server))?.[0] ?? "";
  await until("it is refused", async () =>
    /UNAVAILABLE.*model.onnx has the SHA-256 [0-9a-f]{64}, and [0-9a-f]{64} was expected/.test(
      await pinned(),
    ),
  );
  await until("the same file without a digest serves", async () =>
    /"name":"factor"[^}]*"READY"/.test(await indexOf(server)),
  );
  store.content = right;
  await until("it serves", async () => /READY/.test(await pinned()));
});

test("a new file that is not what its model.yaml says does not take over", {
  timeout: 300_000,
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sconce-digest-"));
  const put = (name: string, content: string | Buffer): void => {
    writeFileSync(join(folder, ".new"), content);
    renameSync(join(folder, ".new"), join(folder, name));
  };
  const sha256 = (content: Buffer): string => createHash("sha256").update(content).digest("hex");
  put("model.onnx", multiplier(1));
  put("model.yaml", `sha256: ${sha256(multiplier(1))}\n`);
  const server = await startServerProcess([`factor=${folder}`, ...POLL]);
  t.after(async () => {
    await server.stop("SIGKILL");
    rmSync(folder, { recursive: true });
  });
  put("model.onnx", multiplier(2));
  await until("it is refused", async () =>
    /"READY","reason":"the version in memory goes on serving; .*model.onnx has the SHA-256/.test(
      await indexOf(server),
    ),
  );
  assert.equal(await answerOf(server), 1);
  put("model.yaml", `sha256: ${sha256(multiplier(2))}\n`);
  await until("it takes over", async () => (await answerOf(server)) === 2);
});
