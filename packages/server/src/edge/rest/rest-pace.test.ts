// Tests rest-edge.ts: slow clients.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { systemClock } from "../../base/clock.ts";
import { createByteBudget } from "../../gate/byte-budget.ts";
import { createTransferPace } from "../../gate/transfer-pace.ts";
import { type MemoryModel, memoryInference, spec } from "./memory-inference.kit.ts";
import { BODY, listen, post, raw, statusOf, until } from "./rest-sockets.kit.ts";

/** Answers with more than the buffers of a connection hold. */
const WIDE_BYTES = 16 * 1024 * 1024;
const WIDE: MemoryModel = {
  inputs: [spec("in", "FP32")],
  outputs: [spec("out", "UINT8", [WIDE_BYTES])],
  run: () => [{ name: "out", datatype: "UINT8", shape: [WIDE_BYTES], bytes: new Uint8Array(WIDE_BYTES) }],
};
const PACE = { minBytesPerSecond: 1000, slowBytesPerSecond: 64 * 1024, graceMs: 200 };
const NARROW: MemoryModel = {
  inputs: [spec("in", "FP32")],
  outputs: [spec("out", "UINT8", [1])],
  run: () => [{ name: "out", datatype: "UINT8", shape: [1], bytes: new Uint8Array(1) }],
};
/** Slower than any client may be here. */
const LATE: MemoryModel = {
  ...NARROW,
  run: async (...request) => {
    await new Promise((resolve) => setTimeout(resolve, 5 * PACE.graceMs));
    return NARROW.run(...request);
  },
};
const INFERENCE = memoryInference({ wide: WIDE, narrow: NARROW, late: LATE });

/** Sends a request with a body of `size` blanks, so many at a time. Resolves with the answer. */
function trickle(
  port: number,
  { size, step, everyMs, headers = "" }: { size: number; step: number; everyMs: number; headers?: string },
): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    let text = "";
    let sent = 0;
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
    });
    socket.on("error", () => {});
    const head = `POST /v2/repository/index HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers}Content-Length: ${size}\r\n\r\n`;
    socket.write(head);
    const timer = setInterval(() => {
      if (sent < size && socket.writable) socket.write(" ".repeat(Math.min(step, size - sent)));
      sent += step;
    }, everyMs);
    socket.on("close", () => {
      clearInterval(timer);
      resolve(text);
    });
  });
}

