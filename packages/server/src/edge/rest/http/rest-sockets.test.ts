// Tests rest-edge.ts and http-server.ts over real sockets: limits and time-outs.
import assert from "node:assert/strict";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { deflateSync, gzipSync } from "node:zlib";
import { until } from "../../../base/until.kit.ts";
import { createByteBudget } from "../../../gate/byte-budget.ts";
import { identity, type MemoryModel, memoryInference, spec } from "../memory-inference.kit.ts";
import { BODY, listen, post, raw, statusOf } from "../rest-sockets.kit.ts";

/** How many requests run in the model `stuck`. */
let stuckCount = 0;
/** Never answers until its request is aborted, and remembers why. */
const reasons: unknown[] = [];
const STUCK: MemoryModel = {
  inputs: [spec("in", "FP32")],
  outputs: [spec("out", "FP32")],
  run: (_inputs, { signal }) =>
    new Promise((_resolve, reject) => {
      stuckCount++;
      const handleEvent = (): void => {
        stuckCount--;
        reasons.push(signal.reason);
        reject(signal.reason);
      };
      signal.addEventListener("abort", { handleEvent });
    }),
};
const INFERENCE = memoryInference({
  echo: identity("FP32"),
  text: identity("BYTES", [{ symbol: "n", min: 0, max: undefined }]),
  stuck: STUCK,
});

const small = await listen(INFERENCE, {
  limits: {
    maxBodyBytes: 1000,
    maxHeaders: 8,
    maxHeaderBytes: 4096,
    maxUrlBytes: 100,
    maxBodyChunks: 10,
  },
});

test("a body of exactly the limit passes, one byte more does not: announced, chunked, compressed", async () => {
  const fitting = (size: number): string => BODY + " ".repeat(size - BODY.length);
  const chunked = (body: string): Buffer =>
    Buffer.from(
      `POST /v2/models/echo/infer HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
    );
  for (const [size, status] of [
    [999, 200],
    [1000, 200],
    [1001, 413],
  ] as const) {
    const body = fitting(size);
    assert.equal(statusOf(await raw(small.port, post("/v2/models/echo/infer", body))), status);
    assert.equal(statusOf(await raw(small.port, chunked(body))), status);
    const packed = post("/v2/models/echo/infer", gzipSync(body), "Content-Encoding: gzip\r\n");
    assert.equal(statusOf(await raw(small.port, packed)), status);
    const deflated = post("/v2/models/echo/infer", deflateSync(body), "Content-Encoding: deflate\r\n");
    assert.equal(statusOf(await raw(small.port, deflated)), status);
  }
});

test("a huge announced body is rejected before it is read, and the client still gets the response", async () => {
  const head = "POST /v2/models/echo/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n";
  const answer = await raw(small.port, head, Buffer.alloc(200_000, 0x20));
  assert.equal(statusOf(answer), 413);
  assert.match(answer, /Connection: close/);
});

test("a Host header is asked for, and found to be missing only when it is", async () => {
  const missing = await raw(small.port, "GET /v2 HTTP/1.1\r\nConnection: close\r\n\r\n");
  assert.equal(statusOf(missing), 400);
  assert.match(missing, /"reason":"bad_http"/);
  const many = Array.from({ length: 20 }, (_, i) => `X-${i}: 1\r\n`).join("");
  const behindMany = await raw(small.port, `GET /v2 HTTP/1.1\r\n${many}Host: x\r\nConnection: close\r\n\r\n`);
  assert.match(behindMany, /"reason":"headers_too_large"/);
  assert.equal(statusOf(await raw(small.port, "GET /v2 HTTP/1.0\r\n\r\n")), 200);
});

test("8 headers pass, 9 do not; 4 KiB of headers; a URL of 100 bytes", async () => {
  // Host and Connection are two of them.
  const withHeaders = (count: number): string =>
    `GET /v2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${Array.from({ length: count - 2 }, (_, i) => `X-${i}: 1\r\n`).join("")}\r\n`;
  assert.equal(statusOf(await raw(small.port, withHeaders(7))), 200);
  assert.equal(statusOf(await raw(small.port, withHeaders(8))), 200);
  assert.equal(statusOf(await raw(small.port, withHeaders(9))), 431);
  assert.equal(statusOf(await raw(small.port, withHeaders(50))), 431);
  const large = await raw(small.port, `GET /v2 HTTP/1.1\r\nHost: x\r\nX-A: ${"a".repeat(5000)}\r\n\r\n`);
  assert.equal(statusOf(large), 431);
  assert.match(large, /"reason":"headers_too_large"/);
  for (const [length, status] of [
    [99, 200],
    [100, 200],
    [101, 414],
  ] as const) {
    const url = `/v2?${"a".repeat(length - 4)}`;
    assert.equal(
      statusOf(await raw(small.port, `GET ${url} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)),
      status,
    );
  }
});

