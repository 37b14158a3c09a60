import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { type MemoryModel, memoryInference, spec } from "./memory-inference.test.kit.ts";
import { BODY, listen, post, raw, statusOf, until } from "./rest-sockets.test.kit.ts";

/** Answers with more than the buffers of a connection hold. */
const WIDE_BYTES = 16 * 1024 * 1024;
const WIDE: MemoryModel = {
  inputs: [spec("in", "FP32")],
  outputs: [spec("out", "UINT8", [WIDE_BYTES])],
  run: () => [{ name: "out", datatype: "UINT8", shape: [WIDE_BYTES], bytes: new Uint8Array(WIDE_BYTES) }],
};
const INFERENCE = memoryInference({ wide: WIDE });

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
  const paced = await listen(INFERENCE, { limits: { minBodyBytesPerSecond: 1000, bodyGraceMs: 200 } });
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
  const paced = await listen(INFERENCE, { limits: { minBodyBytesPerSecond: 1000, bodyGraceMs: 200 } });
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
