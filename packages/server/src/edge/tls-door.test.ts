import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttp1 } from "node:http";
import { connect as connectHttp2, performServerHandshake } from "node:http2";
import { request } from "node:https";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import { type Clock, systemClock } from "../base/clock.ts";
import { ManualClock } from "../base/manual-clock.kit.ts";
import { until } from "../base/until.kit.ts";
import { type MadeCertificate, makeCertificate } from "./certificates.kit.ts";
import { createListener, DEFAULT_LISTENER_LIMITS, type Listener, type ListenerLimits } from "./listener.ts";
import { createTlsDoor, type TlsDoor } from "./tls-door.ts";

const ca = makeCertificate({ name: "our CA", isCa: true });
const first = makeCertificate({ name: "first", by: ca });
const second = makeCertificate({ name: "second", by: ca });

interface Rig {
  readonly listener: Listener;
  readonly door: TlsDoor;
  readonly port: number;
  readonly rejected: string[];
}

/** HTTP/1 and HTTP/2 behind one port that speaks TLS. */
async function rig(
  limits: Partial<ListenerLimits> = {},
  { clientCa, clock = systemClock }: { readonly clientCa?: Buffer; readonly clock?: Clock } = {},
): Promise<Rig> {
  const rejected: string[] = [];
  const http1 = createHttp1(async (request, response) => {
    response.end(`${request.url} ${await text(request)}`);
  });
  const door = createTlsDoor({ ...first, clientCa }, 10_000);
  const listener = createListener({
    clock,
    tls: door,
    limits: { ...DEFAULT_LISTENER_LIMITS, ...limits },
    onHttp1: (socket) => http1.emit("connection", socket),
    onHttp2: (socket) => {
      performServerHandshake(socket).on("stream", (stream, headers) => {
        stream.respond({ ":status": 200 });
        stream.end(`h2 ${headers[":path"]}`);
      });
    },
    onRejected: (reason) => rejected.push(reason),
  });
  const { port } = await listener.listen("127.0.0.1", 0);
  return { listener, door, port, rejected };
}

const trusting = { ca: ca.cert, servername: "localhost" };

async function secure(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connectTls({ port, host: "127.0.0.1", ...trusting, ...options });
  await once(socket, "secureConnect");
  return socket;
}

async function post(port: number, body: string): Promise<string> {
  const call = request({ port, host: "127.0.0.1", method: "POST", path: "/x", ...trusting, agent: false });
  call.end(body);
  const [response] = await once(call, "response");
  return await text(response);
}

async function getHttp2(port: number): Promise<string> {
  const session = connectHttp2(`https://127.0.0.1:${port}`, trusting);
  try {
    return await text(session.request({ ":path": "/y" }));
  } finally {
    session.close();
  }
}

function nameOf(socket: TLSSocket): string | undefined {
  return socket.getPeerCertificate().subject.CN as string | undefined;
}

let it: Rig;
before(async () => {
  it = await rig();
});
after(() => it.listener.destroy());

test("HTTP/1.1 and HTTP/2 share a port that speaks TLS", async () => {
  assert.equal(await post(it.port, "z".repeat(100_000)), `/x ${"z".repeat(100_000)}`);
  assert.equal(await getHttp2(it.port), "h2 /y");
  const socket = await secure(it.port);
  assert.equal(socket.alpnProtocol, false, "a client without ALPN is told by its first bytes");
  socket.write("GET /z HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  assert.match(await text(socket), /\/z /);
});

test("a client that forgot TLS is told so, in its own protocol", async () => {
  const http1 = connect(it.port, "127.0.0.1");
  http1.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  assert.match(
    await text(http1),
    /^HTTP\/1\.1 400 .*"this port speaks TLS: use https:\/\/[^"]*","reason":"tls_required"/s,
  );
  const http2 = connectHttp2(`http://127.0.0.1:${it.port}`);
  http2.on("error", () => {});
  const [code, , words] = await once(http2, "goaway");
  assert.equal(code, 0xc);
  assert.match(String(words), /this port speaks TLS/);
  http2.destroy();
});

test("nothing older than TLS 1.2, no cipher without forward secrecy and authentication", async () => {
  const refused: readonly ConnectionOptions[] = [
    { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT:@SECLEVEL=0" },
    { maxVersion: "TLSv1.2", ciphers: "ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA" },
    { maxVersion: "TLSv1.2", ciphers: "AES128-GCM-SHA256" },
    { ALPNProtocols: ["spdy/3"] },
  ];
  for (const options of refused) {
    await assert.rejects(secure(it.port, options), JSON.stringify(options));
  }
  for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
    const socket = await secure(it.port, { maxVersion });
    assert.equal(socket.getProtocol(), maxVersion);
    assert.match(socket.getCipher().standardName, /_GCM_SHA256$/);
    socket.destroy();
  }
  assert.ok(it.rejected.includes("tls_failed"));
});

