// Tests grpc-connection.ts, and what `node:http2` is set up to do: clients that use HTTP/2 against the server.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { ModelInferRequestSchema, ModelInferResponseSchema } from "@sconce/protocol/messages";
import fc from "fast-check";
import { ManualClock } from "../../base/manual-clock.kit.ts";
import { until } from "../../base/until.kit.ts";
import type { GrpcLimits } from "./grpc-limits.ts";
import { type GrpcRig, withGrpc } from "./grpc-rig.kit.ts";
import { frameOf } from "./message-frame.ts";
import {
  callHeaders,
  FLAG,
  FRAME,
  frame,
  literal,
  openRaw,
  type RawConnection,
  SETTING,
  settings,
  uint32,
} from "./raw-http2.kit.ts";

const INFER = "/inference.GRPCInferenceService/ModelInfer";
const ENHANCE_YOUR_CALM = 11;
const QUICK = frameOf(
  toBinary(ModelInferRequestSchema, create(ModelInferRequestSchema, { modelName: "identity" })),
);
const HELD = frameOf(
  toBinary(ModelInferRequestSchema, create(ModelInferRequestSchema, { modelName: "held" })),
);

/** The server answers others as if nothing were. */
async function isUnharmed({ unary, inference }: GrpcRig): Promise<void> {
  const request = create(ModelInferRequestSchema, { modelName: "identity", id: "good" });
  const { answer } = await unary(INFER, [ModelInferRequestSchema, ModelInferResponseSchema], request);
  assert.equal(answer.id, "good");
  await until("no work of the attack is left", () => inference.running === 0);
}

interface Attack {
  readonly limits?: Partial<GrpcLimits>;
  /** How the connection begins. */
  readonly first?: Buffer;
  /** What follows, again and again until the connection is over or this many were sent. */
  readonly times: number;
  frames(index: number): Uint8Array;
}

function opened(stream: number, flags = 0): Buffer {
  return frame({ type: FRAME.headers, flags: FLAG.endHeaders | flags, stream, payload: callHeaders(INFER) });
}

function reset(stream: number): Buffer {
  return frame({ type: FRAME.reset, stream, payload: uint32(8) });
}

/** A call that runs until somebody ends it. */
function working(stream: number): Buffer {
  return Buffer.concat([
    opened(stream),
    frame({ type: FRAME.data, flags: FLAG.endStream, stream, payload: HELD }),
  ]);
}

function isAnswered({ frames }: RawConnection, call: number): boolean {
  return frames.some(
    ({ type, flags, stream }) => stream === call && type === FRAME.headers && (flags & FLAG.endStream) !== 0,
  );
}

async function attack(rig: GrpcRig, { first, times, frames }: Attack): Promise<RawConnection> {
  const raw = await openRaw(rig.port, first);
  for (let index = 0; index < times && !raw.isClosed; index++) await raw.write(frames(index));
  await raw.reached();
  return raw;
}

/** Node says GOAWAY after a broken frame, reads no more and leaves the connection to whoever finds it silent. */
const SOON: Partial<GrpcLimits> = { keepaliveMs: 200, keepaliveTimeoutMs: 200 };

/** The clock by which connections grow old and are found silent runs during an attack only: a slow machine cuts no good client. */
async function during<T>(clock: ManualClock, attacked: () => Promise<T>): Promise<T> {
  const timer = setInterval(() => clock.advance(10), 10);
  try {
    return await attacked();
  } finally {
    clearInterval(timer);
  }
}

function isCut(raw: RawConnection): Promise<void> {
  return until("the connection is cut", () => raw.isClosed);
}