test("what is not HTTP gets a 400 in JSON, and smuggling shapes are rejected", async () => {
  for (const text of [
    "hello\r\n\r\n",
    "GET /v2 HTTP/1.1\r\n\r\n",
    "POST /v2/models/echo/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST /v2/models/echo/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "GET /v2 HTTP/1.1\r\nHost: x\r\n folded: 1\r\n\r\n",
  ]) {
    assert.equal(statusOf(await raw(small.port, text)), 400, JSON.stringify(text));
  }
});

test("a client that never finishes its headers, or its body, is closed in time", async () => {
  const hasty = await listen(INFERENCE, { limits: { headersTimeoutMs: 100, requestTimeoutMs: 200 } });
  const [headers, body] = await Promise.all([
    raw(hasty.port, "GET /v2 HTTP/1.1\r\nHost:"),
    raw(hasty.port, "POST /v2/models/echo/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\nabc"),
  ]);
  assert.equal(statusOf(headers), 408);
  assert.equal(statusOf(body), 408);
  await until("all is given back", () => hasty.budget.requests === 0);
});

test("chunks are counted: ten pass, eleven do not", async () => {
  const pieces = async (count: number): Promise<number> => {
    const { port } = small;
    return new Promise((resolve, reject) => {
      const outgoing = httpRequest(
        { port, host: "127.0.0.1", method: "POST", path: "/v2/repository/index" },
        (answer) => {
          answer.resume();
          resolve(answer.statusCode!);
        },
      );
      outgoing.on("error", reject);
      outgoing.setNoDelay(true);
      outgoing.flushHeaders();
      // Each becomes a chunk of its own, however they travel.
      for (let sent = 0; sent < count; sent++) outgoing.write(" ");
      outgoing.end();
    });
  };
  // Ten blanks are not JSON, but they are read.
  assert.equal(await pieces(10), 400);
  assert.equal(await pieces(11), 413);
});

const roomy = await listen(INFERENCE);

test("a compression bomb is rejected early and cheaply", async () => {
  const bomb = gzipSync(Buffer.alloc(60 * 1024 * 1024));
  const before = process.memoryUsage().rss;
  for (let i = 0; i < 5; i++) {
    const answer = await raw(roomy.port, post("/v2/models/echo/infer", bomb, "Content-Encoding: gzip\r\n"));
    assert.equal(statusOf(answer), 413);
    assert.match(answer, /grows more than 100-fold/);
  }
  assert.ok(process.memoryUsage().rss - before < 64 * 1024 * 1024);
  // Text of the same kind below the ratio is welcome.
  const fine = gzipSync(BODY + " ".repeat(200_000));
  assert.equal(
    statusOf(await raw(roomy.port, post("/v2/models/echo/infer", fine, "Content-Encoding: gzip\r\n"))),
    200,
  );
});

test("a client that hangs up cancels its request", async () => {
  reasons.length = 0;
  const socket: Socket = connect(roomy.port, "127.0.0.1");
  socket.write(post("/v2/models/stuck/infer", BODY));
  await until("it runs", () => stuckCount === 1);
  socket.destroy();
  await until("its work is stopped", () => reasons.length === 1);
  assert.equal((reasons[0] as { code: string }).code, "cancelled");
  await until("all is given back", () => roomy.budget.requests === 0 && roomy.budget.bytes === 0);
});

