import assert from "node:assert/strict";
import { once } from "node:events";
import { type ClientHttp2Session, connect, type IncomingHttpHeaders, type Settings } from "node:http2";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import type { ServiceError } from "@grpc/grpc-js";
import { ModelInferRequestSchema, ModelInferResponseSchema } from "@sconce/protocol/messages";
import { ServeError } from "../../base/errors.ts";
import { until } from "../../base/until.kit.ts";
import { createByteBudget } from "../../gate/byte-budget.ts";
import { type GrpcRig, withGrpc } from "./grpc-rig.kit.ts";

const INFER = "/inference.GRPCInferenceService/ModelInfer";
const TYPES = [ModelInferRequestSchema, ModelInferResponseSchema] as const;
const GRPC = { ":method": "POST", ":path": INFER, "content-type": "application/grpc", te: "trailers" };

/** An identity request whose whole message is `size` bytes. */
function requestOf(size: number): Buffer {
  const build = (rawSize: number) => {
    const inputs = [{ name: "x", datatype: "UINT8", shape: [1n] }];
    const rawInputContents = [new Uint8Array(rawSize)];
    return toBinary(
      ModelInferRequestSchema,
      create(ModelInferRequestSchema, { modelName: "identity", inputs, rawInputContents }),
    );
  };
  const overhead = build(size).length - size;
  return Buffer.from(build(size - overhead));
}

/** A request that is answered after `delayMs`. */
function slowRequest(delayMs: number): Uint8Array {
  const delay_ms = { parameterChoice: { case: "int64Param" as const, value: BigInt(delayMs) } };
  return toBinary(
    ModelInferRequestSchema,
    create(ModelInferRequestSchema, { modelName: "slow", parameters: { delay_ms } }),
  );
}

/** A request that runs until the test says `release`. */
const HELD = toBinary(ModelInferRequestSchema, create(ModelInferRequestSchema, { modelName: "held" }));

/** When this resolves the server has read all that was sent on the connection before. */
function pinged(session: ClientHttp2Session): Promise<void> {
  return new Promise((resolve, reject) => {
    session.ping((error) => (error ? reject(error) : resolve()));
  });
}

function framed(message: Uint8Array, isCompressed = false): Buffer {
  const head = Buffer.alloc(5);
  head[0] = isCompressed ? 1 : 0;
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** One raw call; what its trailers (or its only headers) say. */
async function rawCall(
  session: ClientHttp2Session,
  headers: Record<string, string>,
  frame: Buffer,
): Promise<{ status: string; message: string }> {
  const stream = session.request({ ...GRPC, ...headers });
  const seen: IncomingHttpHeaders = {};
  stream.on("response", (response) => Object.assign(seen, response));
  stream.on("trailers", (trailers) => Object.assign(seen, trailers));
  stream.resume();
  stream.end(frame);
  await once(stream, "close");
  return { status: String(seen["grpc-status"]), message: String(seen["grpc-message"]) };
}

async function withSession(
  rig: GrpcRig,
  body: (session: ClientHttp2Session) => Promise<void>,
): Promise<void> {
  const session = connect(`http://127.0.0.1:${rig.port}`);
  session.on("error", () => {});
  try {
    await body(session);
  } finally {
    session.destroy();
  }
}

test("a message of n − 1 and n bytes is taken, one of n + 1 is RESOURCE_EXHAUSTED", async () => {
  await withGrpc({ limits: { maxReceiveBytes: 10_000 } }, async ({ unary }) => {
    for (const size of [9_999, 10_000]) await unary(INFER, TYPES, requestOf(size));
    await assert.rejects(unary(INFER, TYPES, requestOf(10_001)), { code: 8 });
  });
});

test("a response of n bytes is sent, one of n + 1 is RESOURCE_EXHAUSTED", async () => {
  let size = 0;
  await withGrpc({}, async ({ unary }) => {
    size = toBinary(ModelInferResponseSchema, (await unary(INFER, TYPES, requestOf(5_000))).answer).length;
  });
  for (const [limit, isSent] of [
    [size + 1, true],
    [size, true],
    [size - 1, false],
  ] as const) {
    await withGrpc({ limits: { maxSendBytes: limit } }, async ({ unary }) => {
      const sent = await unary(INFER, TYPES, requestOf(5_000)).then(
        () => true,
        ({ code }: ServiceError) => code !== 8,
      );
      assert.equal(sent, isSent, `limit ${limit}`);
    });
  }
});

test("a compressed message that inflates past the limit is rejected, and the connection lives on", async () => {
  await withGrpc({ limits: { maxReceiveBytes: 1_000_000 } }, async (rig) => {
    await withSession(rig, async (session) => {
      const gzip = { "grpc-encoding": "gzip" };
      for (const size of [999_999, 1_000_000]) {
        assert.equal((await rawCall(session, gzip, framed(gzipSync(requestOf(size)), true))).status, "0");
      }
      const bomb = gzipSync(Buffer.alloc(50_000_000));
      assert.equal((await rawCall(session, gzip, framed(bomb, true))).status, "8");
      assert.equal((await rawCall(session, { "grpc-encoding": "br" }, framed(bomb, true))).status, "12");
      assert.equal((await rawCall(session, {}, framed(requestOf(100)))).status, "0");
    });
  });
});

test("the client is told how many calls and how many header bytes a connection may have", async () => {
  await withGrpc({ limits: { maxStreams: 7, maxHeaderBytes: 4321 } }, async (rig) => {
    await withSession(rig, async (session) => {
      const [settings] = (await once(session, "remoteSettings")) as [Settings];
      assert.deepEqual([settings.maxConcurrentStreams, settings.maxHeaderListSize], [7, 4321]);
    });
  });
});

test("calls at once on one connection: n run, the next one waits or is rejected", async () => {
  await withGrpc({ limits: { maxStreams: 3 } }, async (rig) => {
    await withSession(rig, async (session) => {
      await once(session, "remoteSettings");
      const calls = [1, 2, 3, 4].map(() => rawCall(session, {}, framed(HELD)).catch(() => undefined));
      await until("three calls run", () => rig.inference.started.length >= 3);
      await pinged(session);
      assert.equal(rig.inference.running, 3);
      rig.inference.release();
      await Promise.all(calls);
      assert.equal(rig.inference.peak, 3);
    });
  });
});

test("header pairs past the limit are rejected", async () => {
  await withGrpc({ limits: { maxHeaderPairs: 20 } }, async (rig) => {
    const pairs = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`x-${i}`, "1"]));
    await withSession(rig, async (session) => {
      assert.equal((await rawCall(session, pairs(5), framed(requestOf(100)))).status, "0");
      const outcome = await rawCall(session, pairs(40), framed(requestOf(100))).catch(() => ({
        status: "rejected",
      }));
      assert.notEqual(outcome.status, "0");
    });
  });
});

