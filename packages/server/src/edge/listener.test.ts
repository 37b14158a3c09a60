import assert from "node:assert/strict";
import { once } from "node:events";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { createServer as createHttp1, type Server } from "node:http";
import { connect as connectHttp2, createServer as createHttp2, type Http2Server } from "node:http2";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { systemClock } from "../base/clock.ts";
import { ManualClock } from "../base/manual-clock.kit.ts";
import { until } from "../base/until.kit.ts";
import {
  createListener,
  DEFAULT_LISTENER_LIMITS,
  type Listener,
  type ListenerOptions,
  type RejectionReason,
} from "./listener.ts";

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

interface Rig extends AsyncDisposable {
  readonly listener: Listener;
  readonly port: number;
  readonly rejected: RejectionReason[];
}

/** Real HTTP/1 and HTTP/2 servers that echo bodies, behind a listener on a free port. */
async function rig(options: Partial<ListenerOptions> = {}): Promise<Rig> {
  const rejected: RejectionReason[] = [];
  const http1: Server = createHttp1(async (request, response) => {
    response.end(`${request.method} ${request.url} ${await text(request)}`);
  });
  const http2: Http2Server = createHttp2();
  http2.on("stream", (stream, headers) => {
    stream.respond({ ":status": 200 });
    stream.end(`h2 ${headers[":path"]}`);
  });
  const listener = createListener({
    clock: systemClock,
    onHttp1: (socket) => http1.emit("connection", socket),
    onHttp2: (socket) => http2.emit("connection", socket),
    onRejected: (reason) => rejected.push(reason),
    ...options,
  });
  const { port } = await listener.listen("127.0.0.1", 0);
  const dispose = async () => {
    listener.destroy();
    await listener.close();
  };
  return { listener, port, rejected, [Symbol.asyncDispose]: dispose };
}

async function using(options: Partial<ListenerOptions>, body: (rig: Rig) => Promise<void>): Promise<void> {
  const it = await rig(options);
  try {
    await body(it);
  } finally {
    await it[Symbol.asyncDispose]();
  }
}

async function getHttp2(port: number, path: string): Promise<string> {
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  try {
    const request = session.request({ ":path": path });
    return await text(request);
  } finally {
    session.close();
  }
}

