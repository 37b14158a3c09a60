// Tests a whole server whose port speaks TLS: REST and gRPC, certificates that change under it, and the way it ends.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { request } from "node:https";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { connect as connectTls, type TLSSocket } from "node:tls";
import type { Logger } from "../base/logger.ts";
import { until } from "../base/until.kit.ts";
import { loadConfig } from "../config/load-config.ts";
import { type MadeCertificate, makeCertificate, makeRevocationList } from "../edge/certificates.kit.ts";
import { unary } from "../runtime/onnx/tiny-onnx.kit.ts";
import { type RunningServer, startServer } from "./start-server.ts";

const folder = mkdtempSync(join(tmpdir(), "sconce-tls-"));
const DIMS = ["batch", 2];
const model = join(folder, "negate.onnx");
writeFileSync(model, unary("Neg", { name: "x", type: "FP32", dims: DIMS }, { type: "FP32", dims: DIMS }));
const [certFile, keyFile] = [join(folder, "tls.crt"), join(folder, "tls.key")];
const ca = makeCertificate({ name: "our CA", isCa: true });

/** By renaming, as whoever renews certificates should. */
function write({ cert, key }: Pick<MadeCertificate, "cert" | "key">): void {
  for (const [path, bytes] of [
    [certFile, cert],
    [keyFile, key],
  ] as const) {
    writeFileSync(`${path}.new`, bytes);
    renameSync(`${path}.new`, path);
  }
}

const lines: string[] = [];
const log = (_fields: object, message: string): void => {
  lines.push(message);
};
const logger: Logger = { debug() {}, info: log, warn: log, error: log, child: () => logger };
const flags = (...more: [string, string][]): Map<string, string> =>
  new Map([
    ["--port", "0"],
    ["--tls-cert", certFile],
    ["--tls-key", keyFile],
    ["--reload-interval", "100ms"],
    ...more,
  ]);

