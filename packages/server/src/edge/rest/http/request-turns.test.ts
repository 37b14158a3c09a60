import assert from "node:assert/strict";
import { createServer } from "node:http";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { until } from "../../../base/until.kit.ts";
import { createRequestTurns, REQUESTS_PER_TURN } from "./request-turns.ts";

/** A connection whose client sends what the test says, and takes nothing until it says so. */
class HeldClient extends Duplex {
  sent = "";
  #release: (() => void) | undefined;
  #isTaking = false;

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.sent += chunk.toString("latin1");
    if (this.#isTaking) done();
    else this.#release = done;
  }

  takeAll(): void {
    this.#isTaking = true;
    this.#release?.();
  }
}

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
/** Enough for Node to say that the client must take some first. */
const BODY = "b".repeat(100_000);

test("requests wait on a connection that Node has paused because its client takes nothing: it goes on when the client does, and nothing ends the server", async () => {
  const turns = createRequestTurns();
  const count = 2 * REQUESTS_PER_TURN;
  const client = new HeldClient();
  let handled = 0;
  const server = createServer((request, response) => {
    const run = (): void => {
      handled += 1;
      response.end(BODY);
      // As TLS does, which lets through what it has decrypted when something is written: Node asserts that nothing is read of a connection
      // that it has paused, and that would end the process.
      if (handled === count) client.push(GET.repeat(count));
    };
    const { socket } = request;
    if (turns.mayRun(socket)) run();
    else turns.defer(socket, { response, run });
  });
  server.emit("connection", client);
  client.push(GET.repeat(count));
  await until("all of the first read are handled", () => handled === count);
  for (let turn = 0; turn < 10; turn++) await nextTurn();
  assert.equal(handled, count, "nothing more is read of it");
  client.takeAll();
  await until("all are answered", () => client.sent.split(BODY).length - 1 === 2 * count);
  client.destroy();
  server.close();
});