test("headers past the limit in bytes are rejected", async () => {
  await withGrpc({ limits: { maxHeaderBytes: 8192 } }, async (rig) => {
    await withSession(rig, async (session) => {
      const big = (size: number) => ({ "x-big": "a".repeat(size) });
      assert.equal((await rawCall(session, big(7000), framed(requestOf(100)))).status, "0");
      const outcome = await rawCall(session, big(9000), framed(requestOf(100))).catch(() => ({
        status: "rejected",
      }));
      assert.notEqual(outcome.status, "0");
    });
  });
});

test("deadlines: the smallest of header, metadata and parameter wins, exactly", async () => {
  await withGrpc({}, async (rig) => {
    await withSession(rig, async (session) => {
      const slow = framed(slowRequest(40));
      const status = async (headers: Record<string, string>, frame = slow) =>
        (await rawCall(session, headers, frame)).status;
      assert.equal(await status({ "grpc-timeout": "10m" }, framed(HELD)), "4");
      assert.equal(await status({ "grpc-timeout": "1H", "x-request-timeout-ms": "10" }, framed(HELD)), "4");
      assert.equal(await status({ "grpc-timeout": "1n" }, framed(HELD)), "4");
      // grpc-js alone turns the first into an instant timeout and the second into 37 hours.
      assert.equal(await status({ "grpc-timeout": "2147484S" }), "0");
      assert.equal(await status({ "grpc-timeout": "99999999H" }), "0");
      for (const bad of ["", "10", "10s", "123456789S", "-1S"])
        assert.equal(await status({ "grpc-timeout": bad }), "3", bad);
      assert.equal(await status({ "x-request-timeout-ms": "soon" }), "3");
      assert.equal(await status({ "sconce-grpc-timeout": "1n" }), "0", "no client can set our own key");
    });
    await until("nothing runs", () => rig.inference.running === 0);
    const deadlines = rig.inference.started.map(({ deadlineMs }) => deadlineMs);
    assert.ok(deadlines.some((deadlineMs) => deadlineMs !== undefined && deadlineMs > 1e14));
  });
});

test("the timeout parameter counts microseconds and ends the call", async () => {
  await withGrpc({}, async ({ unary, inference }) => {
    const timeout = { parameterChoice: { case: "int64Param" as const, value: 15_000n } };
    const message = create(ModelInferRequestSchema, { modelName: "held", parameters: { timeout } });
    await assert.rejects(unary(INFER, TYPES, message), { code: 4 });
    await until("nothing runs", () => inference.running === 0);
    assert.equal((inference.started[0]!.signal.reason as ServeError).code, "deadline_exceeded");
  });
});