/** Writes one byte per turn of the event loop, so that every split of the bytes happens. */
async function trickle(socket: Socket, bytes: Buffer): Promise<void> {
  for (const byte of bytes) {
    socket.write(Buffer.of(byte));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test("fetch with keep-alive and HTTP/2 share a port", async () => {
  await using({}, async ({ port, listener }) => {
    for (let i = 0; i < 3; i++) {
      const body = i === 1 ? "x".repeat(300_000) : `body ${i}`;
      const response = await fetch(`http://127.0.0.1:${port}/a${i}`, { method: "POST", body });
      assert.equal(await response.text(), `POST /a${i} ${body}`);
    }
    assert.equal(await getHttp2(port, "/b"), "h2 /b");
    assert.ok(listener.connectionCount() >= 1);
  });
});

test("pipelined HTTP/1 requests arrive in order", async () => {
  await using({}, async ({ port }) => {
    const socket = connect(port, "127.0.0.1");
    const last = "GET /2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    socket.write(`GET /1 HTTP/1.1\r\nHost: x\r\n\r\n${last}`);
    const answer = await text(socket);
    assert.ok(answer.indexOf("GET /1") > 0 && answer.indexOf("GET /2") > answer.indexOf("GET /1"), answer);
  });
});

test("an HTTP/1 request that comes byte by byte is served, also when it begins like the preface", async () => {
  for (const method of ["GET", "PUT", "PROPFIND", "POST"]) {
    await using({}, async ({ port }) => {
      const socket = connect(port, "127.0.0.1");
      const answer = text(socket);
      const head = `${method} /p HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi`;
      await trickle(socket, Buffer.from(head));
      assert.match(await answer, new RegExp(`${method} /p hi`));
    });
  }
});

test("an HTTP/2 preface that comes byte by byte reaches the HTTP/2 server", async () => {
  await using({}, async ({ port }) => {
    const socket = connect(port, "127.0.0.1");
    await trickle(socket, Buffer.from(PREFACE));
    const emptySettings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    await trickle(socket, emptySettings);
    const [frame] = (await once(socket, "data")) as [Buffer];
    assert.equal(frame[3], 4, "the server's first frame is SETTINGS");
    socket.destroy();
  });
});

test("a connection that ends half-way into the preface is closed", async () => {
  await using({}, async ({ port, listener }) => {
    const socket = connect(port, "127.0.0.1");
    socket.end("PRI * HT");
    socket.resume();
    await once(socket, "close");
    assert.equal(listener.connectionCount(), 0);
  });
});

test("a silent connection is closed after the timeout, a decided one is not", async () => {
  const limits = { ...DEFAULT_LISTENER_LIMITS, firstBytesTimeoutMs: 40 };
  const clock = new ManualClock();
  await using({ limits, clock }, async ({ port, listener, rejected }) => {
    const decided = connect(port, "127.0.0.1");
    decided.write("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n");
    await once(decided, "data");
    const silent = connect(port, "127.0.0.1");
    silent.resume();
    await until("both are connected", () => listener.connectionCount() === 2);
    clock.advance(40);
    await once(silent, "close");
    assert.deepEqual(rejected, ["first_bytes_timeout"]);
    decided.write("GET /2 HTTP/1.1\r\nHost: x\r\n\r\n");
    assert.match(String((await once(decided, "data"))[0]), /GET \/2/);
    decided.destroy();
  });
});

/** Opens `count` connections and says which of them still answer. */
async function served(port: number, count: number): Promise<number> {
  const sockets: Socket[] = [];
  let answered = 0;
  for (let i = 0; i < count; i++) {
    const socket = connect(port, "127.0.0.1");
    sockets.push(socket);
    socket.on("error", () => {});
    socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    answered += await Promise.race([once(socket, "data").then(() => 1), once(socket, "close").then(() => 0)]);
  }
  for (const socket of sockets) socket.destroy();
  return answered;
}

test("connections per address: the limit is served, one more is rejected", async () => {
  const limits = { ...DEFAULT_LISTENER_LIMITS, maxConnectionsPerAddress: 3 };
  for (const [count, expected] of [
    [2, 2],
    [3, 3],
    [4, 3],
  ] as const) {
    await using({ limits, unlimited: [] }, async ({ port, rejected }) => {
      assert.equal(await served(port, count), expected);
      assert.equal(rejected.filter((r) => r === "connections_per_address").length, count - expected);
    });
  }
});

test("listed networks have no limit per address, but count in the total", async () => {
  const limits = { ...DEFAULT_LISTENER_LIMITS, maxConnectionsPerAddress: 2, maxConnections: 5 };
  for (const [count, expected] of [
    [4, 4],
    [5, 5],
    [6, 5],
  ] as const) {
    await using({ limits }, async ({ port, rejected }) => {
      assert.equal(await served(port, count), expected);
      assert.equal(rejected.filter((r) => r === "connections").length, count - expected);
    });
  }
});

test("the last file descriptors are not given to connections, and those that were rejected get in later", async () => {
  const next = openSync("/dev/null", "r");
  closeSync(next);
  const limits = { ...DEFAULT_LISTENER_LIMITS, maxDescriptors: next + 10 };
  await using({ limits }, async ({ port, rejected, listener }) => {
    // Both ends are in this process.
    const answered = await served(port, 10);
    assert.ok(answered >= 3 && answered <= 6, `${answered} answered`);
    assert.deepEqual(new Set(rejected), new Set(["descriptors"]));
    while (listener.connectionCount() > 0) await new Promise((resolve) => setImmediate(resolve));
    assert.ok((await served(port, 2)) > 0);
  });
});

/** The timer field of the server's end of a connection in /proc/net/tcp: `02` is that of a probe. */
function timerOf(local: number, remote: number): string | undefined {
  const hex = (port: number): string => port.toString(16).toUpperCase().padStart(4, "0");
  const line = readFileSync("/proc/net/tcp", "utf8")
    .split("\n")
    .find((text) => text.includes(`:${hex(local)} `) && text.includes(`:${hex(remote)} 01 `));
  return line?.trim().split(/\s+/)[5]?.split(":")[0];
}

test("the system probes silent connections, so that peers that vanished are found out", {
  skip: existsSync("/proc/net/tcp") ? false : "there is no /proc/net/tcp",
}, async () => {
  await using({}, async ({ port }) => {
    const socket = connect(port, "127.0.0.1");
    socket.write("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n");
    await once(socket, "data");
    // The response's own timer runs until it is acknowledged.
    await until("the timer is that of a probe", () => timerOf(port, socket.localPort!) === "02");
    socket.destroy();
  });
});

test("a closed connection gives its place back", async () => {
  const limits = { ...DEFAULT_LISTENER_LIMITS, maxConnectionsPerAddress: 1 };
  await using({ limits, unlimited: [] }, async ({ port, listener }) => {
    for (let i = 0; i < 3; i++) {
      assert.equal(await served(port, 1), 1);
      while (listener.connectionCount() > 0) await new Promise((resolve) => setImmediate(resolve));
    }
  });
});

test("stopAccepting lets open connections go on; close waits for them", async () => {
  await using({}, async ({ port, listener }) => {
    const socket = connect(port, "127.0.0.1");
    socket.write("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n");
    await once(socket, "data");
    listener.stopAccepting();
    await assert.rejects(fetch(`http://127.0.0.1:${port}/`));
    const closed = listener.close();
    socket.write("GET /2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert.match(await text(socket), /GET \/2/);
    await closed;
    assert.equal(listener.connectionCount(), 0);
  });
});

test("clients whose connections the system holds are answered, however many they are, when the port closes", async () => {
  await using({}, async ({ port, listener }) => {
    const sockets = Array.from({ length: 100 }, () => connect(port, "127.0.0.1"));
    const answers = sockets.map((socket) => text(socket));
    for (const socket of sockets) socket.write("GET /1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    await new Promise<void>((resolve) => process.nextTick(resolve));
    assert.equal(listener.connectionCount(), 0);
    await listener.acceptWaiting();
    listener.stopAccepting();
    for (const answer of await Promise.all(answers)) assert.match(answer, /GET \/1/);
  });
});

test("listen rejects when the port is taken", async () => {
  await using({}, async ({ port }) => {
    const second = createListener({ clock: systemClock, onHttp1() {}, onHttp2() {} });
    await assert.rejects(second.listen("127.0.0.1", port), { code: "EADDRINUSE" });
  });
});
