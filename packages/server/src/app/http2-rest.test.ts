// Tests REST over cleartext HTTP/2 (edge/rest/http/http2-transport.ts) against a running server.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type ClientHttp2Session, connect, constants, type IncomingHttpHeaders } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { systemClock } from "../base/clock.ts";
import { loadConfig } from "../config/load-config.ts";
import type { RestContext } from "../edge/rest/call/rest-context.ts";
import { restRoutes } from "../edge/rest/rest-routes.ts";
import { unary } from "../runtime/onnx/tiny-onnx.kit.ts";
import { type RunningServer, startServer } from "./start-server.ts";

const folder = mkdtempSync(join(tmpdir(), "sconce-h2-"));
const DIMS = ["batch", 2];
writeFileSync(
  join(folder, "negate.onnx"),
  unary("Neg", { name: "x", type: "FP32", dims: DIMS }, { type: "FP32", dims: DIMS }),
);

let server: RunningServer;
let session: ClientHttp2Session;
before(async () => {
  const flags = new Map([
    ["--port", "0"],
    ["--max-body", "16MiB"],
  ]);
  server = await startServer({ paths: [folder], config: loadConfig({ flags }) });
  await server.settled;
  // For a body that this side holds until the other one has taken it.
  session = connect(server.url, { maxSessionMemory: 64 });
});
after(async () => {
  session.close();
  await server.stop();
  rmSync(folder, { recursive: true });
});

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** One request, with the answer's head and body; a reset that says nothing is wrong is a proper end. */
function ask(path: string, headers: Record<string, string> = {}, body?: Buffer | string): Promise<Answer> {
  const signal = AbortSignal.timeout(60_000);
  const stream = session.request(
    {
      ":path": path,
      ":method": body === undefined ? "GET" : "POST",
      ...headers,
    },
    { signal },
  );
  if (body !== undefined) stream.end(body);
  return new Promise((resolve, reject) => {
    let seen: IncomingHttpHeaders = {};
    const parts: Buffer[] = [];
    stream.on("response", (response) => {
      seen = response;
    });
    stream.on("data", (part: Buffer) => parts.push(part));
    stream.on("error", reject);
    stream.on("close", () =>
      resolve({ status: Number(seen[":status"]), headers: seen, body: Buffer.concat(parts) }),
    );
  });
}

const INFER = "/v2/models/negate/infer";

function inferBody(values: readonly number[]): string {
  return JSON.stringify({
    inputs: [{ name: "x", datatype: "FP32", shape: [values.length / 2, 2], data: values }],
  });
}

test("the same routes answer the same as over HTTP/1.1", async () => {
  for (const path of [
    "/v2",
    "/v2/models",
    "/v2/models/negate",
    "/v2/health/ready",
    "/v2/models/nope",
    "/nothing",
  ]) {
    const over1 = await fetch(server.url + path);
    const { status, headers, body } = await ask(path);
    assert.equal(status, over1.status, path);
    assert.equal(headers["content-type"], over1.headers.get("content-type"), path);
    assert.equal(body.toString(), await over1.text(), path);
    assert.match(String(headers["x-request-id"]), /./);
  }
  assert.deepEqual(JSON.parse((await ask("/predict/negate", {}, '{"input":[1,2]}')).body.toString()), {
    prediction: [-1, -2],
  });
  const { outputs } = JSON.parse((await ask(INFER, {}, inferBody([1, 2, 3, 4]))).body.toString());
  assert.deepEqual(outputs[0].data, [-1, -2, -3, -4]);
});

test("every route is answered, the one of WebSockets, too", async () => {
  const routes = restRoutes({ clock: systemClock } as unknown as RestContext, undefined);
  for (const { method, urls } of routes) {
    for (const url of urls) {
      const path = url.replace(/:\w+/g, "negate");
      const body = method === "GET" ? undefined : "{}";
      const over1 = await fetch(server.url + path, { method, ...(body !== undefined && { body }) });
      // Some go on for as long as anybody listens.
      await over1.body?.cancel();
      const stream = session.request({ ":path": path, ":method": method });
      stream.end(body);
      const [head] = (await once(stream, "response")) as [IncomingHttpHeaders];
      stream.resume();
      stream.close(constants.NGHTTP2_CANCEL);
      assert.equal(Number(head[":status"]), over1.status, `${method} ${path}`);
    }
  }
});

