// Tests a whole server that knows its callers: every way in, over REST and gRPC, with and without keys and tokens.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import {
  GRPCInferenceService,
  ModelInferRequestSchema,
  ModelReadyRequestSchema,
  sconceV1,
  torchserveInference,
  torchserveManagement,
} from "@sconce/protocol/messages";
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import { WebSocket } from "ws";
import { systemClock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { until } from "../base/until.kit.ts";
import { loadConfig } from "../config/load-config.ts";
import type { RestContext } from "../edge/rest/call/rest-context.ts";
import { restRoutes } from "../edge/rest/rest-routes.ts";
import type { TorchserveApis } from "../edge/torchserve/torchserve-apis.ts";
import { type KeyRecord, makeKey } from "../gate/api-keys.ts";
import { unary } from "../runtime/onnx/tiny-onnx.kit.ts";
import { type RunningServer, startServer } from "./start-server.ts";

const folder = mkdtempSync(join(tmpdir(), "sconce-keys-"));
const models = join(folder, "models");
const DIMS = ["batch", 2];
const [keyFile, jwksFile] = [join(folder, "keys.json"), join(folder, "jwks.json")];
const ADMIN_TOKEN = "CANARY-administrator-of-this-test";

const make = (name: string, wishes: Partial<Omit<KeyRecord, "id" | "sha256">> = {}) =>
  makeKey({ name, models: ["*"], scopes: ["infer"], created: "", ...wishes });
const all = make("all");
const only = make("only", { models: ["neg*"] });
const watcher = make("watcher", { scopes: ["metrics"] });
const operator = make("operator", { scopes: ["admin", "infer"], models: ["negate"] });
const slow = make("slow", { rate: "1/h" });
const writeKeys = (...keys: readonly { readonly record: KeyRecord }[]): void =>
  writeFileSync(keyFile, JSON.stringify({ keys: keys.map(({ record }) => record) }));
const everyKey = [all, only, watcher, operator, slow];

const issuer = await generateKeyPair("ES256");
const token = (claims: JWTPayload = {}): Promise<string> =>
  new SignJWT({
    iss: "test",
    aud: "sconce",
    sub: "alice",
    scope: "sconce:infer",
    exp: Date.now() / 1000 + 60,
    ...claims,
  })
    .setProtectedHeader({ alg: "ES256", kid: "1" })
    .sign(issuer.privateKey);

const log: string[] = [];
const keep = (fields: object, message: string): void => {
  log.push(`${JSON.stringify(fields)} ${message}`);
};
const logger: Logger = { debug: keep, info: keep, warn: keep, error: keep, child: () => logger };

let server: RunningServer;
let session: ClientHttp2Session;
before(async () => {
  mkdirSync(models);
  for (const name of ["negate", "other"]) {
    writeFileSync(
      join(models, `${name}.onnx`),
      unary("Neg", { name: "x", type: "FP32", dims: DIMS }, { type: "FP32", dims: DIMS }),
    );
  }
  writeKeys(...everyKey);
  const jwk = { ...(await exportJWK(issuer.publicKey)), kid: "1", alg: "ES256" };
  writeFileSync(jwksFile, JSON.stringify({ keys: [jwk] }));
  const flags = new Map([
    ["--port", "0"],
    ["--api-keys", keyFile],
    ["--jwt-keys", jwksFile],
    ["--jwt-issuer", "test"],
    ["--jwt-audience", "sconce"],
    ["--model-control", "explicit"],
    ["--load-models", "negate,other"],
    ["--admin-token", ADMIN_TOKEN],
    ["--compat", "torchserve"],
    ["--reload-interval", "1h"],
  ]);
  server = await startServer({ paths: [models], config: loadConfig({ flags }), logger });
  await server.settled;
  session = connectHttp2(server.url);
});
after(async () => {
  session.destroy();
  await server.stop();
  rmSync(folder, { recursive: true });
});

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly reason: string | undefined;
}

