// Tests what a web page in its reader's browser can do to a whole server on 127.0.0.1: gate/web-gate.ts on every port and protocol.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type IncomingHttpHeaders, request } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { loadConfig } from "../config/load-config.ts";
import { unary } from "../runtime/onnx/tiny-onnx.kit.ts";
import { type RunningServer, startServer } from "./start-server.ts";

const folder = mkdtempSync(join(tmpdir(), "sconce-pages-"));
const DIMS = ["batch", 2];
writeFileSync(
  join(folder, "negate.onnx"),
  unary("Neg", { name: "x", type: "FP32", dims: DIMS }, { type: "FP32", dims: DIMS }),
);

async function start(...flags: [string, string][]): Promise<RunningServer> {
  const all = new Map([["--port", "0"], ["--health-address", "127.0.0.1:0"], ...flags]);
  const server = await startServer({ paths: [folder], config: loadConfig({ flags: all }) });
  await server.settled;
  return server;
}

const plain = await start();
const shared = await start(["--cors-origins", "https://app.example"], ["--allowed-hosts", "models.example"]);
const open = await start(["--cors-origins", "*"]);
test.after(async () => {
  await Promise.all([plain, shared, open].map((server) => server.stop()));
  rmSync(folder, { recursive: true });
});

interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

function ask(url: string, method: string, headers: Record<string, string>, body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers }, (response) => {
      let text = "";
      response.on("data", (chunk) => {
        text += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, text }));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

const BODY = '{"input":[1,2]}';
const predict = (server: RunningServer, headers: Record<string, string>): Promise<Answer> =>
  ask(`${server.url}/predict/negate`, "POST", headers, BODY);

test("a page cannot send what a browser sends without asking", async () => {
  for (const type of [
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/json",
  ]) {
    const { status, text, headers } = await predict(plain, {
      origin: "https://page.example",
      "content-type": type,
    });
    assert.equal(status, 403, type);
    assert.match(text, /start it with --cors-origins https:\/\/page\.example","reason":"foreign_origin"/);
    assert.equal(headers["access-control-allow-origin"], undefined);
  }
  for (const path of ["/metrics", "/v2/models", "/", "/nothing"])
    assert.equal((await ask(plain.url + path, "GET", { origin: "null" })).status, 403, path);
  for (const url of ["/v2/repository/index", "/v2/repository/models/negate/load"])
    assert.equal((await ask(plain.url + url, "POST", { origin: "https://page.example" })).status, 403, url);
  const own = new URL(plain.url).origin;
  assert.equal((await predict(plain, { origin: own })).status, 200, "its own page");
});

test("a name that was made to mean 127.0.0.1 is not answered: REST, metrics, health, gRPC", async () => {
  const rebound = { host: "page.example:8080", origin: "http://page.example:8080" };
  for (const url of [`${plain.url}/metrics`, `${plain.url}/v2`, `${plain.healthUrl}/v2/health/live`]) {
    const { status, text } = await ask(url, "GET", { host: rebound.host });
    assert.equal(status, 403, url);
    assert.match(text, /--allowed-hosts page\.example","reason":"foreign_host"/);
  }
  assert.equal((await predict(plain, rebound)).status, 403);
  assert.equal((await predict(plain, { host: "anything.localhost" })).status, 200);
  assert.equal((await predict(shared, { host: "models.example" })).status, 200);
  assert.equal(await grpcStatus(plain, { ":authority": "page.example:8080" }), "7 foreign_host");
  assert.equal(await grpcStatus(plain, { origin: "https://page.example" }), "7 foreign_origin");
  assert.equal(await grpcStatus(plain, {}), "0 undefined");
  assert.equal(
    await grpcStatus(shared, { ":authority": "models.example", origin: "https://app.example" }),
    "0 undefined",
  );
});

/** Status and reason of ServerLive. */
function grpcStatus(server: RunningServer, headers: Record<string, string>): Promise<string> {
  const session = connectHttp2(server.url);
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ":method": "POST",
      ":path": "/inference.GRPCInferenceService/ServerLive",
      "content-type": "application/grpc",
      te: "trailers",
      ...headers,
    });
    const take = (fields: object): void => {
      const { "grpc-status": status, "sconce-reason": reason } = fields as Record<string, string>;
      if (status === undefined) return;
      resolve(`${status} ${reason}`);
      session.close();
    };
    stream.on("response", take);
    stream.on("trailers", take);
    stream.on("error", reject);
    stream.resume();
    stream.end(Buffer.alloc(5));
  });
}

test("a page that is allowed sends, and reads all that it needs", async () => {
  const origin = "https://app.example";
  const { status, headers } = await predict(shared, { origin });
  assert.equal(status, 200);
  assert.equal(headers["access-control-allow-origin"], origin);
  assert.equal(headers["access-control-allow-credentials"], "true");
  assert.match(String(headers["access-control-expose-headers"]), /Server-Timing, X-Request-Id/);
  assert.match(String(headers.vary), /Origin/);
  const missing = await ask(`${shared.url}/nothing`, "GET", { origin });
  assert.deepEqual(
    [missing.status, missing.headers["access-control-allow-origin"]],
    [404, origin],
    "errors are read as well",
  );
  const none = await ask(`${shared.url}/v2`, "GET", {});
  assert.deepEqual(
    [none.status, none.headers.vary],
    [200, "Origin"],
    "no cache gives this response to the page",
  );
  assert.equal((await predict(shared, { origin: "https://page.example" })).status, 403);
  const all = await predict(open, { origin });
  assert.deepEqual([all.status, all.headers["access-control-allow-origin"]], [200, "*"]);
  assert.equal(all.headers["access-control-allow-credentials"], undefined);
});

test("a preflight is answered for pages that are allowed, before any route is looked for", async () => {
  const asking = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "content-type, authorization",
    "access-control-request-private-network": "true",
  };
  const origin = "https://app.example";
  for (const path of ["/predict/negate", "/v2/models/negate/infer", "/nothing"]) {
    const { status, headers } = await ask(shared.url + path, "OPTIONS", { origin, ...asking });
    assert.equal(status, 200, path);
    assert.equal(headers["access-control-allow-origin"], origin);
    assert.equal(headers["access-control-allow-methods"], "GET, HEAD, POST, PUT");
    assert.equal(headers["access-control-allow-headers"], "content-type, authorization");
    assert.equal(headers["access-control-allow-private-network"], "true");
    assert.match(
      String(headers.vary),
      /Origin.*Access-Control-Request-Method|Access-Control-Request-Method.*Origin/,
    );
  }
  const strange = { origin, ...asking, "access-control-request-headers": 'a"b' };
  assert.equal(
    (await ask(`${shared.url}/v2`, "OPTIONS", strange)).headers["access-control-allow-headers"],
    undefined,
  );
  assert.equal((await ask(`${plain.url}/v2`, "OPTIONS", { origin, ...asking })).status, 403);
  assert.equal((await ask(`${plain.url}/v2`, "OPTIONS", {})).status, 405);
});

test("an option that is no origin ends the start, before anything runs", async () => {
  await assert.rejects(start(["--cors-origins", "app.example"]), { reason: "bad_option" });
  await assert.rejects(start(["--allowed-hosts", "http://x"]), { reason: "bad_option" });
});
