// Tests request-turns.ts and shared-responses.ts through real sockets: one connection that pipelines, beside others.
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import type { InferRequest } from "../../../base/infer-request.ts";
import { createPrometheusMetrics } from "../../../base/prometheus-metrics.ts";
import { until } from "../../../base/until.kit.ts";
import { memoryInference } from "../memory-inference.kit.ts";
import { listen, send } from "../rest-sockets.kit.ts";
import { REQUESTS_PER_TURN } from "./request-turns.ts";

const FLOOD = 20_000;

interface Answers {
  readonly socket: Socket;
  /** How many have begun to come back. */
  count(): number;
  text(): string;
}

/** Sends what it is given at once. */
function pipeline(port: number, requests: string): Answers {
  const socket = connect(port, "127.0.0.1");
  let text = "";
  let begun = 0;
  let looked = 0;
  socket.on("error", () => {});
  socket.on("data", (chunk) => {
    text += chunk.toString("latin1");
  });
  socket.write(requests);
  return {
    socket,
    count() {
      for (let at = text.indexOf("HTTP/1.1 ", looked); at >= 0; at = text.indexOf("HTTP/1.1 ", looked)) {
        begun += 1;
        looked = at + 1;
      }
      return begun;
    },
    text: () => text,
  };
}

/** Calls back in every turn until the returned function is called. */
function everyTurn(callback: () => void): () => void {
  let isOver = false;
  const turn = (): void => {
    if (isOver) return;
    callback();
    setImmediate(turn);
  };
  setImmediate(turn);
  return () => {
    isOver = true;
  };
}

test("20,000 pipelined requests for metrics: others are served between them, and the metrics made a few times", async () => {
  let made = 0;
  const metrics = {
    ...createPrometheusMetrics(),
    render: async () => {
      made += 1;
      return "# metrics\n";
    },
  };
  const { port } = await listen(memoryInference({}), { metrics });
  const startMs = performance.now();
  const flood = pipeline(port, "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n".repeat(FLOOD));
  await until("the flood has begun", () => flood.count() > 0);
  for (let i = 0; i < 10; i++) {
    const live = await send(port, { method: "GET", url: "/v2/health/live" });
    assert.equal(live.status, 200);
  }
  assert.ok(flood.count() < FLOOD, "the others were served between them");
  await until("all are answered", () => flood.count() === FLOOD);
  flood.socket.destroy();
  assert.equal(flood.text().split("HTTP/1.1 200 OK").length - 1, FLOOD);
  const intervals = (performance.now() - startMs) / 50;
  assert.ok(made <= intervals + 2, `made ${made} times in ${intervals} intervals`);
});

/** What Node reads of a connection at once. */
const READ_BYTES = 65_536;

test("a connection gets so many requests handled per turn, in order, and is read no further while some wait", async () => {
  const inference = memoryInference({});
  let inTurn = 0;
  let mostInTurn = 0;
  let waiting = 0;
  let mostWaiting = 0;
  const isLive = (): boolean => {
    inTurn += 1;
    waiting -= 1;
    mostInTurn = Math.max(mostInTurn, inTurn);
    return true;
  };
  const { port, edge } = await listen({ ...inference, isLive });
  edge.server.prependListener("request", () => {
    waiting += 1;
    mostWaiting = Math.max(mostWaiting, waiting);
  });
  const stop = everyTurn(() => {
    inTurn = 0;
  });
  const ids = Array.from({ length: FLOOD }, (_, i) => `id-${10_000 + i}`);
  const requests = ids.map((id) => `GET /v2/health/live HTTP/1.1\r\nHost: a\r\nX-Request-Id: ${id}\r\n\r\n`);
  const flood = pipeline(port, requests.join(""));
  await until("all are answered", () => flood.count() === ids.length);
  stop();
  flood.socket.destroy();
  assert.deepEqual(
    Array.from(flood.text().matchAll(/x-request-id: (\S+)/gi), ([, id]) => id),
    ids,
  );
  // The server's turn and the test's may begin one immediate apart.
  assert.ok(mostInTurn <= 2 * REQUESTS_PER_TURN, `${mostInTurn} in one turn`);
  const perRead = READ_BYTES / requests[0]!.length;
  assert.ok(mostWaiting <= 2 * perRead, `${mostWaiting} waited; one read is ${perRead}`);
});

test("pipelined bodies arrive whole, and one that stops in the middle goes on", async () => {
  const spec = { name: "in", datatype: "FP32", dims: [1, 2] } as const;
  const echo = {
    inputs: [spec],
    outputs: [{ ...spec, name: "out" }],
    run: (inputs: readonly { readonly bytes: Uint8Array }[]) => [
      { name: "out", datatype: "FP32" as const, shape: [1, 2], bytes: inputs[0]!.bytes },
    ],
  };
  const { port } = await listen(memoryInference({ echo }));
  const requests = Array.from({ length: 500 }, (_, i) => {
    const body = `{"id":"n${i}","inputs":[{"name":"in","shape":[1,2],"datatype":"FP32","data":[${i},2]}]}`;
    return `POST /v2/models/echo/infer HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  }).join("");
  const flood = pipeline(port, requests.slice(0, -40));
  await until("all but the last are answered", () => flood.count() === 499);
  flood.socket.write(requests.slice(-40));
  await until("all are answered", () => flood.count() === 500);
  await until("the last is here", () => flood.text().includes('"n499"'));
  flood.socket.destroy();
  assert.deepEqual(
    Array.from(flood.text().matchAll(/"id":"(n\d+)"/g), ([, id]) => id),
    Array.from({ length: 500 }, (_, i) => `n${i}`),
  );
});

test("a client that leaves while its requests wait for each other's responses has all of them ended", async () => {
  const spec = { name: "in", datatype: "FP32", dims: [1, 2] } as const;
  const signals: InferRequest["signal"][] = [];
  const held = {
    inputs: [spec],
    outputs: [],
    run: (_: unknown, { signal }: InferRequest) => {
      signals.push(signal);
      return new Promise<never>(() => {});
    },
  };
  const { port, edge } = await listen(memoryInference({ held }));
  const body = '{"inputs":[{"name":"in","shape":[1,2],"datatype":"FP32","data":[1,2]}]}';
  const infer = `POST /v2/models/held/infer HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const flood = pipeline(port, infer.repeat(20) + "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n".repeat(500));
  await until("they are there", () => signals.length === 20);
  flood.socket.destroy();
  await until("nobody is waited for", () => edge.busyCount() === 0);
  assert.ok(signals.every(({ aborted }) => aborted));
});

test("a connection whose responses nobody takes has few more requests handled, however many it sends", async () => {
  const metrics = { ...createPrometheusMetrics(), render: async () => "m".repeat(200_000) };
  const { port, edge } = await listen(memoryInference({}), { metrics });
  let parsed = 0;
  edge.server.prependListener("request", ({ url }) => {
    if (url === "/metrics") parsed += 1;
  });
  const count = 5000;
  const request = `GET /metrics HTTP/1.1\r\nHost: a\r\nX-Padding: ${"x".repeat(30)}\r\n\r\n`;
  const flood = pipeline(port, request.repeat(count));
  flood.socket.pause();
  await until("the flood has begun", () => parsed > 0);
  // Each takes several turns, and all of the flood would be handled in 5000 / 32.
  for (let i = 0; i < 300; i++) await send(port, { method: "GET", url: "/v2/health/live" });
  assert.ok(parsed <= (2 * READ_BYTES) / request.length, `${parsed} were read`);
  flood.socket.destroy();
});