async function ask(method: string, path: string, key?: string, body?: string): Promise<Answer> {
  const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const signal = AbortSignal.timeout(60_000);
  // TorchServe's management has a port of its own.
  const base = path.startsWith("/models") ? `http://${server.torchserve!.management}` : server.url;
  const response = await fetch(base + path, {
    method,
    headers,
    signal,
    ...(body !== undefined && { body }),
  });
  const answer = await response.text();
  if (response.status === 401) assert.match(response.headers.get("www-authenticate")!, /^Bearer/);
  const [, reason] = /"reason":"(\w+)"/.exec(answer) ?? [];
  return { status: response.status, body: answer, reason };
}

const INPUT = '{"input":[1,2]}';
const predict = (model: string, key?: string): Promise<Answer> =>
  ask("POST", `/predict/${model}`, key, INPUT);

interface CallEnd {
  readonly status: number;
  readonly reason: string | undefined;
  readonly bytes: Buffer;
}

function open(path: string, key: string | undefined): ClientHttp2Stream {
  return session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
    ...(key !== undefined && { authorization: `Bearer ${key}` }),
  });
}

function framed(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** How a call ends. */
function ended(stream: ClientHttp2Stream): Promise<CallEnd> {
  return new Promise((resolve, reject) => {
    let end: Readonly<Record<string, unknown>> = {};
    const chunks: Buffer[] = [];
    stream.on("response", (headers) => {
      end = { ...end, ...headers };
    });
    stream.on("trailers", (headers) => {
      end = { ...end, ...headers };
    });
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", reject);
    stream.on("close", () =>
      resolve({
        status: Number(end["grpc-status"]),
        reason: end["sconce-reason"] as string | undefined,
        bytes: Buffer.concat(chunks),
      }),
    );
  });
}

function call(path: string, key?: string, message: Uint8Array = new Uint8Array()): Promise<CallEnd> {
  const stream = open(path, key);
  stream.end(framed(message));
  return ended(stream);
}

const SERVICE = "/inference.GRPCInferenceService";
const inferMessage = (model: string): Uint8Array =>
  toBinary(
    ModelInferRequestSchema,
    create(ModelInferRequestSchema, {
      modelName: model,
      inputs: [{ name: "x", datatype: "FP32", shape: [1n, 2n] }],
      rawInputContents: [new Uint8Array(new Float32Array([1, 2]).buffer)],
    }),
  );

test("without a key nothing but health is answered, in no dialect", async () => {
  // What routes are made of is not looked at before one of them runs.
  const apis = { withManagement: true } as unknown as TorchserveApis;
  const routes = restRoutes({ clock: systemClock } as unknown as RestContext, apis);
  const open: string[] = [];
  for (const { method, urls } of routes) {
    for (const url of urls) {
      const path = url.replace(/:\w+/g, "negate");
      const { status, body } = await ask(method, path, undefined, method === "GET" ? undefined : INPUT);
      // A renderer of documents has every word.
      if (!path.startsWith("/docs/renderer")) assert.doesNotMatch(body, /negate|other/, `${method} ${path}`);
      if (status !== 401) open.push(`${method} ${path}`);
      for (const wrong of [`${all.key}x`, "a.b.c", "CANARY"]) {
        if (status !== 401) break;
        const answer = await ask(method, path, wrong, method === "GET" ? undefined : INPUT);
        assert.equal(answer.reason, "invalid_token", `${method} ${path}`);
        assert.doesNotMatch(answer.body, /CANARY/);
      }
    }
  }
  assert.deepEqual(new Set(open), new Set(OPEN_ROUTES));
});

/** What answers without a key. A new route that does has to be put here, which should be a decision. */
const OPEN_ROUTES = [
  "GET /v2/health/live",
  "GET /livez",
  "GET /healthz",
  "GET /v2/health/ready",
  "GET /readyz",
  "GET /ping",
  "GET /",
  "GET /docs",
  "GET /docs/start.js",
  "GET /docs/look.css",
  "GET /docs/renderer.js",
  "GET /docs/renderer.css",
  "GET /console",
  "GET /console/look.css",
  // Its scripts, of which none is called so.
  "GET /console/app/negate",
  "GET /console/why/negate",
  "GET /console/base/negate",
  "OPTIONS /",
  "GET /api-description",
  // There is no method of this name; who calls one that there is, is asked by gRPC.
  "POST /inference.GRPCInferenceService/negate",
  "POST /sconce.v1.ModelServing/negate",
  "POST /grpc.health.v1.Health/negate",
];

const TENSORFLOW = [
  "/tensorflow.serving.PredictionService/Predict",
  "/tensorflow.serving.PredictionService/GetModelMetadata",
  "/tensorflow.serving.ModelService/GetModelStatus",
];

test("without a key no gRPC method but health and reflection is answered", async () => {
  const services = [
    GRPCInferenceService,
    sconceV1.ModelServing,
    torchserveInference.InferenceAPIsService,
    torchserveManagement.ManagementAPIsService,
  ];
  const methods = services
    .flatMap(({ typeName, methods: own }) => own.map(({ name }) => `/${typeName}/${name}`))
    .concat(TENSORFLOW)
    .filter((path) => !/\/(ServerLive|ServerReady|Ping)$/.test(path));
  let asked = 0;
  for (const path of methods) {
    const { status, reason } = await call(path);
    // What is not answered here at all is no way in either.
    if (reason === "no_such_method") continue;
    asked++;
    assert.deepEqual([status, reason], [16, "missing_token"], path);
    assert.equal((await call(path, `${only.key}x`)).reason, "invalid_token", path);
  }
  assert.ok(asked >= 25, `only ${asked} of ${methods.length} methods exist`);
  assert.equal((await call("/org.pytorch.serve.grpc.inference.InferenceAPIsService/Ping")).status, 0);
  for (const name of ["ServerLive", "ServerReady"])
    assert.equal((await call(`${SERVICE}/${name}`)).status, 0);
  assert.equal((await call("/grpc.health.v1.Health/Check")).status, 0);
});

test("gRPC in the clothes of another protocol asks for the same keys", async () => {
  const connect = (key: string | undefined, model: string): Promise<Response> =>
    fetch(`${server.url}${SERVICE}/ModelReady`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "connect-protocol-version": "1",
        ...(key !== undefined && { authorization: `Bearer ${key}` }),
      },
      body: JSON.stringify({ name: model }),
    });
  assert.equal((await connect(undefined, "negate")).status, 401);
  assert.equal((await connect(watcher.key, "negate")).status, 403);
  assert.equal((await connect(only.key, "other")).status, 403);
  assert.deepEqual(await (await connect(only.key, "negate")).json(), { ready: true });
  const web = async (key: string | undefined): Promise<string> => {
    const response = await fetch(`${server.url}${SERVICE}/ModelInfer`, {
      method: "POST",
      headers: {
        "content-type": "application/grpc-web+proto",
        ...(key !== undefined && { authorization: `Bearer ${key}` }),
      },
      body: framed(inferMessage("other")),
    });
    const status = response.headers.get("grpc-status");
    return status ?? /grpc-status: ?(\d+)/.exec(await response.text())![1]!;
  };
  assert.deepEqual([await web(undefined), await web(only.key), await web(all.key)], ["16", "7", "0"]);
});

