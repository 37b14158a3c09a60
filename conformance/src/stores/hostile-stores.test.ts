// Tests what stores can do to a server that reads them: answers without an end, which the packages that speak with stores would gather.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";
import { openStore, parseStoreAddress, storeError } from "../internals/stores.ts";

const NEVER = new AbortController().signal;
const MIB = 1024 * 1024;
/** What the limit lets through, and what lies in sockets beside it, three tries over. */
const MOST_SENT = 64 * MIB;

let status = 200;
let chunk = Buffer.alloc(0);
let sentBytes = 0;
const server = createServer((_, response) => {
  response.writeHead(status, { "Content-Type": chunk[0] === 0x3c ? "application/xml" : "application/json" });
  pour(response);
}).listen(0, "127.0.0.1");
await once(server, "listening");
after(() => {
  server.closeAllConnections();
  server.close();
});
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
Object.assign(process.env, {
  AWS_ENDPOINT_URL: url,
  AWS_REGION: "us-east-1",
  AWS_ACCESS_KEY_ID: "tester",
  AWS_SECRET_ACCESS_KEY: "none",
  STORAGE_EMULATOR_HOST: url,
  GOOGLE_CLOUD_PROJECT: "tests",
});

/** Sends for as long as the other side takes it. */
function pour(response: ServerResponse): void {
  while (!response.destroyed && response.write(chunk)) sentBytes += chunk.length;
  if (!response.destroyed) response.once("drain", () => pour(response));
}

const XML = Buffer.from("<ListBucketResult><Contents><Key>k</Key>".repeat(1600));
const JSON_TEXT = Buffer.from('{"items":[{"name":"'.padEnd(65_536, "["));
const OBJECT = { key: "model.onnx", byteLength: 10, stamp: "1" };

for (const [scheme, bytes] of [
  ["s3", XML],
  ["gs", JSON_TEXT],
] as const) {
  const open = async () =>
    openStore(parseStoreAddress(`${scheme}://models/prod`), { ca: undefined, idleMs: 60_000 });

  test(`${scheme}: a list without an end is given up at a limit`, { timeout: 120_000 }, async () => {
    [status, chunk, sentBytes] = [200, bytes, 0];
    const store = await open();
    await assert.rejects(store.list(10, NEVER), ({ message }) =>
      /^it answers with more than \d+ bytes/.test(message),
    );
    assert.ok(sentBytes < MOST_SENT, `${sentBytes}`);
    store.close();
  });

  test(`${scheme}: what is said with an error is not read without an end`, { timeout: 120_000 }, async () => {
    [status, chunk, sentBytes] = [403, bytes, 0];
    const store = await open();
    for (const ask of [() => store.list(10, NEVER), () => store.read(OBJECT, { offset: 0, signal: NEVER })])
      await assert.rejects(ask(), (error) => /^it answers (403|with more)/.test(storeError(error).message));
    assert.ok(sentBytes < MOST_SENT, `${sentBytes}`);
    store.close();
  });
}
