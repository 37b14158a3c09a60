import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { after, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { systemClock } from "../../../base/clock.ts";
import { until } from "../../../base/until.kit.ts";
import { DEFAULT_REST_LIMITS } from "../../rest-limits.ts";
import { createHttpServer, type HttpServer } from "./http-server.ts";

const ANSWER_BYTES = 32 * 1024 * 1024;
const REQUEST = "GET / HTTP/1.1\r\nhost: sconce\r\n\r\n";

/** A server that answers every request with 32 MiB, and a client that has not sent anything yet. */
async function connected(): Promise<{ readonly http: HttpServer; readonly client: Socket }> {
  const body = Buffer.alloc(ANSWER_BYTES);
  const http = createHttpServer(DEFAULT_REST_LIMITS, systemClock, {
    open: (_request, response) => ({ response, end() {} }),
    run({ response }) {
      response.writeHead(200, { "content-length": ANSWER_BYTES, connection: "close" });
      response.end(body);
    },
  });
  const listener = createServer({ allowHalfOpen: true }, (socket) => http.server.emit("connection", socket));
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  after(() => {
    http.destroy();
    listener.close();
  });
  const client = connect((listener.address() as AddressInfo).port, "127.0.0.1");
  await Promise.all([once(client, "connect"), once(listener, "connection")]);
  return { http, client };
}

async function bytesOf(client: Socket): Promise<number> {
  let bytes = 0;
  client.on("data", (chunk) => {
    bytes += chunk.length;
  });
  client.on("error", () => {});
  client.resume();
  await once(client, "close");
  return bytes;
}

test("close() lets a slow reader have all of a response that has been written", async () => {
  const { http, client } = await connected();
  client.pause();
  client.write(REQUEST);
  const [, { socket }] = (await once(http.server, "request")) as [IncomingMessage, ServerResponse];
  await until("the response is on its way", () => socket!.bytesWritten > 0);
  const closing = http.close();
  // It looks for connections to close in the turns after this one.
  for (let turn = 0; turn < 20; turn++) await nextTurn();
  assert.ok((await bytesOf(client)) > ANSWER_BYTES);
  await closing;
});

test("close() answers a request that has arrived but was not read yet", async () => {
  const { http, client } = await connected();
  client.write(REQUEST);
  const closing = http.close();
  assert.ok((await bytesOf(client)) > ANSWER_BYTES);
  await closing;
});