test("health tells strangers of the server, and of no model", async () => {
  const named = (name: string): Buffer => Buffer.from([0x0a, name.length, ...Buffer.from(name)]);
  for (const name of ["negate", "nowhere"]) {
    assert.equal((await call("/grpc.health.v1.Health/Check", undefined, named(name))).status, 5, name);
    assert.equal((await call("/grpc.health.v1.Health/Check", only.key, named("other"))).status, 5);
  }
  assert.equal((await call("/grpc.health.v1.Health/Check", only.key, named("negate"))).status, 0);
  const { bytes } = await call("/grpc.health.v1.Health/List");
  assert.doesNotMatch(bytes.toString("latin1"), /negate|other/);
  const page = await fetch(server.url, { headers: { accept: "text/html" } });
  assert.doesNotMatch(await page.text(), /negate|other/);
});

test("a key opens what its scopes say, over REST and gRPC", async () => {
  const paths = { infer: "/v2/models/negate", metrics: "/metrics" } as const;
  const expected: readonly (readonly [string, number, number, number])[] = [
    [all.key, 200, 403, 403],
    [watcher.key, 403, 200, 403],
    [operator.key, 200, 403, 200],
    [ADMIN_TOKEN, 200, 200, 200],
  ];
  for (const [key, infer, metrics, admin] of expected) {
    assert.equal((await ask("GET", paths.infer, key)).status, infer);
    assert.equal((await ask("GET", paths.metrics, key)).status, metrics);
    assert.equal((await ask("POST", "/v2/repository/models/negate/load", key, "")).status, admin);
    const ready = toBinary(ModelReadyRequestSchema, create(ModelReadyRequestSchema, { name: "negate" }));
    assert.equal((await call(`${SERVICE}/ModelReady`, key, ready)).status, infer === 200 ? 0 : 7);
  }
  assert.equal((await ask("GET", paths.metrics, all.key)).reason, "missing_scope");
});