/** Attacks that cost the connection. */
const FLOODS: Readonly<Record<string, Attack>> = {
  "calls that are reset at once": {
    times: 20_000,
    frames: (index) => Buffer.concat([opened(2 * index + 1), reset(2 * index + 1)]),
  },
  "calls that are reset when their work has begun": {
    times: 20_000,
    frames: (index) => Buffer.concat([working(2 * index + 1), reset(2 * index + 1)]),
  },
  "requests that are no gRPC, and are reset at once": {
    times: 20_000,
    frames: (index) => {
      const stream = 2 * index + 1;
      const payload = Buffer.concat(
        [
          [":method", "GET"],
          [":scheme", "http"],
          [":path", "/"],
        ].map(([name, value]) => literal(name!, value!)),
      );
      return Buffer.concat([
        frame({ type: FRAME.headers, flags: FLAG.endHeaders, stream, payload }),
        reset(stream),
      ]);
    },
  },
  "CONTINUATION frames without an end": {
    first: Buffer.concat([
      settings([]),
      frame({ type: FRAME.headers, stream: 1, payload: callHeaders(INFER) }),
    ]),
    times: 100_000,
    frames: (index) =>
      frame({ type: FRAME.continuation, stream: 1, payload: literal(`x-${index}`, "a".repeat(1000)) }),
  },
  "empty CONTINUATION frames": {
    first: Buffer.concat([
      settings([]),
      frame({ type: FRAME.headers, stream: 1, payload: callHeaders(INFER) }),
    ]),
    times: 100_000,
    frames: () => frame({ type: FRAME.continuation, stream: 1 }),
  },
  pings: { times: 100_000, frames: () => frame({ type: FRAME.ping, payload: Buffer.alloc(8) }) },
  settings: { times: 100_000, frames: (index) => settings([[SETTING.headerTableSize, index % 4096]]) },
  "empty settings": { times: 100_000, frames: () => settings([]) },
  "empty DATA frames": {
    first: Buffer.concat([settings([]), opened(1)]),
    times: 100_000,
    frames: () => frame({ type: FRAME.data, stream: 1 }),
  },
  "calls that are reset after the client said GOAWAY": {
    limits: SOON,
    times: 1,
    frames: () => {
      const calls = Array.from({ length: 60 }, (_, index) => 2 * index + 1);
      const goaway = frame({ type: FRAME.goaway, payload: Buffer.concat([uint32(0), uint32(1)]) });
      return Buffer.concat([...calls.map(working), goaway, ...calls.map(reset)]);
    },
  },
  "window updates past the largest window": {
    limits: SOON,
    times: 4,
    frames: () => frame({ type: FRAME.windowUpdate, payload: uint32(2 ** 31 - 1) }),
  },
  "more data than the window allows": {
    limits: SOON,
    first: Buffer.concat([settings([]), opened(1)]),
    times: 100,
    frames: () => frame({ type: FRAME.data, stream: 1, payload: Buffer.alloc(17_000) }),
  },
  "frames larger than was agreed": {
    limits: SOON,
    times: 1,
    frames: () => frame({ type: FRAME.ping, payload: Buffer.alloc(100_000) }),
  },
  "a header table that is smaller than the client uses": {
    limits: SOON,
    times: 1,
    frames: () =>
      frame({
        type: FRAME.headers,
        flags: FLAG.endHeaders,
        stream: 1,
        payload: Buffer.from([0xff, 0xff, 0x7f]),
      }),
  },
};

for (const [what, flood] of Object.entries(FLOODS)) {
  test(`a flood of ${what} costs its connection, and nobody else`, async () => {
    const activeClock = new ManualClock();
    await withGrpc({ limits: flood.limits ?? {}, edge: { activeClock } }, async (rig) => {
      await during(activeClock, async () => isCut(await attack(rig, flood)));
      await isUnharmed(rig);
    });
  });
}

test("calls that one client sends by the thousand are opened over many turns, between which others are served", async () => {
  await withGrpc({ limits: { maxStreams: 5000 } }, async ({ port, inference }) => {
    const raw = await openRaw(port);
    await raw.reached();
    let [most, before] = [0, 0];
    const look = (): void => {
      const { length } = inference.started;
      [most, before] = [Math.max(most, length - before), length];
      if (length < 1500) setImmediate(look);
    };
    look();
    await raw.write(Buffer.concat(Array.from({ length: 1500 }, (_, index) => working(2 * index + 1))));
    await until("all are begun", () => before === 1500);
    // What came with the call that was one too many is at hand, and is not left.
    assert.ok(most < 600, `${most} in one turn`);
    inference.release();
    raw.socket.destroy();
  });
});

