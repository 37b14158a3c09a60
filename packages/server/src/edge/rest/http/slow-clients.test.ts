// Tests rest-edge.ts: slow clients.
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { setTimeout as delay, setImmediate as nextTurn } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { deferred } from "../../../base/deferred.ts";
import { ManualClock } from "../../../base/manual-clock.kit.ts";
import { undisturbed } from "../../../base/undisturbed.kit.ts";
import { until } from "../../../base/until.kit.ts";
import { createByteBudget } from "../../../gate/byte-budget.ts";
import {
  createSlowClientGuard,
  type SlowClientGuard,
  type SlowClientLimits,
  type Transfer,
} from "../../../gate/slow-client-guard.ts";
import { type MemoryModel, memoryInference, spec } from "../memory-inference.kit.ts";
import { BODY, listen, post, raw, statusOf } from "../rest-sockets.kit.ts";

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
const INFERENCE = memoryInference({ wide: WIDE, narrow: NARROW });

/** A pace by a clock in hand, and the transfers that it has been told to watch. */
function manualPace(limits: Partial<SlowClientLimits> = {}) {
  const clock = new ManualClock();
  const transfers: Transfer[] = [];
  const inner = createSlowClientGuard(clock, { ...PACE, ...limits });
  const slowClients: SlowClientGuard = {
    ...inner,
    watch(transfer) {
      transfers.push(transfer);
      inner.watch(transfer);
    },
  };
  return { clock, slowClients, transfers };
}

/** The head of a request with a body of `size` blanks, all of which are read before it is found to be no JSON. */
function head(size: number, headers = ""): string {
  return `POST /v2/repository/index HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers}Content-Length: ${size}\r\n\r\n`;
}

/** A client that sends its body piece by piece. */
class TricklingClient {
  readonly answer: Promise<string>;
  readonly #socket: Socket;

  constructor(port: number, size: number) {
    this.#socket = connect(port, "127.0.0.1");
    this.#socket.on("error", () => {});
    let text = "";
    this.#socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
    });
    this.answer = new Promise((resolve) => this.#socket.on("close", () => resolve(text)));
    this.#socket.write(head(size));
  }

  send(bytes: number): void {
    if (this.#socket.writable) this.#socket.write(" ".repeat(bytes));
  }
}

