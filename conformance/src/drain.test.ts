// Tests the built server: how it ends on SIGTERM.
import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent } from "node:http";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { MODELS_FOLDER } from "./expected-digits.ts";
import { HELD_BODY, heldRequest } from "./held-request.kit.ts";
import { type ServerProcess, startServerProcess } from "./server-process.ts";
import { until } from "./until.kit.ts";

/** Longer than a busy machine needs to ask three questions. */
const DRAIN_DELAY = "8s";

test("SIGTERM: not ready at once, 50 requests in flight finish, exit 0", async () => {
  const server = await startServerProcess([MODELS_FOLDER, "--drain-delay", DRAIN_DELAY]);
  const agent = new Agent({ maxSockets: 60 });
  const held = await Promise.all(Array.from({ length: 50 }, () => heldRequest(server.url, agent)));
  const stopped = server.stop("SIGTERM");
  await until("the server says that it drains", () => server.output().includes("draining: not ready"));
  const [ready, live] = await Promise.all(
    ["ready", "live"].map((what) => fetch(`${server.url}/v2/health/${what}`)),
  );
  assert.deepEqual([ready!.status, live!.status], [503, 200], "readiness and liveness");
  const late = await fetch(`${server.url}/predict/digits`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: HELD_BODY,
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
  const server = await startServerProcess([MODELS_FOLDER, "--drain-delay", "10m"]);
  const first = server.stop("SIGTERM");
  await until("the server says that it drains", () => server.output().includes("draining: not ready"));
  // One that follows within half a second may be the same one, sent twice by a terminal.
  const again = setInterval(() => process.kill(server.pid, "SIGTERM"), 200);
  const { code } = await first.finally(() => clearInterval(again));
  assert.equal(code, 143, "the exit code: 128 and SIGTERM's number");
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
  socket.write("GET /v2/health/live HTTP/1.1\r\nhost: localhost\r\n\r\n");
  const closed = once(socket, "close").then(() => ["the connection was closed without an answer"]);
  return String((await Promise.race([once(socket, "data"), closed]))[0]);
}

/** How long the server waits for silent connections, less what a system needs to hand a request over. */
const LINGER_MS = 400;
const MOST_ROUNDS = 10;

/** What two silent connections are answered after the port closed, and how long they may have been silent. */
async function askLate(): Promise<{ readonly answers: readonly string[]; readonly silentMs: number }> {
  const server = await startServerProcess([MODELS_FOLDER]);
  let stopped: ReturnType<ServerProcess["stop"]> | undefined;
  try {
    const port = Number(new URL(server.url).port);
    const [silent, keptAlive] = [connect(port, "127.0.0.1"), connect(port, "127.0.0.1")];
    assert.match(await ask(keptAlive), /^HTTP\/1.1 200 /);
    stopped = server.stop("SIGTERM");
    await until("the server says that it drains", () => server.output().includes("draining: not ready"));
    let openMs = performance.now();
    while (await isOpen(port)) openMs = performance.now();
    const asked = Promise.all([silent, keptAlive].map((socket) => ask(socket).catch(String)));
    const silentMs = performance.now() - openMs;
    return { answers: await asked, silentMs };
  } finally {
    assert.equal((await (stopped ?? server.stop())).code, 0, "the exit code");
  }
}

test("requests on connections that were silent when the port closed are answered", async () => {
  for (let round = 1; ; round++) {
    const { answers, silentMs } = await askLate();
    // These clients were too slow themselves: that says nothing about the server.
    if (silentMs > LINGER_MS && round < MOST_ROUNDS) continue;
    for (const answer of answers) {
      assert.match(answer, /^HTTP\/1.1 200 /, `after ${silentMs} ms`);
      assert.match(answer, /connection: close/i);
    }
    return;
  }
});