test("a client that pings with everything that it receives is no flood", async () => {
  await withGrpc({ limits: { controlFrameBurst: 5, controlFrameRate: 0 } }, async (rig) => {
    const raw = await openRaw(rig.port);
    const ping = frame({ type: FRAME.ping, payload: Buffer.alloc(8) });
    for (let index = 0; index < 50; index++) {
      const stream = 2 * index + 1;
      const message = frame({ type: FRAME.data, flags: FLAG.endStream, stream, payload: QUICK });
      await raw.write(Buffer.concat([opened(stream), message, ping]));
      await until("it is answered", () => isAnswered(raw, stream));
    }
    assert.equal(raw.isClosed, false);
    for (let index = 0; index < 10; index++) await raw.write(ping);
    await until("the connection is cut", () => raw.isClosed);
    assert.ok(raw.goaways().includes(ENHANCE_YOUR_CALM), `${raw.goaways()}`);
  });
});

test("headers that grow in the table (an HPACK bomb) are refused before they are a call", async () => {
  await withGrpc({}, async (rig) => {
    const raw = await openRaw(rig.port);
    const entry = literal("x-bomb", "b".repeat(3900), true);
    // 62 is the newest entry of the dynamic table.
    const bomb = Buffer.concat([callHeaders(INFER), entry, Buffer.alloc(12_000, 0x80 | 62)]);
    const before = process.memoryUsage().rss;
    for (let index = 0; index < 50 && !raw.isClosed; index++) {
      const stream = 2 * index + 1;
      await raw.write(
        frame({ type: FRAME.headers, flags: FLAG.endHeaders | FLAG.endStream, stream, payload: bomb }),
      );
    }
    await raw.reached();
    assert.equal(rig.inference.started.length, 0);
    assert.ok(process.memoryUsage().rss - before < 128 * 1024 * 1024, "the headers were kept");
    await isUnharmed(rig);
    raw.socket.destroy();
  });
});

test("streams that the server must reset do not work on, and are bounded like others", async () => {
  /** What makes a server reset a stream that is open. */
  const provocations: Readonly<Record<string, (stream: number) => Buffer>> = {
    "a window update of nothing": (stream) => frame({ type: FRAME.windowUpdate, stream, payload: uint32(0) }),
    "a window past the largest": (stream) =>
      frame({ type: FRAME.windowUpdate, stream, payload: uint32(2 ** 31 - 1) }),
    "data after the end": (stream) => frame({ type: FRAME.data, stream, payload: HELD }),
    "headers after the end": (stream) => opened(stream),
  };
  for (const [what, provoke] of Object.entries(provocations)) {
    const activeClock = new ManualClock();
    await withGrpc({ limits: { ...SOON, maxStreams: 10 }, edge: { activeClock } }, async (rig) => {
      const frames = (index: number) => Buffer.concat([working(2 * index + 1), provoke(2 * index + 1)]);
      const raw = await during(activeClock, () => attack(rig, { times: 3000, frames }));
      assert.ok(rig.inference.peak <= 20, `${rig.inference.peak} run at once after ${what}`);
      raw.socket.destroy();
      await isUnharmed(rig);
    });
  }
});

test("a connection that ended in an error, and whose client has gone, does not hold up the end of the server", async () => {
  for (const provoke of [
    frame({ type: FRAME.data, stream: 1, payload: HELD }),
    frame({ type: FRAME.priority, stream: 1, payload: Buffer.from([0, 0, 0, 1, 1]) }),
  ]) {
    await withGrpc({}, async (rig) => {
      const raw = await openRaw(rig.port);
      await raw.write(Buffer.concat([working(1), provoke]));
      await until("the server says that it is over", () =>
        raw.frames.some(({ type }) => type === FRAME.goaway),
      );
      raw.socket.destroy();
      await rig.edge.close();
      assert.equal(rig.edge.connectionCount(), 0);
    });
  }
});