test("a key that is not for a model does not learn whether there is one", async () => {
  assert.deepEqual(JSON.parse((await predict("negate", only.key)).body), { prediction: [-1, -2] });
  const strip = ({ status, body }: Answer, name: string): string =>
    `${status} ${body.replaceAll(name, "NAME")}`;
  for (const [method, path] of [
    ["POST", "/predict/NAME"],
    ["POST", "/v2/models/NAME/infer"],
    ["POST", "/v2/models/NAME/versions/1/infer"],
    ["POST", "/v2/models/NAME/generate"],
    ["POST", "/v1/models/NAME:predict"],
    ["POST", "/predictions/NAME"],
    ["PUT", "/predictions/NAME/1"],
    ["GET", "/models/NAME"],
    ["GET", "/v2/models/NAME"],
    ["GET", "/v2/models/NAME/ready"],
    ["GET", "/v2/models/NAME/config"],
    ["GET", "/v2/models/NAME/stats"],
    ["GET", "/v2/models/NAME/trace/setting"],
    ["GET", "/v1/models/NAME"],
    ["GET", "/v1/models/NAME/metadata"],
  ] as const) {
    const body = method === "GET" ? undefined : INPUT;
    const known = await ask(method, path.replace("NAME", "other"), only.key, body);
    const unknown = await ask(method, path.replace("NAME", "wherever"), only.key, body);
    // TorchServe's management API knows registered models only, and says that it knows no other.
    assert.equal(known.status, path === "/models/NAME" ? 404 : 403, path);
    assert.equal(strip(known, "other"), strip(unknown, "wherever"), path);
  }
  for (const path of [`${SERVICE}/ModelInfer`, `${SERVICE}/ModelStreamInfer`]) {
    assert.equal((await call(path, all.key, inferMessage("other"))).status, 0, path);
  }
  const known = await call(`${SERVICE}/ModelInfer`, only.key, inferMessage("other"));
  const unknown = await call(`${SERVICE}/ModelInfer`, only.key, inferMessage("wherever"));
  assert.deepEqual([known.status, known.reason], [7, "model_not_permitted"]);
  assert.deepEqual({ ...known }, { ...unknown });
  const streamed = await call(`${SERVICE}/ModelStreamInfer`, only.key, inferMessage("other"));
  assert.match(streamed.bytes.toString("latin1"), /not for a model of this name/);
});

test("lists show a key its own models", async () => {
  const lists: readonly (readonly [string, string])[] = [
    ["GET", "/v2/models"],
    ["GET", "/v2/models/stats"],
    ["POST", "/v2/repository/index"],
    ["GET", "/v1/models"],
    ["GET", "/models"],
    ["GET", "/openapi.json"],
  ];
  for (const [method, path] of lists) {
    const [own, every] = [await ask(method, path, only.key), await ask(method, path, all.key)];
    assert.ok(own.body.includes("negate") && !own.body.includes("other"), path);
    assert.ok(every.body.includes("negate") && every.body.includes("other"), path);
  }
  for (const name of ["RepositoryIndex", "ModelStatistics"]) {
    const { bytes } = await call(`${SERVICE}/${name}`, only.key);
    assert.ok(bytes.includes("negate") && !bytes.includes("other"), name);
  }
  assert.deepEqual(
    (await ask("POST", "/predict", only.key, INPUT)).status,
    200,
    "its only model needs no name",
  );
});