test("a new certificate is shown to new connections, and open ones go on", async () => {
  const open = await secure(it.port, { ALPNProtocols: ["http/1.1"] });
  const session = connectHttp2(`https://127.0.0.1:${it.port}`, trusting);
  assert.equal(await text(session.request({ ":path": "/before" })), "h2 /before");
  it.door.replace({ ...second, clientCa: undefined });
  const later = await secure(it.port);
  assert.deepEqual([nameOf(open), nameOf(later)], ["first", "second"]);
  open.write("GET /z HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  assert.match(await text(open), /\/z /);
  assert.equal(await text(session.request({ ":path": "/after" })), "h2 /after");
  session.close();
  later.destroy();
});

test("a certificate that cannot be used changes nothing", async () => {
  const broken: readonly Partial<MadeCertificate>[] = [
    { cert: Buffer.from("no PEM") },
    { key: first.key.subarray(0, 80) },
    { cert: second.cert, key: first.key },
  ];
  for (const wrong of broken) {
    assert.throws(() => it.door.replace({ ...first, ...wrong, clientCa: undefined }));
    const socket = await secure(it.port);
    assert.equal(nameOf(socket), "second");
    socket.destroy();
  }
});

test("with a CA for clients, only who has a certificate of it comes in", async () => {
  const mutual = await rig({}, { clientCa: ca.cert });
  try {
    const client = makeCertificate({ name: "client", by: ca });
    const stranger = makeCertificate({ name: "client", by: makeCertificate({ name: "our CA", isCa: true }) });
    const expired = makeCertificate({ name: "client", by: ca, notAfter: new Date(Date.now() - 1000) });
    const asks = async (options: ConnectionOptions): Promise<string> => {
      const socket = await secure(mutual.port, { ALPNProtocols: ["http/1.1"], ...options });
      socket.end("GET /in HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
      return await text(socket).catch((error: Error) => error.message);
    };
    assert.match(await asks({ cert: client.cert, key: client.key }), /\/in /);
    const none = { cert: undefined, key: undefined };
    for (const { cert, key } of [none, stranger, expired]) {
      const options = cert === undefined ? {} : { cert, key };
      // With TLS 1.3 a client learns of it after its side of the handshake.
      assert.doesNotMatch(await asks(options), /\/in/);
      await assert.rejects(asks({ ...options, maxVersion: "TLSv1.2" }));
    }
    await until("no connection is left", () => mutual.listener.connectionCount() === 0);
  } finally {
    mutual.listener.destroy();
  }
});

/** Connections that begin a handshake and stop. */
async function halfOpen(port: number, count: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  for (let i = 0; i < count; i++) {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    await once(socket, "connect");
    socket.write(Buffer.of(0x16, 3, 1, 2));
    sockets.push(socket);
  }
  return sockets;
}

test("handshakes that are never finished are bounded in time and number", async () => {
  const clock = new ManualClock();
  const small = await rig({ maxHandshakes: 4 }, { clock });
  try {
    const sockets = await halfOpen(small.port, 4);
    await until("four handshakes have begun", () => small.listener.undecidedCount() === 4);
    const fifth = connect(small.port, "127.0.0.1");
    fifth.on("error", () => {});
    await once(fifth, "close");
    assert.deepEqual(small.rejected, ["handshakes"]);
    clock.advance(DEFAULT_LISTENER_LIMITS.firstBytesTimeoutMs);
    await Promise.all(sockets.map((socket) => socket.closed || once(socket, "close")));
    await until("no connection is left", () => small.listener.connectionCount() === 0);
    assert.equal(small.listener.undecidedCount(), 0);
    assert.equal(await post(small.port, "again"), "/x again");
  } finally {
    small.listener.destroy();
  }
});

test("closing and cutting reach connections behind TLS", async () => {
  const own = await rig();
  const silent = await secure(own.port);
  const kept = connectHttp2(`https://127.0.0.1:${own.port}`, trusting);
  kept.on("error", () => {});
  assert.equal(await text(kept.request({ ":path": "/" })), "h2 /");
  assert.equal(own.listener.connectionCount(), 2);
  const closed = own.listener.close();
  await once(silent.resume(), "close");
  assert.equal(own.listener.connectionCount(), 1);
  own.listener.destroy();
  await closed;
  if (!kept.closed) await once(kept, "close");
});
