import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { makeCertificate } from "../edge/certificates.kit.ts";
import { createHttpsStore } from "./https-store.ts";
import { parseStoreAddress } from "./store-address.ts";
import { storeError } from "./store-error.ts";

const NEVER = new AbortController().signal;
const CONTENT = Buffer.from("0123456789");

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** Serves ranges as servers do. */
const honest: Answer = ({ headers }, response) => {
  const tag = '"1"';
  response.setHeader("ETag", tag);
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? "") ?? [];
  if (from === undefined || (headers["if-range"] ?? tag) !== tag) {
    response.setHeader("Content-Length", CONTENT.byteLength);
    response.end(CONTENT);
    return;
  }
  const part = CONTENT.subarray(Number(from), to === "" ? undefined : Number(to) + 1);
  const range = `bytes ${from}-${Number(from) + part.byteLength - 1}/${CONTENT.byteLength}`;
  response.writeHead(206, { "Content-Range": range, "Content-Length": part.byteLength });
  response.end(part);
};

async function rig(t: TestContext) {
  const ca = makeCertificate({ name: "CA", isCa: true });
  const { cert, key } = makeCertificate({ name: "localhost", by: ca });
  let answer = honest;
  const server = createServer({ cert, key }, (request, response) => answer(request, response));
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const host = `localhost:${(server.address() as AddressInfo).port}`;
  const open = (path = "/model.pt2", pem: readonly string[] | undefined = [ca.cert.toString()]) => {
    const store = createHttpsStore(parseStoreAddress(`https://${host}${path}`), { ca: pem });
    t.after(() => store.close());
    return store;
  };
  return {
    host,
    open,
    answerWith(next: Answer) {
      answer = next;
    },
  };
}

async function textOf(bytes: AsyncIterable<Buffer>): Promise<string> {
  let text = "";
  for await (const chunk of bytes) text += chunk.toString();
  return text;
}

const says = (words: RegExp) => (error: unknown) => {
  assert.match(storeError(error).message, words);
  return true;
};

test("a file is listed by its first byte, read whole, and read on from where a download was", async (t) => {
  const { open } = await rig(t);
  const store = open();
  const [object] = await store.list(1, NEVER);
  assert.deepEqual(object, { key: "model.pt2", byteLength: 10, stamp: '"1"' });
  const whole = await store.read(object!, { offset: 0, signal: NEVER });
  assert.deepEqual([whole.offset, await textOf(whole.bytes)], [0, "0123456789"]);
  const rest = await store.read(object!, { offset: 4, signal: NEVER });
  assert.deepEqual([rest.offset, await textOf(rest.bytes)], [4, "456789"]);
});

test("a server without ranges, or with a weak ETag, sends all of it again", async (t) => {
  const { open, answerWith } = await rig(t);
  for (const tag of ['"1"', 'W/"1"', undefined]) {
    answerWith((_request, response) => {
      if (tag !== undefined) response.setHeader("ETag", tag);
      response.setHeader("Content-Length", CONTENT.byteLength);
      response.end(CONTENT);
    });
    const store = open();
    const [object] = await store.list(1, NEVER);
    const read = await store.read(object!, { offset: 4, signal: NEVER });
    assert.deepEqual([read.offset, await textOf(read.bytes)], [0, "0123456789"], tag);
  }
});

test("a file that is another by now is not read on", async (t) => {
  const { open } = await rig(t);
  const store = open();
  const stale = { key: "model.pt2", byteLength: 10, stamp: '"0"' };
  await assert.rejects(store.read(stale, { offset: 4, signal: NEVER }), says(/replaced while it was read/));
  const grown = { key: "model.pt2", byteLength: 9, stamp: '"1"' };
  await assert.rejects(store.read(grown, { offset: 4, signal: NEVER }), says(/replaced while it was read/));
});

test("statuses, missing lengths and lies about ranges are refused with what they are", async (t) => {
  const { open, answerWith } = await rig(t);
  for (const [status, words] of [
    [401, /credentials do not let it read/],
    [403, /credentials do not let it read/],
    [404, /nothing under this address/],
    [500, /answers 500/],
    [204, /answers 204/],
  ] as const) {
    answerWith((_request, response) => response.writeHead(status).end());
    await assert.rejects(open().list(1, NEVER), says(words));
  }
  answerWith((_request, response) => {
    response.write("chunked");
    response.end();
  });
  await assert.rejects(open().list(1, NEVER), says(/how large the file is/));
  answerWith((_request, response) => response.writeHead(206, { "Content-Range": "bytes 0-0/*" }).end("0"));
  await assert.rejects(open().list(1, NEVER), says(/how large the file is/));
  answerWith((_request, response) => {
    response.writeHead(206, { ETag: '"1"', "Content-Range": "bytes 2-9/10" }).end("23456789");
  });
  const object = { key: "model.pt2", byteLength: 10, stamp: '"1"' };
  await assert.rejects(open().read(object, { offset: 4, signal: NEVER }), says(/another part of the file/));
});

test("redirects stay on the host and on https, unless a digest says what must come", async (t) => {
  const { host, open, answerWith } = await rig(t);
  const redirectTo =
    (location: string | undefined): Answer =>
    (request, response) => {
      if (request.url === "/real.pt2") honest(request, response);
      else response.writeHead(302, location === undefined ? {} : { Location: location }).end();
    };
  answerWith(redirectTo("/real.pt2"));
  assert.equal((await open().list(1, NEVER))[0]?.byteLength, 10);
  const other = `https://127.0.0.1:${host.split(":")[1]}/real.pt2`;
  for (const [location, words] of [
    [`http://${host}/real.pt2`, /away from https/],
    ["file:///etc/passwd", /away from https/],
    [other, /redirects to another host, 127\.0\.0\.1/],
    ["/model.pt2", /more than 5 times/],
    [undefined, /without saying where/],
  ] as const) {
    answerWith(redirectTo(location));
    await assert.rejects(open().list(1, NEVER), says(words), location);
  }
  answerWith(redirectTo(other));
  const digest = createHash("sha256").update(CONTENT).digest("hex");
  assert.equal((await open(`/model.pt2#sha256=${digest}`).list(1, NEVER))[0]?.byteLength, 10);
});

test("a certificate of a CA that nobody named is not trusted, and the message says which option", async (t) => {
  const { open } = await rig(t);
  const store = open("/model.pt2?sig=secret", [
    makeCertificate({ name: "other", isCa: true }).cert.toString(),
  ]);
  await assert.rejects(store.list(1, NEVER), (error) => {
    const { message, reason } = storeError(error);
    assert.match(message, /certificate is not trusted .* --store-ca/);
    assert.equal(reason, "store_refused");
    assert.doesNotMatch(message, /secret/);
    return true;
  });
});

test("a server that is gone may come back", async (t) => {
  const { open } = await rig(t);
  const store = createHttpsStore(parseStoreAddress("https://127.0.0.1:1/model.pt2"), { ca: undefined });
  t.after(() => store.close());
  await assert.rejects(store.list(1, NEVER), (error) => storeError(error).reason === "store_unavailable");
  assert.ok(open);
});