test("who may load some models loads no others, and the log says who did what", async () => {
  assert.equal((await ask("POST", "/v2/repository/models/other/load", operator.key, "")).status, 403);
  assert.equal((await ask("POST", "/v2/repository/models/negate/load", operator.key, "")).status, 200);
  assert.equal((await ask("DELETE", "/models/other", operator.key)).status, 404);
  assert.equal((await ask("POST", "/models?url=other.onnx", operator.key)).status, 403);
  assert.equal((await ask("POST", "/v2/repository/models/negate/load", only.key, "")).status, 403);
  assert.ok(log.some((line) => /"audit":"denied","by":"key [a-z]+"/.test(line)));
  assert.ok(
    log.some((line) => /"audit":"load","model":"negate","by":"key operator","outcome":"ok"/.test(line)),
  );
});

test("a token is as good as a key, with the rights of its claims", async () => {
  assert.equal((await predict("other", await token())).status, 200);
  assert.equal((await predict("other", await token({ sconce_models: ["neg*"] }))).status, 403);
  assert.equal((await predict("other", await token({ scope: "sconce:metrics" }))).reason, "missing_scope");
  assert.equal(
    (await predict("other", await token({ exp: Date.now() / 1000 - 60 }))).reason,
    "token_expired",
  );
  assert.equal((await predict("other", await token({ aud: "another" }))).reason, "invalid_token");
  const streamed = await call(`${SERVICE}/ModelStreamInfer`, await token(), inferMessage("other"));
  assert.equal(streamed.status, 0);
});

test("a key has a rate of its own, which others do not feel", async () => {
  const statuses: number[] = [];
  for (let i = 0; i < 12; i++) statuses.push((await predict("negate", slow.key)).status);
  assert.deepEqual(statuses.slice(0, 10), Array(10).fill(200));
  assert.deepEqual(statuses.slice(10), [429, 429]);
  assert.equal((await predict("negate", all.key)).status, 200);
});

/** A request as the fast lane takes it. */
function request(key: string | undefined): string {
  const authorization = key === undefined ? "" : `Authorization: Bearer ${key}\r\n`;
  return `POST /predict/negate HTTP/1.1\r\nHost: localhost\r\n${authorization}Content-Length: ${INPUT.length}\r\n\r\n${INPUT}`;
}