test("a body that trickles in is refused after the grace, a slow one is not", async () => {
  const paced = await listen(INFERENCE, { pace: createTransferPace(systemClock, PACE) });
  const started = performance.now();
  const [trickled, silent, packed, slow] = await Promise.all([
    trickle(paced.port, { size: 5000, step: 1, everyMs: 20 }),
    trickle(paced.port, { size: 5000, step: 0, everyMs: 20 }),
    trickle(paced.port, { size: 5000, step: 1, everyMs: 20, headers: "Content-Encoding: gzip\r\n" }),
    trickle(paced.port, { size: 5000, step: 100, everyMs: 20 }),
  ]);
  for (const answer of [trickled, silent]) {
    assert.equal(statusOf(answer), 408);
    assert.match(answer, /more slowly than 1000 bytes per second","reason":"request_timeout"/);
  }
  // Blanks are no gzip, which shows as soon as the first ones are here.
  assert.equal(statusOf(packed), 400);
  // Blanks are no JSON, but all of them were read.
  assert.equal(statusOf(slow), 400);
  assert.match(slow, /"reason":"bad_json"|"reason":"empty_body"/);
  assert.ok(performance.now() - started < 5000);
  await until(() => paced.budget.requests === 0);
});

test("a compressed body that trickles in is refused as well", async () => {
  const paced = await listen(INFERENCE, { pace: createTransferPace(systemClock, PACE) });
  const started = performance.now();
  const head =
    "POST /v2/repository/index HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 500\r\n\r\n";
  const answer = await raw(paced.port, head, gzipSync("{}").subarray(0, 12));
  assert.equal(statusOf(answer), 408);
  assert.ok(performance.now() - started < 5000);
  await until(() => paced.budget.requests === 0);
});

test("a client that does not read its answer is cut off, one that reads slowly is not", async () => {
  const wide = await listen(INFERENCE, { limits: { writeIdleTimeoutMs: 400 } });
  const body = BODY.replace('{"inputs"', '{"parameters":{"binary_data_output":true},"inputs"');
  const ask = (): Socket => {
    const socket = connect(wide.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.write(post("/v2/models/wide/infer", body));
    return socket;
  };
  const idle = ask();
  idle.pause();
  await until(() => wide.budget.requests === 1);
  await until(() => wide.budget.requests === 0);
  idle.destroy();

  const slow = ask();
  let received = 0;
  slow.on("data", (chunk) => {
    received += chunk.length;
    slow.pause();
    setTimeout(() => slow.resume(), 2);
  });
  await new Promise((resolve) => slow.once("close", resolve));
  assert.ok(received > WIDE_BYTES, `${received} bytes`);
});

const WIDE_BODY = BODY.replace('{"inputs"', '{"parameters":{"binary_data_output":true},"inputs"');

/** Asks for a wide answer, and takes none of it until it flows. */
function askSlowly(port: number): Socket {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  socket.pause();
  socket.write(post("/v2/models/wide/infer", WIDE_BODY));
  return socket;
}

test("answers that nobody takes count as memory in use: the next large one is refused, small ones are not", async () => {
  const maxBytes = 2.5 * WIDE_BYTES;
  const tight = await listen(INFERENCE, { budget: createByteBudget({ maxBytes, maxRequests: 10 }) });
  const idle = [askSlowly(tight.port), askSlowly(tight.port)];
  await until(() => tight.budget.bytes > 2 * WIDE_BYTES);
  const refused = await raw(tight.port, post("/v2/models/wide/infer", WIDE_BODY));
  assert.equal(statusOf(refused), 503);
  assert.match(refused, /"reason":"memory_budget"/);
  assert.match(refused, /\r\nRetry-After: /);
  const small = await raw(tight.port, post("/v2/models/narrow/infer", BODY));
  assert.equal(statusOf(small), 200);
  for (const socket of idle) socket.destroy();
  await until(() => tight.budget.bytes === 0 && tight.budget.requests === 0);
});

test("a client that takes its answer slowly is cut off when its memory is needed", async () => {
  const pace = createTransferPace(systemClock, PACE);
  const maxBytes = 1.5 * WIDE_BYTES;
  const budget = createByteBudget({ maxBytes, maxRequests: 10, reclaim: (bytes) => pace.reclaim(bytes) });
  const tight = await listen(INFERENCE, { budget, pace });
  const slow = askSlowly(tight.port);
  await until(() => tight.budget.bytes >= WIDE_BYTES);
  assert.equal(statusOf(await raw(tight.port, post("/v2/models/wide/infer", WIDE_BODY))), 503);
  // Longer than a client has to show that it is not slow.
  await new Promise((resolve) => setTimeout(resolve, 2 * PACE.graceMs));
  const answered = await raw(tight.port, post("/v2/models/wide/infer", WIDE_BODY));
  assert.equal(statusOf(answered), 200);
  assert.ok(answered.length > WIDE_BYTES);
  const [error] = await Promise.all([once(slow, "close"), slow.resume()]);
  assert.ok(slow.destroyed, String(error));
  await until(() => tight.budget.bytes === 0 && tight.budget.requests === 0);
});

test("a body that is announced and comes slowly does not keep others out", async () => {
  const pace = createTransferPace(systemClock, { ...PACE, minBytesPerSecond: 1 });
  const budget = createByteBudget({
    maxBytes: 2_000_000,
    maxRequests: 10,
    reclaim: (bytes) => pace.reclaim(bytes),
  });
  const tight = await listen(INFERENCE, { budget, pace });
  const slow = trickle(tight.port, { size: 1_500_000, step: 100, everyMs: 20 });
  await until(() => tight.budget.bytes === 1_500_000);
  const body = BODY.replace('"data":[', `"data":[${" ".repeat(1_000_000)}`);
  assert.equal(statusOf(await raw(tight.port, post("/v2/models/narrow/infer", body))), 503);
  await new Promise((resolve) => setTimeout(resolve, 2 * PACE.graceMs));
  assert.equal(statusOf(await raw(tight.port, post("/v2/models/narrow/infer", body))), 200);
  const answer = await slow;
  assert.equal(statusOf(answer), 503);
  assert.match(answer, /"reason":"slow_transfer"/);
});

test("an answer that waits behind an earlier one on its connection is not held against the client", async () => {
  const pace = createTransferPace(systemClock, PACE);
  const paced = await listen(INFERENCE, { pace, limits: { writeIdleTimeoutMs: 100 } });
  const first = post("/v2/models/late/infer", BODY).toString().replace("Connection: close\r\n", "");
  const answers = await raw(paced.port, first, post("/v2/models/wide/infer", WIDE_BODY));
  assert.ok(answers.length > WIDE_BYTES, `${answers.length} bytes`);
  assert.equal(answers.match(/HTTP\/1\.1 200/g)?.length, 2);
});