test("a client that opens no window holds as many calls as it may have, and loses them when its connection is old", async () => {
  const activeClock = new ManualClock();
  await withGrpc(
    { limits: { maxStreams: 20, connectionAgeMs: 300, connectionAgeGraceMs: 100 }, edge: { activeClock } },
    async (rig) => {
      const raw = await openRaw(rig.port, settings([[SETTING.initialWindowSize, 0]]));
      for (let index = 0; index < 60; index++) await raw.write(working(2 * index + 1));
      await until("they run", () => rig.inference.running === 20);
      rig.inference.release();
      await during(activeClock, () => isCut(raw));
      assert.ok(rig.inference.started.length <= 40, `${rig.inference.started.length} were begun`);
      await isUnharmed(rig);
    },
  );
});

test("windows that open and close harm nobody, and their calls are answered", async () => {
  await withGrpc({}, async (rig) => {
    const raw = await openRaw(rig.port, settings([[SETTING.initialWindowSize, 0]]));
    await raw.write(working(1));
    await until("it runs", () => rig.inference.running === 1);
    rig.inference.release();
    for (const size of [1, 0, 7, 0, 2 ** 31 - 1, 0, 3, 65_535]) {
      await raw.write(settings([[SETTING.initialWindowSize, size]]));
      await raw.reached();
    }
    await until("it is answered", () => isAnswered(raw, 1));
    const message = raw.frames.filter(({ type, stream }) => type === FRAME.data && stream === 1);
    assert.ok(message.length > 1, "it came in pieces");
    raw.socket.destroy();
    await isUnharmed(rig);
  });
});

test("the end of a call cannot be held back: it is answered, reset or cut, whatever follows the message", async () => {
  const activeClock = new ManualClock();
  await withGrpc({ limits: SOON, edge: { activeClock } }, async (rig) => {
    const raw = await openRaw(rig.port);
    // Half a frame: the rest never comes.
    await raw.write(
      Buffer.concat([working(1), frame({ type: FRAME.data, stream: 3, payload: HELD }).subarray(0, 7)]),
    );
    await until("it runs", () => rig.inference.running === 1);
    // Its pings stay unanswered, since it cannot write them.
    await during(activeClock, () => isCut(raw));
    await isUnharmed(rig);
  });
});

/** Frames that mean little, and calls in which some bytes are wrong. */
const WILD: fc.Arbitrary<Buffer> = fc.oneof(
  fc
    .array(
      fc.record({
        type: fc.nat(12),
        flags: fc.nat(255),
        stream: fc.oneof(fc.nat(9), fc.nat(2 ** 31 - 1)),
        payload: fc.oneof(
          fc.uint8Array({ maxLength: 40 }),
          fc.constant(callHeaders(INFER)),
          fc.constant(HELD),
        ),
      }),
      { maxLength: 12 },
    )
    .map((frames) => Buffer.concat(frames.map(frame))),
  fc
    .array(fc.tuple(fc.nat(working(1).length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
    .map((changes) => {
      const bytes = working(1);
      for (const [at, value] of changes) bytes[at] = value;
      return bytes;
    }),
);

test("frames made up at random, and calls with wrong bytes, end at most their own connection", async () => {
  const activeClock = new ManualClock();
  await withGrpc({ limits: SOON, edge: { activeClock } }, async (rig) => {
    const cases = fc.sample(WILD, { numRuns: 400, seed: 20_261_130 });
    const lane = async (): Promise<void> => {
      for (let bytes = cases.pop(); bytes !== undefined; bytes = cases.pop()) {
        const raw = await openRaw(rig.port);
        await raw.write(bytes);
        await raw.reached();
        raw.socket.destroy();
      }
    };
    await during(activeClock, () => Promise.all(Array.from({ length: 40 }, lane)));
    await isUnharmed(rig);
  });
});
