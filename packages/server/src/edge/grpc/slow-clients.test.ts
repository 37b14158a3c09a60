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
import { gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { ModelInferRequestSchema } from "@sconce/protocol/messages";
import { ManualClock } from "../../base/manual-clock.kit.ts";
import { until } from "../../base/until.kit.ts";
import { type ByteBudget, createByteBudget } from "../../gate/byte-budget.ts";
import { createSlowClientGuard, type SlowClientLimits } from "../../gate/slow-client-guard.ts";
import { type GrpcRig, withGrpc } from "./grpc-rig.kit.ts";

const INFER = "/inference.GRPCInferenceService/ModelInfer";
const HEADERS = { ":method": "POST", ":path": INFER, "content-type": "application/grpc", te: "trailers" };
const MIB = 1024 * 1024;
const PACE: SlowClientLimits = { minBytesPerSecond: 1000, slowBytesPerSecond: 64 * 1024, graceMs: 1000 };

interface PacedRig extends GrpcRig {
  readonly session: ClientHttp2Session;
  readonly budget: ByteBudget;
  /** By which clients are slow. */
  readonly clock: ManualClock;
}

/** An edge with a budget of 4 MiB, and a client of HTTP/2 that decides itself what it reads. */
async function withPaced(
  limits: Partial<SlowClientLimits>,
  body: (rig: PacedRig) => Promise<void>,
): Promise<void> {
  const clock = new ManualClock();
  const slowClients = createSlowClientGuard(clock, { ...PACE, ...limits });
  const budget = createByteBudget({
    maxBytes: 4 * MIB,
    maxRequests: 100,
    reclaim: (bytes) => slowClients.reclaim(bytes),
  });
  await withGrpc({ edge: { slowClients, budget } }, async (rig) => {
    const session = connect(`http://127.0.0.1:${rig.port}`);
    session.on("error", () => {});
    try {
      await body({ ...rig, session, budget, clock });
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

/** A whole request whose response is as long. */
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

test("a message that trickles in is rejected after the grace, and its connection lives on", async () => {
  await withPaced({}, async ({ session, budget, clock }) => {
    const status = statusOf(open(session, beginning(MIB, 20)));
    await until("its pace is watched", () => clock.pendingTimers > 0);
    clock.advance(2 * PACE.graceMs);
    assert.equal(await status, "4 request_timeout");
    assert.equal(budget.bytes, 0);
    assert.equal(await statusOf(session.request(HEADERS).end(identityOf(100))), "0");
  });
});

test("a message that nobody completes counts as it comes, and is thrown away when its memory is needed", async () => {
  await withPaced({ minBytesPerSecond: 1 }, async ({ session, budget, clock }) => {
    const slow = [open(session, beginning(4 * MIB, 2 * MIB)), open(session, beginning(4 * MIB, MIB))];
    const firstStatus = Promise.race(slow.map(statusOf));
    await until("3 MiB are held", () => budget.bytes >= 3 * MIB);
    assert.equal(await statusOf(session.request(HEADERS).end(identityOf(MIB))), "14 memory_budget");
    clock.advance(2 * PACE.graceMs);
    assert.equal(await statusOf(session.request(HEADERS).end(identityOf(MIB))), "0");
    assert.equal(await firstStatus, "14 slow_transfer");
    for (const stream of slow) stream.close();
    await until("all memory is given back", () => budget.bytes === 0);
  });
});

/** A whole message in its frame, compressed. */
function gzipped(contents: Uint8Array): Buffer {
  const packed = gzipSync(contents);
  const frame = Buffer.concat([beginning(packed.length, 0), packed]);
  frame[0] = 1;
  return frame;
}

const GZIP = { ...HEADERS, "grpc-encoding": "gzip" };

test("what compressed messages become counts against the budget, and unfinished calls give way first", async () => {
  await withPaced({ minBytesPerSecond: 1 }, async ({ session, budget, clock }) => {
    const call = (): ClientHttp2Stream => {
      const stream = session.request(GZIP);
      stream.on("error", () => {});
      stream.write(gzipped(Buffer.alloc(MIB)));
      return stream;
    };
    const first: ClientHttp2Stream[] = [];
    while (first.length < 3) {
      first.push(call());
      await until("another MiB is held", () => budget.bytes >= first.length * MIB);
    }
    const statuses = first.map(statusOf);
    const refused = await Promise.all(Array.from({ length: 27 }, () => statusOf(call())));
    assert.deepEqual(new Set(refused), new Set(["14 memory_budget"]));
    assert.ok(budget.bytes <= 4 * MIB, `${budget.bytes} bytes are held`);
    clock.advance(200);
    assert.equal(await statusOf(session.request(HEADERS).end(identityOf(MIB))), "0");
    assert.equal(await Promise.race(statuses), "14 slow_transfer");
    for (const stream of first) stream.close();
    await until("all memory is given back", () => budget.bytes === 0);
  });
});

test("a compressed message of a stream counts until it is handed on, and nothing is counted in the end", async () => {
  await withPaced({}, async ({ session, budget }) => {
    const path = "/inference.GRPCInferenceService/ModelStreamInfer";
    const stream = session.request({ ...GZIP, ":path": path });
    let received = 0;
    stream.on("data", (bytes: Buffer) => {
      received += bytes.length;
    });
    for (let i = 0; i < 8; i++) stream.write(gzipped(identityOf(300_000).subarray(5)));
    stream.end();
    await once(stream, "close");
    assert.ok(received > 2_400_000, `${received} bytes`);
    await until("all memory is given back", () => budget.bytes === 0);
  });
});

test("a message that grows more than a hundredfold, or is no gzip, is rejected", async () => {
  await withPaced({}, async ({ session, budget }) => {
    assert.equal(
      await statusOf(session.request(GZIP).end(gzipped(Buffer.alloc(3 * MIB)))),
      "8 body_too_large",
    );
    const broken = gzipped(identityOf(100).subarray(5));
    broken.fill(0xff, 20);
    assert.equal(await statusOf(session.request(GZIP).end(broken)), "3 bad_compression");
    assert.equal(budget.bytes, 0);
  });
});

test("answers that a client does not take count until its connection is cut because others need the memory", async () => {
  await withPaced({}, async ({ session, budget, clock, port }) => {
    const slow = [MIB, MIB, MIB].map((size) => session.request(HEADERS).end(identityOf(size)));
    for (const stream of slow) stream.on("error", () => {});
    await until("3 MiB are held", () => budget.bytes >= 3 * MIB);
    const other = connect(`http://127.0.0.1:${port}`);
    try {
      clock.advance(3 * PACE.graceMs);
      assert.equal(await statusOf(other.request(HEADERS).end(identityOf(MIB))), "0");
      await until("the slow connection is cut", () => session.destroyed);
      await until("all memory is given back", () => budget.bytes === 0);
    } finally {
      other.destroy();
    }
  });
});

test("a response that is taken at a good pace is waited for, whoever else needs the memory", async () => {
  await withPaced({}, async ({ session, budget, clock, port }) => {
    const steady = session.request(HEADERS).end(identityOf(3 * MIB));
    steady.on("error", () => {});
    let received = 0;
    /** Ten times as fast as the pace below which a client is slow. */
    const takeUntil = async (bytes: number): Promise<void> => {
      while (received < bytes) {
        await until("more of the response is there", () => steady.readableLength > 0 || session.destroyed);
        const before = received;
        received += (steady.read() as Buffer | null)?.length ?? 0;
        clock.advance(((received - before) / (10 * PACE.slowBytesPerSecond)) * 1000);
      }
    };
    const other = connect(`http://127.0.0.1:${port}`);
    try {
      await until("3 MiB are held", () => budget.bytes >= 3 * MIB);
      await takeUntil(2 * MIB);
      assert.equal(await statusOf(other.request(HEADERS).end(identityOf(MIB))), "14 memory_budget");
      await takeUntil(3 * MIB);
      assert.equal(session.destroyed, false, "the connection was cut");
    } finally {
      other.destroy();
    }
  });
});

test("a stream that waits between two messages is not slow", async () => {
  await withPaced({}, async ({ session, clock }) => {
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
      await until("the message is answered", () => received > expected);
      clock.advance(2 * PACE.graceMs);
    }
    stream.end();
    assert.equal(await statusOf(stream), "0");
    assert.ok(received > 60_000, `${received} bytes of two responses`);
  });
});