test("a timeout in weeks, years or for ever does not end the call at once", async () => {
  await withGrpc({}, async ({ unary }) => {
    const delay = { parameterChoice: { case: "int64Param" as const, value: 20n } };
    for (const parameterChoice of [
      { case: "int64Param" as const, value: 2n ** 31n * 1000n },
      { case: "int64Param" as const, value: 2n ** 53n },
      { case: "int64Param" as const, value: 2n ** 63n - 1n },
      { case: "uint64Param" as const, value: 2n ** 64n - 1n },
      { case: "doubleParam" as const, value: 1e308 },
      { case: "stringParam" as const, value: "999999999999999" },
    ]) {
      const parameters = { timeout: { parameterChoice }, delay_ms: delay };
      await unary(INFER, TYPES, create(ModelInferRequestSchema, { modelName: "slow", parameters }));
    }
  });
});

test("work that a deadline stopped is counted by the deadline, though it says that it was cancelled", async () => {
  await withGrpc({}, async ({ unary, inference, outcomes }) => {
    inference.infer = ({ signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(new ServeError("cancelled", "it was cancelled")));
      });
    const message = create(ModelInferRequestSchema, { modelName: "held" });
    const headers = { "x-request-timeout-ms": "20" };
    await assert.rejects(unary(INFER, TYPES, message, { headers }), { code: 4 });
    await until("it is counted", () => outcomes.length === 1);
    assert.equal(outcomes[0]?.code, "deadline_exceeded");
  });
});

test("a client that leaves cancels its work", async () => {
  await withGrpc({}, async (rig) => {
    await withSession(rig, async (session) => {
      const stream = session.request(GRPC);
      stream.on("error", () => {});
      stream.end(framed(HELD));
      await until("it runs", () => rig.inference.running === 1);
      stream.close(8);
      await until("nothing runs", () => rig.inference.running === 0);
      assert.equal((rig.inference.started[0]!.signal.reason as ServeError).reason, "client_left");
    });
  });
});

test("two request messages in a unary call are UNIMPLEMENTED, and so is none", async () => {
  await withGrpc({}, async (rig) => {
    await withSession(rig, async (session) => {
      const one = framed(requestOf(100));
      assert.equal((await rawCall(session, {}, Buffer.concat([one, one]))).status, "12");
      assert.equal((await rawCall(session, {}, Buffer.alloc(0))).status, "12");
    });
  });
});

test("a connection past its age is asked to leave and a new call gets a new one", async () => {
  await withGrpc({ limits: { connectionAgeMs: 50 } }, async (rig) => {
    await withSession(rig, async (session) => {
      await once(session, "goaway");
      await once(session, "close");
    });
    assert.equal((await rig.unary(INFER, TYPES, requestOf(100))).answer.modelName, "identity");
  });
});

test("a peer that answers no ping is cut", async () => {
  await withGrpc({ limits: { keepaliveMs: 30, keepaliveTimeoutMs: 30 } }, async (rig) => {
    const { connect: connectTcp } = await import("node:net");
    const socket = connectTcp(rig.port, "127.0.0.1");
    socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    socket.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]));
    socket.resume();
    await once(socket, "close");
    await until("the edge has no connection", () => rig.edge.connectionCount() === 0);
  });
});

test("a flood of reset calls ends that connection and harms no other", async () => {
  await withGrpc({}, async (rig) => {
    await withSession(rig, async (session) => {
      const gone = new Promise((resolve) => session.once("close", resolve));
      for (let round = 0; round < 60 && !session.destroyed; round++) {
        for (let i = 0; i < 90 && !session.destroyed && !session.closed; i++) {
          const stream = session.request(GRPC);
          stream.on("error", () => {});
          stream.close(8);
        }
        if (!session.destroyed) await Promise.race([pinged(session).catch(() => {}), gone]);
      }
      await gone;
    });
    assert.equal((await rig.unary(INFER, TYPES, requestOf(100))).answer.modelName, "identity");
    assert.equal(rig.inference.running, 0);
  });
});

test("messages in flight share the byte budget: n fits, one byte more is told to wait, and all is given back", async () => {
  for (const [maxBytes, expected] of [
    [2 * HELD.length + 1, 0],
    [2 * HELD.length, 0],
    [2 * HELD.length - 1, 1],
  ] as const) {
    const budget = createByteBudget({ maxBytes, maxRequests: 10 });
    await withGrpc({ edge: { budget } }, async ({ unary, inference }) => {
      let ended = 0;
      const calls = [1, 2].map(() =>
        unary(INFER, TYPES, Buffer.from(HELD))
          .then(
            () => undefined,
            (error: ServiceError) => error,
          )
          .finally(() => ended++),
      );
      await until("each call runs or was rejected", () => inference.running + ended === 2);
      inference.release();
      const rejected = (await Promise.all(calls)).filter((error) => error !== undefined);
      assert.equal(rejected.length, expected, `rejected with ${maxBytes} bytes for two of ${HELD.length}`);
      for (const { code, metadata } of rejected) {
        assert.deepEqual([code, metadata.get("grpc-retry-pushback-ms")], [14, ["1000"]]);
      }
      assert.deepEqual([budget.bytes, budget.requests, inference.running], [0, 0, 0]);
    });
  }
});
