// Tests the built server: load and unload over REST and gRPC.
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { MODELS_FOLDER } from "./expected-digits.ts";
import { type ProtoClient, protoClient } from "./grpc-client.ts";
import { type ServerProcess, startServerProcess } from "./server-process.ts";

const TOKEN = "a-token-of-some-length";
const RIGHT = { authorization: `Bearer ${TOKEN}` };
const WRONG = { authorization: `Bearer ${TOKEN}x` };
const ROW = {
  inputs: [{ name: "image", datatype: "FP32", shape: [1, 1, 8, 8], data: new Array(64).fill(0.5) }],
};

interface Answer {
  readonly status: number;
  readonly json: Readonly<Record<string, unknown>>;
  readonly headers: Headers;
}

let folder: string;
let server: ServerProcess;
let client: ProtoClient;

async function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  const answer = await fetch(url, {
    method: "POST",
    headers,
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  return {
    status: answer.status,
    json: (await answer.json()) as Record<string, unknown>,
    headers: answer.headers,
  };
}

const control = (model: string, verb: string, headers: Record<string, string> = {}, body?: unknown) =>
  post(`${server.url}/v2/repository/models/${model}/${verb}`, body, headers);

const infer = (model: string) => post(`${server.url}/v2/models/${model}/infer`, ROW);

function connect(to: ServerProcess): ProtoClient {
  return protoClient({
    proto: "inference/grpc_service.proto",
    service: "inference.GRPCInferenceService",
    target: to.authority,
  });
}

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "sconce-control-"));
  copyFileSync(join(MODELS_FOLDER, "digits.pt2"), join(folder, "digits.pt2"));
  writeFileSync(join(folder, "broken.pt2"), "no model at all");
  server = await startServerProcess([folder, "--model-control", "explicit"], {
    env: { SCONCE_ADMIN_TOKEN: TOKEN },
    until: "listening",
  });
  client = connect(server);
});
after(async () => {
  client?.close();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe("load and unload over REST", () => {
  test("without the token 401, with another one 403, and nothing happens", async () => {
    for (const verb of ["load", "unload"]) {
      const missing = await control("digits", verb);
      assert.deepEqual([missing.status, missing.json["reason"]], [401, "missing_token"]);
      assert.match(missing.headers.get("www-authenticate") ?? "", /^Bearer/);
      const wrong = await control("digits", verb, WRONG);
      assert.deepEqual([wrong.status, wrong.json["reason"]], [403, "wrong_token"]);
      // What exists is nobody's business either.
      assert.equal((await control("nope", verb)).status, 401);
    }
    assert.equal((await infer("digits")).status, 503);
  });

  test("load, infer, unload, and again", async () => {
    for (let round = 0; round < 2; round++) {
      const loaded = await control("digits", "load", RIGHT);
      assert.deepEqual([loaded.status, loaded.json], [200, { name: "digits", load: true }]);
      assert.equal((await infer("digits")).status, 200);
      const unloaded = await control("digits", "unload", RIGHT, { parameters: { unload_dependents: true } });
      assert.deepEqual([unloaded.status, unloaded.json], [200, { name: "digits", unload: true }]);
      const refused = await infer("digits");
      assert.deepEqual([refused.status, refused.json["reason"]], [503, "model_not_ready"]);
      assert.match(String(refused.json["error"]), /unloaded on request/);
    }
  });

  test("a model that cannot be loaded says why; an unknown one is 404", async () => {
    const broken = await control("broken", "load", RIGHT);
    assert.deepEqual([broken.status, broken.json["reason"]], [400, "load_failed"]);
    assert.match(String(broken.json["error"]), /^model "broken" did not load: version 1: .{10,}/);
    for (const name of ["nope", "..%2fdigits", "%2fetc%2fpasswd", "http:%2f%2fevil"]) {
      assert.equal((await control(name, "load", RIGHT)).status, 404, name);
    }
  });

  test("a model that came after the start is found", async () => {
    assert.equal((await control("later", "load", RIGHT)).status, 404);
    mkdirSync(join(folder, "later", "1"), { recursive: true });
    copyFileSync(join(MODELS_FOLDER, "digits.pt2"), join(folder, "later", "1", "model.pt2"));
    assert.equal((await control("later", "load", RIGHT)).status, 200);
    assert.equal((await infer("later")).status, 200);
    assert.equal((await control("later", "unload", RIGHT)).status, 200);
  });

  test("configurations and files in a request are refused, and so is what load does not know", async () => {
    const cases: ReadonlyArray<readonly [verb: string, body: unknown, message: RegExp]> = [
      ["load", { parameters: { config: '{"backend":"python"}' } }, /^parameters\.config: .*model\.yaml/],
      ["load", { parameters: { "file:1/model.pt2": "AAAA" } }, /^parameters\.file:…: .*repository/],
      ["load", { parameters: { url: "http://127.0.0.1/" } }, /^parameters\.url: unknown/],
      ["load", { parameters: 3 }, /^parameters: expected an object/],
      ["load", "[", /./],
      [
        "unload",
        { parameters: { unload_dependents: "yes" } },
        /^parameters\.unload_dependents: expected true/,
      ],
      ["unload", { parameters: { force: true } }, /^parameters\.force: unknown/],
    ];
    for (const [verb, body, message] of cases) {
      const { status, json } = await control("digits", verb, RIGHT, body);
      assert.equal(status, 400, JSON.stringify(json));
      assert.match(String(json["error"]), message);
    }
  });
});

describe("load and unload over gRPC", () => {
  const load = (modelName: string, headers: Record<string, string> = RIGHT, rest: object = {}) =>
    client.unary("RepositoryModelLoad", { modelName, ...rest }, headers);
  const unload = (modelName: string, headers: Record<string, string> = RIGHT, rest: object = {}) =>
    client.unary("RepositoryModelUnload", { modelName, ...rest }, headers);

  test("without the token UNAUTHENTICATED, with another one PERMISSION_DENIED", async () => {
    for (const call of [load, unload]) {
      await assert.rejects(call("digits", {}), { code: 16 });
      await assert.rejects(call("digits", WRONG), { code: 7 });
    }
  });

  test("load, infer, unload; the name may stand in KServe's field", async () => {
    assert.deepEqual(await load("digits"), { modelName: "digits", isLoaded: true });
    assert.equal((await infer("digits")).status, 200);
    assert.deepEqual(await unload("", RIGHT, { repositoryName: "digits" }), {
      modelName: "digits",
      isUnloaded: true,
    });
    await assert.rejects(client.unary("ModelMetadata", { name: "digits" }), { code: 14 });
    const dependents = { parameters: { unload_dependents: { boolParam: true } } };
    await load("", RIGHT, { repositoryName: "digits" });
    await unload("digits", RIGHT, dependents);
  });

  test("what cannot be done is said", async () => {
    await assert.rejects(load("broken"), { code: 9, details: /did not load: version 1: / });
    await assert.rejects(load("nope"), { code: 5 });
    await assert.rejects(load("../digits"), { code: 5 });
    await assert.rejects(load("digits", RIGHT, { repositoryName: "other" }), { code: 12 });
    const config = { parameters: { config: { stringParam: "{}" } } };
    await assert.rejects(load("digits", RIGHT, config), { code: 3, details: /^parameters\.config/ });
    const file = { parameters: { "file:1/model.pt2": { bytesParam: Buffer.from("x") } } };
    await assert.rejects(load("digits", RIGHT, file), { code: 3, details: /^parameters\.file/ });
  });
});

describe("without explicit control", () => {
  for (const mode of ["none", "poll"]) {
    test(`--model-control ${mode}: nobody loads or unloads, token or not`, async () => {
      const args = [join(MODELS_FOLDER, "digits.pt2"), "--model-control", mode];
      const other = await startServerProcess(args, { env: { SCONCE_ADMIN_TOKEN: TOKEN } });
      const otherClient = connect(other);
      try {
        for (const headers of [RIGHT, undefined]) {
          const url = `${other.url}/v2/repository/models/digits/unload`;
          const { status, json } = await post(url, undefined, headers);
          assert.deepEqual([status, json["reason"]], [400, "model_control_off"]);
          const call = otherClient.unary("RepositoryModelLoad", { modelName: "digits" }, headers);
          await assert.rejects(call, { code: 9, details: /--model-control explicit/ });
        }
        const answer = await post(`${other.url}/v2/models/digits/infer`, ROW);
        assert.equal(answer.status, 200);
      } finally {
        otherClient.close();
        await other.stop();
      }
    });
  }
});
