// Tests fast-lane.ts and fast-connection.ts through sockets: what goes over the lane, what is handed over, and that both answer the same.
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { ManualClock } from "../../../base/manual-clock.kit.ts";
import { until } from "../../../base/until.kit.ts";
import { createSlowClientGuard } from "../../../gate/slow-client-guard.ts";
import { identity, type MemoryModel, memoryInference, spec } from "../memory-inference.kit.ts";
import type { RestEdgeOptions } from "../rest-edge.ts";
import { type Listening, listen, raw, statusOf } from "../rest-sockets.kit.ts";

const BODY = '{"inputs":[{"name":"in","shape":[1,2],"datatype":"FP32","data":[1,2]}]}';
const PATH = "/v2/models/echo/infer";
const OPEN: Array<() => void> = [];
const reasons: unknown[] = [];
/** Answers when it is told to. */
const WAITS: MemoryModel = {
  inputs: [spec("in", "FP32")],
  outputs: [spec("out", "FP32")],
  run: ([input], { signal }) =>
    new Promise((resolve, reject) => {
      OPEN.push(() => resolve([{ ...input!, name: "out" }]));
      const handleEvent = (): void => {
        reasons.push(signal.reason);
        reject(signal.reason);
      };
      signal.addEventListener("abort", { handleEvent });
    }),
};
const MODELS = { echo: identity("FP32"), waits: WAITS };

interface Watched extends Listening {
  /** Requests that `node:http` has read. */
  byNode(): number;
}

async function open(options: Partial<RestEdgeOptions> = {}): Promise<Watched> {
  const listening = await listen(memoryInference(MODELS), options);
  let count = 0;
  for (const event of ["request", "checkContinue"]) {
    listening.edge.server.prependListener(event, () => {
      count += 1;
    });
  }
  return { ...listening, byNode: () => count };
}

