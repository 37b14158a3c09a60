// Tests the connection of a load against Node's own server, which answers in every way that HTTP allows.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { createRestSender } from "./rest-sender.ts";
import type { Sender } from "./sender.ts";

/** For answers that come, and for those that do not. */
const [PATIENCE_MS, TIMEOUT_MS] = [60_000, 200];

interface World {
  readonly sender: Sender;
  readonly bodies: string[];
  readonly connections: () => number;
}

async function world(
  t: TestContext,
  answer: (response: ServerResponse, nth: number) => void,
  timeoutMs = PATIENCE_MS,
): Promise<World> {
  const bodies: string[] = [];
  let connections = 0;
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => {
      bodies.push(body);
      answer(response, bodies.length);
    });
  });
  server.on("connection", () => {
    connections += 1;
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const sender = createRestSender({
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    body: { path: "/p", headers: { "content-type": "application/json" }, bytes: Buffer.from("[1]") },
    timeoutMs,
    accepts: (body) => body.toString() === "right",
  });
  t.after(() => {
    sender.close();
    server.closeAllConnections();
    server.close();
  });
  return { sender, bodies, connections: () => connections };
}

async function outcomes(sender: Sender, count: number): Promise<string[]> {
  const seen: string[] = [];
  for (let i = 0; i < count; i++) seen.push((await sender.send()).outcome);
  return seen;
}

const plain = (response: ServerResponse, status: number, text: string): void => {
  response.writeHead(status, { "content-length": text.length, "server-timing": "compute;dur=1.5" }).end(text);
};

test("one connection serves all requests, and status and body are judged", async (t) => {
  const { sender, bodies, connections } = await world(t, (response, nth) => {
    plain(response, nth === 2 ? 503 : 200, nth === 3 ? "wrong" : "right");
  });
  assert.equal((await sender.send()).serverTiming, "compute;dur=1.5");
  assert.deepEqual(await outcomes(sender, 3), ["503", "unexpected answer", "ok"]);
  assert.deepEqual([bodies.join(), connections()], ["[1],[1],[1],[1]", 1]);
});

test("an answer in pieces, with its head cut", async (t) => {
  const { sender } = await world(t, ({ socket }) => {
    socket?.write("HTTP/1.1 200 OK\r\nContent-Le");
    setTimeout(() => socket?.write("ngth: 5\r\n\r"), 5);
    setTimeout(() => socket?.write("\nri"), 10);
    setTimeout(() => socket?.write("ght"), 15);
  });
  assert.deepEqual(await outcomes(sender, 1), ["ok"]);
});

test("answers without a length, and servers that close the connection", async (t) => {
  const chunked = await world(t, (response) => {
    response.write("ri");
    response.end("ght");
  });
  assert.deepEqual(await outcomes(chunked.sender, 3), ["ok", "ok", "ok"]);
  const closing = await world(t, (response) => {
    response.setHeader("connection", "close");
    plain(response, 200, "right");
  });
  assert.deepEqual(await outcomes(closing.sender, 3), ["ok", "ok", "ok"]);
  assert.equal(closing.connections(), 3);
});

test("no answer, a lost connection and no server are outcomes, and the next request has a new connection", async (t) => {
  const silent = await world(t, () => {}, TIMEOUT_MS);
  assert.deepEqual(await outcomes(silent.sender, 2), ["timeout", "timeout"]);
  assert.equal(silent.connections(), 2);
  const lossy = await world(t, (response, nth) => {
    if (nth === 1) response.socket?.destroy();
    else plain(response, 200, "right");
  });
  assert.deepEqual(await outcomes(lossy.sender, 2), ["connection lost", "ok"]);
  const nobody = createRestSender({
    origin: "http://127.0.0.1:1",
    body: { path: "/", headers: {}, bytes: Buffer.alloc(0) },
    timeoutMs: TIMEOUT_MS,
    accepts: undefined,
  });
  assert.deepEqual(await outcomes(nobody, 2), ["ECONNREFUSED", "ECONNREFUSED"]);
});
