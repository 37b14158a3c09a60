// Tests grpc-edge.ts: slow clients.
import assert from "node:assert/strict";
import { once } from "node:events";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type IncomingHttpHeaders,
} from "node:http2";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { ModelInferRequestSchema } from "@sconce/protocol/messages";
import { systemClock } from "../../base/clock.ts";
import { type ByteBudget, createByteBudget } from "../../gate/byte-budget.ts";
import { createTransferPace, type PaceLimits } from "../../gate/transfer-pace.ts";
import { type GrpcRig, withGrpc } from "./grpc-rig.kit.ts";

const INFER = "/inference.GRPCInferenceService/ModelInfer";
const HEADERS = { ":method": "POST", ":path": INFER, "content-type": "application/grpc", te: "trailers" };
const MIB = 1024 * 1024;
const PACE: PaceLimits = { minBytesPerSecond: 1000, slowBytesPerSecond: 64 * 1024, graceMs: 200 };

interface PacedRig extends GrpcRig {
  readonly session: ClientHttp2Session;
  readonly budget: ByteBudget;
}

/** An edge with a budget of 4 MiB that is quick to lose its patience, and a client of HTTP/2 that decides itself what it reads. */
async function withPaced(limits: Partial<PaceLimits>, body: (rig: PacedRig) => Promise<void>): Promise<void> {
  const pace = createTransferPace(systemClock, { ...PACE, ...limits });
  const budget = createByteBudget({
    maxBytes: 4 * MIB,
    maxRequests: 100,
    reclaim: (bytes) => pace.reclaim(bytes),
  });
  await withGrpc({ edge: { pace, budget } }, async (rig) => {
    const session = connect(`http://127.0.0.1:${rig.port}`);
    session.on("error", () => {});
    try {
      await body({ ...rig, session, budget });
    } finally {
      session.destroy();
    }
  });
}

/** A call that sends these bytes and does not end. */
function open(session: ClientHttp2Session, bytes: Uint8Array): ClientHttp2Stream {
  const stream = session.request(HEADERS);
  stream.on("error", () => {});
  stream.write(bytes);
  return stream;
}

async function statusOf(stream: ClientHttp2Stream): Promise<string> {
  const seen: IncomingHttpHeaders = {};
  stream.on("response", (headers) => Object.assign(seen, headers));
  stream.on("trailers", (headers) => Object.assign(seen, headers));
  stream.resume();
  await once(stream, "close");
  return `${seen["grpc-status"]} ${seen["sconce-reason"] ?? ""}`.trim();
}

/** The first bytes of a message of `length`. */
function beginning(length: number, sent: number): Buffer {
  const bytes = Buffer.alloc(5 + sent);
  bytes.writeUInt32BE(length, 1);
  return bytes;
}

/** A whole request whose answer is as long. */
function identityOf(size: number): Buffer {
  const inputs = [{ name: "x", datatype: "UINT8", shape: [BigInt(size)] }];
  const message = create(ModelInferRequestSchema, {
    modelName: "identity",
    inputs,
    rawInputContents: [new Uint8Array(size)],
  });
  const bytes = toBinary(ModelInferRequestSchema, message);
  return Buffer.concat([beginning(bytes.length, 0), bytes]);
}

async function until(isTrue: () => boolean): Promise<void> {
  for (let i = 0; i < 600 && !isTrue(); i++) await delay(5);
  assert.ok(isTrue());
}

test("a message that trickles in is refused after the grace, and its connection lives on", async () => {
  await withPaced({}, async ({ session, budget }) => {
    assert.equal(await statusOf(open(session, beginning(MIB, 20))), "4 request_timeout");
    assert.equal(budget.bytes, 0);
    assert.equal(await statusOf(session.request(HEADERS).end(identityOf(100))), "0");
  });
});

test("a message that nobody completes counts as it comes, and is thrown away when its memory is needed", async () => {
  await withPaced({ minBytesPerSecond: 1 }, async ({ session, budget }) => {
    const slow = [open(session, beginning(4 * MIB, 2 * MIB)), open(session, beginning(4 * MIB, MIB))];
    const firstStatus = Promise.race(slow.map(statusOf));
    await until(() => budget.bytes >= 3 * MIB);
    assert.equal(await statusOf(session.request(HEADERS).end(identityOf(MIB))), "14 memory_budget");
    await delay(2 * PACE.graceMs);
    assert.equal(await statusOf(session.request(HEADERS).end(identityOf(MIB))), "0");
    assert.equal(await firstStatus, "14 slow_transfer");
    for (const stream of slow) stream.close();
    await until(() => budget.bytes === 0);
  });
});

test("answers that a client does not take count until its connection is cut because others need the memory", async () => {
  await withPaced({}, async ({ session, budget, port }) => {
    const slow = [MIB, MIB, MIB].map((size) => session.request(HEADERS).end(identityOf(size)));
    for (const stream of slow) stream.on("error", () => {});
    await until(() => budget.bytes >= 3 * MIB);
    const other = connect(`http://127.0.0.1:${port}`);
    try {
      await delay(3 * PACE.graceMs);
      assert.equal(await statusOf(other.request(HEADERS).end(identityOf(MIB))), "0");
      await until(() => session.destroyed);
      await until(() => budget.bytes === 0);
    } finally {
      other.destroy();
    }
  });
});

test("an answer that is taken at a good pace is waited for, whoever else needs the memory", async () => {
  await withPaced({}, async ({ session, budget, port }) => {
    const steady = session.request(HEADERS).end(identityOf(3 * MIB));
    steady.on("error", () => {});
    let received = 0;
    const timer = setInterval(() => {
      received += (steady.read(Math.min(64 * 1024, steady.readableLength)) as Buffer | null)?.length ?? 0;
    }, 15);
    const other = connect(`http://127.0.0.1:${port}`);
    try {
      await until(() => budget.bytes >= 3 * MIB);
      await delay(2 * PACE.graceMs);
      assert.ok(received < 3 * MIB && budget.bytes >= 3 * MIB, `${received} bytes in so short a time`);
      assert.equal(await statusOf(other.request(HEADERS).end(identityOf(MIB))), "14 memory_budget");
      await until(() => received > 3 * MIB);
      assert.equal(session.destroyed, false);
    } finally {
      clearInterval(timer);
      other.destroy();
    }
  });
});

test("a stream that waits between two messages is not slow", async () => {
  await withPaced({}, async ({ session }) => {
    const stream = session.request({
      ...HEADERS,
      ":path": "/inference.GRPCInferenceService/ModelStreamInfer",
    });
    stream.on("error", () => {});
    let received = 0;
    stream.on("data", (bytes: Buffer) => {
      received += bytes.length;
    });
    for (const expected of [1, 30_000]) {
      stream.write(identityOf(30_000));
      await until(() => received > expected);
      await delay(2 * PACE.graceMs);
    }
    stream.end();
    assert.equal(await statusOf(stream), "0");
    assert.ok(received > 60_000);
  });
});