let server: RunningServer;
before(async () => {
  write(makeCertificate({ name: "first", by: ca }));
  server = await startServer({ paths: [model], config: loadConfig({ flags: flags() }), logger });
  await server.settled;
});
after(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

async function predict(url: string): Promise<unknown> {
  const call = request(`${url}/predict/negate`, { method: "POST", ca: ca.cert, agent: false });
  call.end('{"input":[1,2]}');
  const [response] = await once(call, "response");
  return JSON.parse(await text(response));
}

async function secure(url: string): Promise<TLSSocket> {
  const socket = connectTls({ port: Number(new URL(url).port), host: "127.0.0.1", ca: ca.cert });
  await once(socket, "secureConnect");
  return socket;
}

async function shownName(): Promise<unknown> {
  const socket = await secure(server.url);
  const name = socket.getPeerCertificate().subject.CN;
  socket.destroy();
  return name;
}

test("REST and gRPC answer on one port that speaks TLS", async () => {
  assert.match(server.url, /^https:/);
  assert.deepEqual(await predict(server.url), { prediction: [-1, -2] });
  const grpc = createRequire(import.meta.url)("@grpc/grpc-js") as typeof import("@grpc/grpc-js");
  // This client names its target to TLS, where newer Nodes take no address.
  const name = { "grpc.ssl_target_name_override": "localhost" };
  const client = new grpc.Client(new URL(server.url).host, grpc.credentials.createSsl(ca.cert), name);
  const ready = await new Promise<Buffer>((resolve, reject) => {
    const path = "/inference.GRPCInferenceService/ServerReady";
    const identity = (bytes: Buffer): Buffer => bytes;
    client.makeUnaryRequest(path, identity, identity, Buffer.alloc(0), (error, answer) =>
      error === null ? resolve(answer!) : reject(error),
    );
  });
  client.close();
  assert.deepEqual([...ready], [8, 1], "ServerReadyResponse { ready: true }");
});

test("a certificate that was renewed is shown without a restart, and no connection is dropped", async () => {
  const kept = await secure(server.url);
  const session = connectHttp2(server.url, { ca: ca.cert });
  await once(session, "connect");
  write(makeCertificate({ name: "second", by: ca }));
  await until("the new certificate is shown", async () => (await shownName()) === "second");
  kept.write("GET /v2/health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  assert.match(await text(kept), /^HTTP\/1\.1 200/);
  assert.ok(!session.closed);
  session.destroy();
});

test("a certificate that cannot be used leaves the one before, and the log says why", async () => {
  const [good, other] = [makeCertificate({ name: "third", by: ca }), makeCertificate({ name: "x", by: ca })];
  const broken: readonly (readonly [Pick<MadeCertificate, "cert" | "key">, RegExp])[] = [
    [{ cert: good.cert, key: other.key }, /--tls-key: this is not the key of the certificate/],
    [{ cert: good.cert, key: Buffer.from("SECRET") }, /--tls-key: .* is not a PEM file/],
    [{ cert: good.cert.subarray(0, 90), key: good.key }, /--tls-cert: the file holds no certificate/],
  ];
  for (const [certificate, words] of broken) {
    write(certificate);
    await server.reload();
    assert.match(lines.at(-1)!, words);
    assert.match(lines.at(-1)!, /What was read before stays in force/);
    assert.equal(await shownName(), "second");
  }
  rmSync(certFile);
  await server.reload();
  assert.equal(await shownName(), "second");
  write(good);
  await server.reload();
  assert.equal(await shownName(), "third");
  assert.ok(!lines.some((line) => line.includes("SECRET")));
});

test("a server with TLS drains: who has begun gets its answer", async () => {
  const own = await startServer({ paths: [model], config: loadConfig({ flags: flags() }), logger });
  await own.settled;
  const [idle, busy] = [await secure(own.url), await secure(own.url)];
  const session = connectHttp2(own.url, { ca: ca.cert });
  await once(session, "connect");
  const body = '{"input":[1,2]}';
  busy.write(`POST /predict/negate HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n`);
  await new Promise((resolve) => setImmediate(resolve));
  const stopped = own.stop();
  busy.write(body);
  assert.match(await text(busy), /\{"prediction":\[-1,-2\]\}$/);
  idle.resume();
  await Promise.all([stopped, idle.closed || once(idle, "close"), session.closed || once(session, "close")]);
});

test("a client whose certificate is revoked is let in no more, not even with a session of before", async () => {
  const [clientCa, crl] = [join(folder, "clients.crt"), join(folder, "revoked.pem")];
  const clients = makeCertificate({ name: "clients", isCa: true });
  const [kept, leaked] = ["kept", "leaked"].map((name) => makeCertificate({ name, by: clients })) as [
    MadeCertificate,
    MadeCertificate,
  ];
  writeFileSync(clientCa, clients.cert);
  writeFileSync(crl, makeRevocationList(clients, []));
  const config = loadConfig({ flags: flags(["--tls-client-ca", clientCa], ["--tls-crl", crl]) });
  const own = await startServer({ paths: [model], config, logger });
  await own.settled;
  const { hostname: host, port } = new URL(own.url);
  /** Whether the server answers: with TLS 1.3 a client hears of a refusal after its own handshake. */
  const isLetIn = (
    { cert, key }: MadeCertificate,
    options: { session?: Buffer; seen?(ticket: Buffer): void } = {},
  ) =>
    new Promise<boolean>((resolve) => {
      const { session, seen } = options;
      const tls = { host, port: Number(port), ca: ca.cert, cert, key, ...(session && { session }) };
      const socket = connectTls(tls, () =>
        socket.write("GET /v2/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"),
      );
      socket.on("session", (ticket) => seen?.(ticket));
      socket.once("data", (bytes) => {
        socket.destroy();
        resolve(bytes.toString().startsWith("HTTP/1.1 200"));
      });
      socket.on("error", () => resolve(false));
      socket.on("close", () => resolve(false));
    });
  let session: Buffer | undefined;
  assert.equal(await isLetIn(leaked, { seen: (ticket) => (session = ticket) }), true);
  writeFileSync(crl, makeRevocationList(clients, [leaked]));
  await own.reload();
  assert.equal(await isLetIn(leaked), false);
  assert.ok(session !== undefined);
  assert.equal(await isLetIn(leaked, { session }), false);
  assert.equal(await isLetIn(kept), true);
  // What cannot be read leaves the list before in force.
  writeFileSync(crl, "-----BEGIN X509 CRL-----\nnone\n-----END X509 CRL-----\n");
  await own.reload();
  assert.match(lines.at(-1)!, /--tls-crl: the file holds no list/);
  assert.equal(await isLetIn(leaked), false);
  // A list that is older than it says could be any: nobody is let in.
  writeFileSync(crl, makeRevocationList(clients, [], new Date(Date.now() - 60_000)));
  await own.reload();
  assert.equal(await isLetIn(kept), false);
  await own.stop();
  const alone = loadConfig({ flags: flags(["--tls-crl", crl]) });
  await assert.rejects(startServer({ paths: [model], config: alone }), {
    message: /it needs --tls-client-ca/,
  });
});

test("with a certificate a public address needs no --insecure; half of a certificate is refused", async () => {
  const open = await startServer({
    paths: [model],
    config: loadConfig({ flags: flags(["--host", "0.0.0.0"], ["--health-address", "0.0.0.0:0"]) }),
  });
  await open.settled;
  await open.stop();
  const half = new Map([
    ["--port", "0"],
    ["--tls-cert", certFile],
  ]);
  await assert.rejects(startServer({ paths: [model], config: loadConfig({ flags: half }) }), {
    reason: "bad_option",
  });
  const missing = flags(["--tls-key", join(folder, "nowhere")]);
  await assert.rejects(startServer({ paths: [model], config: loadConfig({ flags: missing }) }), {
    reason: "bad_certificate",
  });
});
