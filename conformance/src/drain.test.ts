// Tests the built server: how it ends on SIGTERM.
import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, request } from "node:http";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { expectedDigits, MODELS_FOLDER, nestedImage } from "./expected-digits.ts";
import { type ServerProcess, startServerProcess } from "./server-process.ts";

const body = JSON.stringify({ input: nestedImage(expectedDigits().digits[0]!) });

/** A request whose body is held back until `finish`: it is in flight as long as the test wants. */
function heldRequest(server: ServerProcess, agent: Agent): { finish(): Promise<number> } {
  const outgoing = request(`${server.url}/predict/digits`, {
    method: "POST",
    agent,
    headers: { "content-type": "application/json", "content-length": Buffer.byteLength(body) },
  });
  const answered = new Promise<number>((resolve) => {
    outgoing.on("response", (answer) => {
      answer.resume();
      answer.on("end", () => resolve(answer.statusCode ?? 0));
    });
    outgoing.on("error", () => resolve(-1));
  });
  outgoing.write(body.slice(0, 10));
  return {
    finish() {
      outgoing.end(body.slice(10));
      return answered;
    },
  };
}

test("SIGTERM: not ready at once, 50 requests in flight finish, exit 0", async () => {
  const server = await startServerProcess([MODELS_FOLDER, "--drain-delay", "3s"]);
  const agent = new Agent({ maxSockets: 60 });
  const held = Array.from({ length: 50 }, () => heldRequest(server, agent));
  await new Promise((resolve) => setTimeout(resolve, 200));
  const stopped = server.stop("SIGTERM");
  await new Promise((resolve) => setTimeout(resolve, 100));
  const ready = await fetch(`${server.url}/v2/health/ready`);
  const live = await fetch(`${server.url}/v2/health/live`);
  assert.deepEqual([ready.status, live.status], [503, 200]);
  const late = await fetch(`${server.url}/predict/digits`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body,
  });
  assert.equal(late.status, 200, "requests during the drain delay are answered");
  assert.equal(late.headers.get("connection"), "close");
  const statuses = await Promise.all(held.map((one) => one.finish()));
  assert.deepEqual([...new Set(statuses)], [200]);
  const { code } = await stopped;
  assert.equal(code, 0);
  agent.destroy();
});

test("a second SIGTERM ends the process at once", async () => {
  const server = await startServerProcess([MODELS_FOLDER, "--drain-delay", "30s"]);
  const first = server.stop("SIGTERM");
  await new Promise((resolve) => setTimeout(resolve, 100));
  process.kill(server.pid, "SIGTERM");
  const { code, elapsedMs } = await first;
  assert.equal(code, 130);
  assert.ok(elapsedMs < 5000);
});

/** Whether anybody listens. The system says yes at once; while a port closes it may say nothing, and connect again a second later. */
function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const answer = (isListening: boolean): void => {
      clearTimeout(patience);
      probe.destroy();
      resolve(isListening);
    };
    const patience = setTimeout(() => answer(false), 100);
    const probe = connect(port, "127.0.0.1", () => answer(true));
    probe.on("error", () => answer(false));
  });
}

async function ask(socket: Socket): Promise<string> {
  socket.write("GET /v2/health/live HTTP/1.1\r\nhost: sconce\r\n\r\n");
  return String((await once(socket, "data"))[0]);
}

test("requests on connections that were silent when the port closed are answered", async () => {
  const server = await startServerProcess([MODELS_FOLDER]);
  const port = Number(new URL(server.url).port);
  const [silent, keptAlive] = [connect(port, "127.0.0.1"), connect(port, "127.0.0.1")];
  assert.match(await ask(keptAlive), /^HTTP\/1.1 200 /);
  const stopped = server.stop("SIGTERM");
  while (await isOpen(port));
  // Longer than a client on a busy machine needs to find the time to write.
  await new Promise((resolve) => setTimeout(resolve, 150));
  for (const answer of await Promise.all([ask(silent), ask(keptAlive)])) {
    assert.match(answer, /^HTTP\/1.1 200 /);
    assert.match(answer, /connection: close/i);
  }
  const { code } = await stopped;
  assert.equal(code, 0);
});