test("HEAD, a wrong method, a compressed body, a compressed answer, binary tensors", async () => {
  const head = await ask("/v2", { ":method": "HEAD" });
  assert.deepEqual([head.status, head.body.length], [200, 0]);
  assert.ok(Number(head.headers["content-length"]) > 0);
  const wrong = await ask(INFER);
  assert.deepEqual([wrong.status, wrong.headers["allow"]], [405, "POST"]);
  const packed = await ask(INFER, { "content-encoding": "gzip" }, gzipSync(inferBody([1, 2])));
  assert.equal(packed.status, 200);
  const values = Array.from({ length: 20_000 }, (_, i) => i);
  const answer = await ask(INFER, { "accept-encoding": "gzip" }, inferBody(values));
  assert.equal(answer.headers["content-encoding"], "gzip");
  const raw = Buffer.from(Float32Array.of(5, 6).buffer);
  const binary = await ask(INFER, { "inference-header-content-length": "0" }, raw);
  assert.equal(binary.headers["content-type"], "application/octet-stream");
  const json = Number(binary.headers["inference-header-content-length"]);
  assert.deepEqual([...new Float32Array(Uint8Array.from(binary.body.subarray(json)).buffer)], [-5, -6]);
});

test("large bodies go both ways, many at once on one connection, and each gets its own answer", async () => {
  const values = Float32Array.from({ length: 500_000 }, (_, i) => i % 777);
  const large = Buffer.from(values.buffer);
  const header = JSON.stringify({
    inputs: [
      { name: "x", datatype: "FP32", shape: [250_000, 2], parameters: { binary_data_size: large.length } },
    ],
    parameters: { binary_data_output: true },
  });
  const body = Buffer.concat([Buffer.from(header), large]);
  const wanted = { "inference-header-content-length": String(header.length) };
  const [one, ...small] = await Promise.all([
    ask(INFER, wanted, body),
    ...Array.from({ length: 40 }, (_, i) => ask("/predict/negate", {}, `{"input":[${i},1]}`)),
  ]);
  const json = Number(one.headers["inference-header-content-length"]);
  const answered = new Float32Array(Uint8Array.from(one.body.subarray(json)).buffer);
  assert.deepEqual([answered.length, answered[499_999]], [500_000, -values[499_999]!]);
  for (const [i, { body: text }] of small.entries())
    assert.deepEqual(JSON.parse(text.toString()), { prediction: [i === 0 ? -0 : -i, -1] });
});

test("what is rejected before its body was read is told so, and the connection goes on", async () => {
  const body = Buffer.alloc(17 * 1024 * 1024);
  const tooLarge = await ask(INFER, { "content-length": String(body.length) }, body);
  assert.equal(tooLarge.status, 413);
  assert.match(tooLarge.body.toString(), /body_too_large/);
  assert.equal((await ask("/v2/models/nope/infer", {}, Buffer.alloc(1024 * 1024))).status, 404);
  assert.equal((await ask("/v2/health/live")).status, 200);
});

test("a foreign page, a foreign name and two names are rejected as over HTTP/1.1", async () => {
  assert.match((await ask("/v2", { origin: "https://page.example" })).body.toString(), /foreign_origin/);
  assert.match((await ask("/v2", { ":authority": "page.example" })).body.toString(), /foreign_host/);
  const two = await ask("/v2", { ":authority": "localhost", host: "127.0.0.1" });
  assert.deepEqual([two.status, /two Host/.test(two.body.toString())], [400, true]);
  assert.equal((await ask(`/${"a".repeat(9000)}`)).status, 414);
});

test("a client that waits for permission to send its body gets it", async () => {
  const stream = session.request({ ":path": "/predict/negate", ":method": "POST", expect: "100-continue" });
  const continued = new Promise<void>((resolve) => stream.once("continue", resolve));
  await continued;
  stream.end('{"input":[1,2]}');
  const [headers] = await new Promise<[IncomingHttpHeaders]>((resolve) =>
    stream.once("response", (seen) => resolve([seen])),
  );
  assert.equal(headers[":status"], 200);
  stream.resume();
  await new Promise((resolve) => stream.once("close", resolve));
});

test("clients that leave calls again and again lose their connection, as over gRPC", async () => {
  const flood = connect(server.url);
  const gone = new Promise<void>((resolve) => flood.once("close", resolve));
  flood.on("error", () => {});
  const leave = (): void => {
    for (let i = 0; i < 50 && !flood.destroyed; i++) {
      const stream = flood.request({ ":path": INFER, ":method": "POST" });
      stream.on("error", () => {});
      stream.close(constants.NGHTTP2_CANCEL);
    }
    if (!flood.destroyed) setImmediate(leave);
  };
  leave();
  await gone;
  assert.equal((await ask("/v2/health/live")).status, 200);
});