test("a body that trickles in is rejected after the grace, a slow one is not", async () => {
  const { clock, slowClients, transfers } = manualPace();
  const paced = await listen(INFERENCE, { slowClients });
  const begun: TricklingClient[] = [];
  for (let i = 1; i <= 3; i++) {
    begun.push(new TricklingClient(paced.port, 5000));
    await until("the body is watched", () => transfers.length === i);
  }
  const [trickling, silent, slow] = begun as [TricklingClient, TricklingClient, TricklingClient];
  for (let step = 1; step <= 50; step++) {
    trickling.send(1);
    slow.send(100);
    await until("a piece was read", () => transfers[2]!.moved === 100 * step);
    clock.advance(20);
  }
  for (const answer of [await trickling.answer, await silent.answer]) {
    assert.equal(statusOf(answer), 408);
    assert.match(answer, /more slowly than 1000 bytes per second","reason":"request_timeout"/);
  }
  const read = await slow.answer;
  assert.equal(statusOf(read), 400);
  assert.match(read, /"reason":"bad_json"|"reason":"empty_body"/);
  await until("all is given back", () => paced.budget.requests === 0);
});

test("a compressed body that trickles in is rejected as well, and one that is not gzip at once", async () => {
  const { clock, slowClients, transfers } = manualPace();
  const paced = await listen(INFERENCE, { slowClients });
  const begin = (bytes: Buffer): Promise<string> =>
    raw(paced.port, head(500, "Content-Encoding: gzip\r\n"), bytes);
  assert.equal(statusOf(await begin(Buffer.from("   "))), 400);
  const answer = begin(gzipSync("{}").subarray(0, 12));
  await until("its beginning was read", () => transfers[1]?.moved === 12);
  clock.advance(2 * PACE.graceMs);
  assert.equal(statusOf(await answer), 408);
  await until("all is given back", () => paced.budget.requests === 0);
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

test("a client that does not read its response is cut off", async () => {
  const wide = await listen(INFERENCE, { limits: { writeIdleTimeoutMs: 100 } });
  const idle = askSlowly(wide.port);
  await until("the response is on its way", () => wide.budget.requests === 1);
  await until("it is cut off", () => wide.budget.requests === 0);
  idle.destroy();
});

test("a client that reads slowly is not cut off", async () => {
  const WRITE_IDLE_MS = 600;
  await undisturbed(WRITE_IDLE_MS / 3, async () => {
    const wide = await listen(INFERENCE, { limits: { writeIdleTimeoutMs: WRITE_IDLE_MS } });
    const slow = askSlowly(wide.port);
    const closed = new Promise((resolve) => slow.on("close", resolve));
    let received = 0;
    slow.on("data", (chunk) => {
      received += chunk.length;
      slow.pause();
    });
    // It reads all but a tenth of the response in twice the time.
    for (let step = 1; step <= 24; step++) {
      while (received < (step / 24) * 0.9 * WIDE_BYTES && !slow.destroyed) {
        slow.resume();
        await nextTurn();
      }
      await delay(WRITE_IDLE_MS / 12);
    }
    slow.removeAllListeners("data");
    slow.on("data", (chunk) => {
      received += chunk.length;
    });
    slow.resume();
    await closed;
    assert.ok(received > WIDE_BYTES, `${received} bytes of more than ${WIDE_BYTES}`);
  });
});

test("answers that nobody takes count as memory in use: the next large one is rejected, small ones are not", async () => {
  const maxBytes = 2.5 * WIDE_BYTES;
  const tight = await listen(INFERENCE, { budget: createByteBudget({ maxBytes, maxRequests: 10 }) });
  const idle = [askSlowly(tight.port), askSlowly(tight.port)];
  await until("both responses are held", () => tight.budget.bytes > 2 * WIDE_BYTES);
  const rejected = await raw(tight.port, post("/v2/models/wide/infer", WIDE_BODY));
  assert.equal(statusOf(rejected), 503);
  assert.match(rejected, /"reason":"memory_budget"/);
  assert.match(rejected, /\r\nRetry-After: /);
  const small = await raw(tight.port, post("/v2/models/narrow/infer", BODY));
  assert.equal(statusOf(small), 200);
  for (const socket of idle) socket.destroy();
  await until("all is given back", () => tight.budget.bytes === 0 && tight.budget.requests === 0);
});

test("a client that takes its response slowly is cut off when its memory is needed", async () => {
  const { clock, slowClients } = manualPace();
  const maxBytes = 1.5 * WIDE_BYTES;
  const budget = createByteBudget({
    maxBytes,
    maxRequests: 10,
    reclaim: (bytes) => slowClients.reclaim(bytes),
  });
  const tight = await listen(INFERENCE, { budget, slowClients });
  const slow = askSlowly(tight.port);
  await until("the response is held", () => tight.budget.bytes >= WIDE_BYTES);
  assert.equal(statusOf(await raw(tight.port, post("/v2/models/wide/infer", WIDE_BODY))), 503);
  // Longer than a client has to show that it is not slow.
  clock.advance(2 * PACE.graceMs);
  const answered = await raw(tight.port, post("/v2/models/wide/infer", WIDE_BODY));
  assert.equal(statusOf(answered), 200);
  assert.ok(answered.length > WIDE_BYTES, `${answered.length} bytes of more than ${WIDE_BYTES}`);
  await new Promise((resolve) => slow.on("close", resolve).resume());
  await until("all is given back", () => tight.budget.bytes === 0 && tight.budget.requests === 0);
});

test("a body that is announced and comes slowly does not keep others out", async () => {
  const { clock, slowClients, transfers } = manualPace({ minBytesPerSecond: 1 });
  const budget = createByteBudget({
    maxBytes: 2_000_000,
    maxRequests: 10,
    reclaim: (bytes) => slowClients.reclaim(bytes),
  });
  const tight = await listen(INFERENCE, { budget, slowClients });
  const slow = new TricklingClient(tight.port, 1_500_000);
  slow.send(1000);
  await until("its beginning was read", () => transfers[0]?.moved === 1000);
  const body = BODY.replace('"data":[', `"data":[${" ".repeat(1_000_000)}`);
  assert.equal(statusOf(await raw(tight.port, post("/v2/models/narrow/infer", body))), 503);
  clock.advance(2 * PACE.graceMs);
  assert.equal(statusOf(await raw(tight.port, post("/v2/models/narrow/infer", body))), 200);
  const answer = await slow.answer;
  assert.equal(statusOf(answer), 503);
  assert.match(answer, /"reason":"slow_transfer"/);
});

test("a response that waits behind an earlier one on its connection is not held against the client", async () => {
  const WRITE_IDLE_MS = 300;
  await undisturbed(WRITE_IDLE_MS / 3, async () => {
    const { clock, slowClients } = manualPace();
    const earlier = deferred<void>();
    let isAnswered = false;
    const late: MemoryModel = {
      ...NARROW,
      run: async (...request) => {
        await earlier.promise;
        return NARROW.run(...request);
      },
    };
    const wide: MemoryModel = {
      ...WIDE,
      run: (...request) => {
        isAnswered = true;
        return WIDE.run(...request);
      },
    };
    const paced = await listen(memoryInference({ late, wide }), {
      slowClients,
      limits: { writeIdleTimeoutMs: WRITE_IDLE_MS },
      // It begins the second request when the first is answered.
      fastLane: false,
    });
    const first = post("/v2/models/late/infer", BODY).toString().replace("Connection: close\r\n", "");
    const answers = raw(paced.port, first, post("/v2/models/wide/infer", WIDE_BODY));
    await until("the second response waits for the first", () => isAnswered);
    clock.advance(5 * PACE.graceMs);
    await delay(1.5 * WRITE_IDLE_MS);
    earlier.resolve();
    const text = await answers;
    assert.ok(text.length > WIDE_BYTES, `${text.length} bytes of more than ${WIDE_BYTES}`);
    assert.equal(text.match(/HTTP\/1\.1 200/g)?.length, 2);
  });
});
