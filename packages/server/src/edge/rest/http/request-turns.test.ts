import assert from "node:assert/strict";
import { createServer } from "node:http";
import { Duplex } from "node:stream";
import { type TestContext, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { until } from "../../../base/until.kit.ts";
import { createRequestTurns, REQUESTS_PER_TURN, type RequestTurns } from "./request-turns.ts";

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

interface Served {
  readonly client: HeldClient;
  readonly turns: RequestTurns;
  handled(): number;
}

/** A connection whose every request is answered with so many bytes. `onHandled`: told how many were. */
function serve(t: TestContext, onHandled: (count: number, client: HeldClient) => void = () => {}): Served {
  const turns = createRequestTurns();
  const client = new HeldClient();
  let handled = 0;
  const server = createServer((request, response) => {
    const run = (): void => {
      handled += 1;
      response.end(BODY);
      onHandled(handled, client);
    };
    const { socket } = request;
    if (turns.mayRun(socket)) run();
    else turns.defer(socket, { response, run });
  });
  server.emit("connection", client);
  t.after(() => {
    client.destroy();
    server.close();
  });
  return { client, turns, handled: () => handled };
}

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
/** Enough for Node to say that the client must take some first. */
const BODY = "b".repeat(100_000);

const COUNT = 2 * REQUESTS_PER_TURN;

test("requests wait on a connection that Node has paused because its client takes nothing: it goes on when the client does, and nothing ends the server", async (t) => {
  const { client, handled } = serve(t, (count, own) => {
    // As TLS does, which lets through what it has decrypted when something is written: Node asserts that nothing is read of a connection
    // that it has paused, and that would end the process.
    if (count === COUNT) own.push(GET.repeat(COUNT));
  });
  client.push(GET.repeat(COUNT));
  await until("all of the first read are handled", () => handled() === COUNT);
  for (let turn = 0; turn < 10; turn++) await nextTurn();
  assert.equal(handled(), COUNT, "nothing more is read of it");
  client.takeAll();
  await until("all are answered", () => client.sent.split(BODY).length - 1 === 2 * COUNT);
});

test("a client that leaves while its requests wait leaves nothing behind", async (t) => {
  const { client, turns, handled } = serve(t);
  client.push(GET.repeat(1000));
  await until("as many are under way as may be", () => handled() >= 128);
  for (let turn = 0; turn < 10; turn++) await nextTurn();
  assert.equal(turns.waitingConnections, 1);
  const before = handled();
  client.destroy();
  await until("none waits", () => turns.waitingConnections === 0);
  assert.equal(handled(), before, "and none is handled for nobody");
});