function request(path: string, body = BODY, headers = ""): string {
  return `POST ${path} HTTP/1.1\r\nHost: a\r\n${headers}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

interface Client {
  readonly socket: Socket;
  text(): string;
  /** Responses that have begun to come. */
  count(): number;
  closed: boolean;
}

function client(port: number): Client {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk.toString("latin1");
  });
  socket.on("error", () => {});
  const self: Client = {
    socket,
    closed: false,
    text: () => text,
    count: () => text.split("HTTP/1.1 200 OK").length - 1,
  };
  socket.on("close", () => {
    self.closed = true;
  });
  return self;
}

/** Without what differs from one response to the next. */
function comparable(text: string): string {
  return text
    .replace(/\r\nServer-Timing: [^\r]*/g, "")
    .replace(/\r\nDate: [^\r]*/g, "\r\nDate:")
    .split("\r\n")
    .sort()
    .join("\n");
}

const TEXTS: readonly (readonly [name: string, text: string])[] = [
  ["an inference", request(PATH, BODY, "Connection: close\r\n")],
  ["an id of the client's", request(PATH, BODY, "X-Request-Id: mine\r\nConnection: close\r\n")],
  ["an unknown model", request("/v2/models/nope/infer", BODY, "Connection: close\r\n")],
  ["a wrong body", request(PATH, "{", "Connection: close\r\n")],
  ["an empty body", request(PATH, "", "Connection: close\r\n")],
  ["a deadline that is no number", request(PATH, BODY, "X-Request-Timeout-Ms: x\r\nConnection: close\r\n")],
  ["a GET", "GET /v2/health/ready HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"],
  ["the page", "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"],
];

for (const [name, text] of TEXTS) {
  test(`both ways give the same response: ${name}`, async () => {
    const [fast, node] = [await open(), await open({ fastLane: false })];
    assert.equal(comparable(await raw(fast.port, text)), comparable(await raw(node.port, text)));
    assert.deepEqual([fast.byNode(), node.byNode()], [0, 1]);
    assert.deepEqual([fast.budget.bytes, fast.budget.requests], [0, 0]);
  });
}

test("a connection that is kept goes on in the lane, and says so", async () => {
  const { port, byNode, budget } = await open();
  const { socket, text, count } = client(port);
  for (let i = 1; i <= 5; i++) {
    socket.write(request(PATH, BODY, `X-Request-Id: id-${i}\r\n`));
    await until(`answer ${i} is here`, () => count() === i && text().endsWith("}"));
  }
  assert.match(text(), /X-Request-Id: id-5\r\n/);
  assert.match(text(), /Connection: keep-alive\r\nKeep-Alive: timeout=65\r\n\r\n/);
  assert.equal(byNode(), 0);
  assert.deepEqual([budget.bytes, budget.requests], [0, 0]);
  socket.destroy();
});

test("a request in two pieces stays in the lane; one that does not go on is handed over, and answered when it does", async () => {
  const clock = new ManualClock();
  const { port, byNode } = await open({ clock, slowClients: createSlowClientGuard(clock) });
  const text = request(PATH);
  const quick = client(port);
  quick.socket.setNoDelay(true);
  quick.socket.write(text.slice(0, -20));
  const slow = client(port);
  slow.socket.write(text.slice(0, -20));
  await until("both have begun", () => clock.pendingTimers > 0);
  await new Promise((resolve) => setTimeout(resolve, 50));
  quick.socket.write(text.slice(-20));
  await until("the quick one is answered", () => quick.count() === 1);
  assert.equal(byNode(), 0);
  clock.advance(1000);
  await until("the slow one is handed over", () => byNode() === 1);
  slow.socket.write(text.slice(-20));
  await until("it is answered", () => slow.count() === 1);
  for (const { socket } of [quick, slow]) socket.destroy();
});

test("what is not of the lane's shape is handed over with every byte, in the middle of a connection as well", async () => {
  const chunked = `POST ${PATH} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`;
  const large = request(PATH, BODY + " ".repeat(100_000));
  const others = [chunked, large, request(`${PATH}?a=b`), request(PATH, BODY, "Expect: 100-continue\r\n")];
  for (const other of others) {
    const { port, byNode } = await open();
    const { socket, text, count } = client(port);
    socket.write(request(PATH));
    await until("the first is answered", () => count() === 1);
    socket.write(other + request(PATH));
    await until("all three are answered", () => count() === 3 && text().endsWith("}"));
    assert.equal(byNode(), 2, other.slice(0, 200));
    socket.destroy();
  }
  const { port } = await open();
  for (const broken of [
    "GET / HTTP/1.1\nHost: a\n\n",
    "nonsense\r\n\r\n",
    "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
  ])
    assert.equal(statusOf(await raw(port, broken)), 400, broken);
});

test("a client that pipelines is handed over, at once or after a response, and answered in order", async () => {
  for (const isWaiting of [false, true]) {
    const { port, byNode } = await open();
    const { socket, text, count } = client(port);
    const ids = Array.from({ length: 300 }, (_, i) => `id-${i}`);
    const rest = ids.slice(1).map((id) => request(PATH, BODY, `X-Request-Id: ${id}\r\n`));
    socket.write(request("/v2/models/waits/infer", BODY, `X-Request-Id: ${ids[0]}\r\n`));
    if (isWaiting) await until("it runs", () => OPEN.length === 1);
    for (const one of rest) socket.write(one);
    await until("it runs", () => OPEN.length === 1);
    OPEN.pop()!();
    await until("all are answered", () => count() === ids.length);
    assert.deepEqual(
      Array.from(text().matchAll(/X-Request-Id: (\S+)/g), ([, id]) => id),
      ids,
    );
    assert.ok(byNode() >= ids.length - 1, `${byNode()} by Node`);
    socket.destroy();
  }
});

test("half a request and FIN behind it is a 400; a whole one is answered", async () => {
  const { port, budget } = await open();
  const half = client(port);
  half.socket.end(request(PATH).slice(0, -5));
  await until("it is answered", () => half.text().startsWith("HTTP/1.1 400"));
  const whole = client(port);
  whole.socket.end(request("/v2/models/waits/infer"));
  await until("it runs", () => OPEN.length === 1);
  OPEN.pop()!();
  await until("it is answered", () => whole.count() === 1 && whole.socket.readableEnded);
  assert.deepEqual([budget.bytes, budget.requests], [0, 0]);
});

test("a client that leaves cancels its request, and gives back what it held", async () => {
  const { port, budget } = await open();
  const { socket } = client(port);
  socket.write(request("/v2/models/waits/infer"));
  await until("it runs", () => OPEN.length === 1);
  assert.equal(budget.requests, 1);
  socket.resetAndDestroy();
  await until("it is cancelled", () => reasons.length === 1 && budget.requests === 0);
  assert.equal((reasons[0] as { readonly code: string }).code, "cancelled");
  OPEN.length = 0;
});

test("closing answers what runs, and closes what is idle", async () => {
  const { port, edge } = await open();
  const [idle, busy] = [client(port), client(port)];
  idle.socket.write(request(PATH));
  busy.socket.write(request("/v2/models/waits/infer"));
  await until("one is answered, one runs", () => idle.count() === 1 && OPEN.length === 1);
  assert.equal(edge.idleCount(), 1);
  edge.setDraining();
  const closed = edge.close();
  await until("the idle one is closed", () => idle.closed || idle.socket.readableEnded);
  OPEN.pop()!();
  await closed;
  await until("the other is answered", () => busy.count() === 1);
  assert.match(busy.text(), /Connection: close/);
  for (const { socket } of [idle, busy]) socket.destroy();
});

test("an idle connection is closed after its time", async () => {
  const clock = new ManualClock();
  const { port } = await open({ clock, slowClients: createSlowClientGuard(clock) });
  const idle = client(port);
  idle.socket.write(request(PATH));
  await until("it is answered", () => idle.count() === 1);
  clock.advance(64_000);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(idle.socket.readableEnded, false);
  clock.advance(2000);
  await until("it is closed", () => idle.closed || idle.socket.readableEnded);
  idle.socket.destroy();
});