test("a deadline from the header or the parameter ends the request with 504", async () => {
  reasons.length = 0;
  const byHeader = await raw(
    roomy.port,
    post("/v2/models/stuck/infer", BODY, "x-request-timeout-ms: 30\r\n"),
  );
  assert.equal(statusOf(byHeader), 504);
  const withParameter = `${BODY.slice(0, -1)},"parameters":{"timeout":30000}}`;
  assert.equal(statusOf(await raw(roomy.port, post("/v2/models/stuck/infer", withParameter))), 504);
  assert.deepEqual(
    reasons.map((reason) => (reason as { code: string }).code),
    ["deadline_exceeded", "deadline_exceeded"],
  );
});

test("100-continue is granted after the headers were judged, or not at all", async () => {
  const expecting = (path: string): Promise<string[]> =>
    new Promise((resolve, reject) => {
      const seen: string[] = [];
      const outgoing = httpRequest(
        {
          port: roomy.port,
          host: "127.0.0.1",
          method: "POST",
          path,
          headers: { expect: "100-continue", "content-length": BODY.length },
        },
        (answer: IncomingMessage) => {
          seen.push(String(answer.statusCode));
          answer.resume().on("end", () => {
            outgoing.destroy();
            resolve(seen);
          });
        },
      );
      outgoing.on("error", reject);
      outgoing.on("continue", () => {
        seen.push("continue");
        outgoing.end(BODY);
      });
      outgoing.flushHeaders();
    });
  assert.deepEqual(await expecting("/v2/models/echo/infer"), ["continue", "200"]);
  assert.deepEqual(await expecting("/v2/models/nope/infer"), ["404"]);
});

test("the budget rejects with 503 and Retry-After before the body is read", async () => {
  const tight = await listen(INFERENCE, { budget: createByteBudget({ maxBytes: 200, maxRequests: 10 }) });
  const held = connect(tight.port, "127.0.0.1");
  held.write(`POST /v2/models/echo/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 150\r\n\r\n`);
  await until("the announced body is paid for", () => tight.budget.bytes === 150);
  const answer = await raw(tight.port, post("/v2/models/echo/infer", BODY));
  assert.equal(statusOf(answer), 503);
  assert.match(answer, /Retry-After: 1\r\n/);
  assert.match(answer, /"reason":"memory_budget"/);
  held.destroy();
  await until("all is given back", () => tight.budget.bytes === 0);
  assert.equal(statusOf(await raw(tight.port, post("/v2/models/echo/infer", BODY))), 200);
});

test("draining says not ready, answers what comes, and closes; close() waits for what is in flight", async () => {
  const drained = await listen(INFERENCE);
  const idle = connect(drained.port, "127.0.0.1");
  const idleClosed = new Promise((resolve) => idle.on("close", resolve));
  idle.write("GET /v2 HTTP/1.1\r\nHost: x\r\n\r\n");
  await new Promise((resolve) => idle.once("data", resolve));
  drained.edge.setDraining();
  const ready = await raw(drained.port, "GET /v2/health/ready HTTP/1.1\r\nHost: x\r\n\r\n");
  assert.equal(statusOf(ready), 503);
  assert.match(ready, /Connection: close/);
  const answered = await raw(drained.port, post("/v2/models/echo/infer", BODY));
  assert.equal(statusOf(answered), 200);
  const slow = raw(drained.port, post("/v2/models/stuck/infer", BODY, "x-request-timeout-ms: 100\r\n"));
  await until("it runs", () => stuckCount === 1);
  const closing = drained.edge.close();
  await idleClosed;
  assert.equal(statusOf(await slow), 504);
  await closing;
  assert.equal(drained.edge.close(), drained.edge.close());
});

test("two requests on one connection, the first rejected unread, both get answers", async () => {
  const first = "POST /v2/models/nope/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
  const answer = await raw(roomy.port, first, post("/v2/models/echo/infer", BODY));
  assert.match(answer, /^HTTP\/1\.1 404[\s\S]*HTTP\/1\.1 200/);
});