class Lane {
  readonly #socket: Socket;
  #received = "";

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#received += chunk.toString("latin1");
    });
  }

  async status(bytes: string): Promise<number> {
    this.#received = "";
    this.#socket.write(bytes);
    while (!/\r\n\r\n.*\}$/s.test(this.#received)) await once(this.#socket, "data");
    return Number(this.#received.slice(9, 12));
  }

  close(): void {
    this.#socket.destroy();
  }
}

test("a connection has no right of its own: each request is judged by its key, as it is then", async () => {
  const lane = new Lane(connect(Number(new URL(server.url).port), "127.0.0.1"));
  const other = new Lane(connect(Number(new URL(server.url).port), "127.0.0.1"));
  try {
    assert.equal(await lane.status(request(all.key)), 200);
    assert.equal(await lane.status(request(all.key)), 200);
    assert.equal(await lane.status(request(undefined)), 401, "without a key behind one with a key");
    assert.equal(
      await lane.status(request(all.key.slice(0, -1) + (all.key.endsWith("A") ? "E" : "A"))),
      401,
      "with a key that is nearly right",
    );
    assert.equal(await lane.status(request(watcher.key)), 403);
    assert.equal(await other.status(request(undefined)), 401);
    const own = await token({ exp: Date.now() / 1000 + 3600 });
    assert.equal(await lane.status(request(own)), 200);
    assert.equal(await lane.status(request(own)), 200);

    const stream = open(`${SERVICE}/ModelStreamInfer`, all.key);
    const end = ended(stream);
    stream.write(framed(inferMessage("negate")));
    await once(stream, "data");
    writeKeys(only, watcher);
    writeFileSync(jwksFile, '{"keys":[]}');
    await server.reload();
    assert.equal(
      await lane.status(request(all.key)),
      401,
      "a key that was removed, on a connection that used it",
    );
    assert.equal(await lane.status(request(own)), 401, "a token whose issuer's key was withdrawn");
    stream.end(framed(inferMessage("negate")));
    assert.deepEqual({ ...(await end), bytes: 0 }, { status: 16, reason: "invalid_token", bytes: 0 });

    writeFileSync(keyFile, "broken CANARY");
    await server.reload();
    assert.equal(await lane.status(request(only.key)), 200, "a broken file leaves the keys as they were");
    writeKeys(...everyKey);
    await server.reload();
    assert.equal(await lane.status(request(all.key)), 200);
  } finally {
    lane.close();
    other.close();
  }
});

test("a WebSocket is opened with a key, and each of its messages is judged by it", async () => {
  const url = `${server.url.replace("http", "ws")}/v2/models/negate/stream`;
  const refusal = async (model: string, key: string | undefined): Promise<number> => {
    const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
    const socket = new WebSocket(url.replace("negate", model), { headers });
    socket.on("error", () => {});
    const [, response] = (await once(socket, "unexpected-response")) as [unknown, IncomingMessage];
    socket.terminate();
    return response.statusCode!;
  };
  assert.equal(await refusal("negate", undefined), 401);
  assert.equal(await refusal("negate", "wrong"), 401);
  assert.equal(await refusal("negate", watcher.key), 403);
  assert.equal(await refusal("other", only.key), 403);
  assert.equal(await refusal("wherever", only.key), 403);
  const socket = new WebSocket(url, { headers: { authorization: `Bearer ${all.key}` } });
  await once(socket, "open");
  const answer = async (): Promise<string> => {
    socket.send('{"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[1,2]}]}');
    return String(((await once(socket, "message")) as [Buffer])[0]);
  };
  assert.match(await answer(), /"data":\[-1(\.0)?,-2(\.0)?\]/);
  writeKeys(only, watcher);
  await server.reload();
  assert.match(await answer(), /"status":401.*"reason":"invalid_token"/);
  writeKeys(...everyKey);
  await server.reload();
  assert.match(await answer(), /"data"/);
  socket.terminate();
});

test("a token stops on the second, on a connection that used it", async () => {
  const lane = new Lane(connect(Number(new URL(server.url).port), "127.0.0.1"));
  try {
    const jwk = { ...(await exportJWK(issuer.publicKey)), kid: "1", alg: "ES256" };
    writeFileSync(jwksFile, JSON.stringify({ keys: [jwk] }));
    await server.reload();
    // 30 s are allowed for clocks that differ.
    let short = "";
    let status = 0;
    await until("one is used before its second", async () => {
      short = await token({ exp: Math.floor(Date.now() / 1000) - 28 });
      status = await lane.status(request(short));
      return status === 200;
    });
    while (status === 200) status = await lane.status(request(short));
    assert.equal(status, 401);
  } finally {
    lane.close();
  }
});

test("no key, token or hash is in the log, an answer or the metrics", async () => {
  const metrics = (await ask("GET", "/metrics", watcher.key)).body;
  assert.match(metrics, /sconce_authentication_failures_total\{reason="invalid_token"\} [1-9]/);
  const said = log.join("\n") + metrics;
  const secrets = everyKey.flatMap(({ key, record }) => [key.slice(20), record.sha256]);
  for (const secret of [...secrets, ADMIN_TOKEN, "CANARY"]) assert.ok(!said.includes(secret), secret);
});
