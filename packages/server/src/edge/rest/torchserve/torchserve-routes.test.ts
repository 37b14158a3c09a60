import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { after, before, test } from "node:test";
import { packBytes, unpackBytes } from "@sconce/protocol";
import { deferred } from "../../../base/deferred.ts";
import { silentLogger } from "../../../base/logger.ts";
import type { TensorSpec } from "../../../base/signature.ts";
import { createAdminGate } from "../../../gate/admin-gate.ts";
import type { Administration } from "../../../infer/administration.ts";
import { createTorchserveManagement } from "../../torchserve/management.ts";
import { type MemoryModel, memoryInference } from "../memory-inference.kit.ts";
import { openEdge } from "../rest-edge.kit.ts";

const BATCH = { symbol: "batch", min: 1, max: undefined };
const bytes = (name: string): TensorSpec => ({ name, datatype: "BYTES", dims: [BATCH] });
const TOKEN = "administrator";

/** Answers with what it was told, or with the head that the body is. */
const ARCHIVE: MemoryModel = {
  inputs: [bytes("body"), bytes("head")],
  outputs: [bytes("response"), bytes("response_head")],
  run([body, head]) {
    const text = Buffer.from(unpackBytes(body!.bytes, "body")[0]!).toString();
    const isHead = text.startsWith('{"status"');
    const said = {
      head: JSON.parse(Buffer.from(unpackBytes(head!.bytes, "head")[0]!).toString()) as object,
      text,
    };
    const row = (name: string, value: string) => ({
      name,
      datatype: "BYTES" as const,
      shape: [1],
      bytes: packBytes([Buffer.from(value)]),
    });
    return [
      row("response", isHead ? "said" : JSON.stringify(said)),
      row("response_head", isHead ? text : '{"status":200}'),
    ];
  },
};
const PLAIN: MemoryModel = {
  inputs: [{ name: "x", datatype: "FP32", dims: [BATCH, 2] }],
  outputs: [{ name: "y", datatype: "FP32", dims: [BATCH, 2] }],
  run: ([x]) => [{ ...x!, name: "y" }],
};

/** Sends a piece, and goes on when its client has left. */
const TALKATIVE: MemoryModel = {
  ...ARCHIVE,
  async run(inputs, request) {
    const piece = { head: Buffer.from('{"status":200}'), body: Buffer.from("a piece") };
    request.onPiece?.(piece);
    await new Promise<void>((resolve) => request.signal.addEventListener("abort", () => resolve()));
    for (let i = 0; i < 3; i++) {
      request.onPiece?.(piece);
      await new Promise(setImmediate);
    }
    talked.resolve();
    return await ARCHIVE.run(inputs, request);
  },
};
const talked = deferred<void>();

const asked: string[] = [];
const inference = memoryInference({ archive: ARCHIVE, plain: PLAIN, talkative: TALKATIVE });
const administration: Administration = {
  loadModel: async (name, _, settings) => void asked.push(`load ${name} ${JSON.stringify(settings)}`),
  steerRollout: async () => {},
  unloadModel: async (name) => void asked.push(`unload ${name}`),
  setDefaultVersion: (name, version) => void asked.push(`default ${name} ${version}`),
};
const management = createTorchserveManagement({
  inference,
  administration,
  logger: silentLogger,
  describeItself: async () => undefined,
});
const { edge } = openEdge(inference, {
  torchserve: { management, withManagement: true },
  adminGate: createAdminGate({ isOn: true, token: TOKEN }),
  administration,
});
const server = createServer((socket) => edge.accept(socket));
let url = "";
before(async () => {
  await once(server.listen(0, "127.0.0.1"), "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(() => {
  server.close();
  edge.destroy();
});

async function ask(
  path: string,
  init: RequestInit = {},
): Promise<{ status: number; headers: Headers; text: string }> {
  const response = await fetch(url + path, init);
  return { status: response.status, headers: response.headers, text: await response.text() };
}

const admin = (method: string): RequestInit => ({ method, headers: { authorization: `Bearer ${TOKEN}` } });

test("a client that leaves in the middle of a streamed answer does not end the server", async () => {
  const { port } = server.address() as AddressInfo;
  const client = connect(port, "127.0.0.1");
  client.write("POST /predictions/talkative HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx");
  await once(client, "data");
  client.resetAndDestroy();
  await talked.promise;
  // What nobody listens to ends the process in a later turn.
  for (let i = 0; i < 10; i++) await new Promise(setImmediate);
  assert.equal((await ask("/predictions/archive", { method: "POST", body: "x" })).status, 200);
});

test("a handler is told of the request's headers, but not of its credentials", async () => {
  const headers = { authorization: "Bearer secret", "x-own": "1", "content-type": "text/plain" };
  const { text } = await ask("/predictions/archive?q=1", { method: "POST", body: "hello", headers });
  const { head } = JSON.parse(text) as { head: { headers: Record<string, string>; parts: object[] } };
  const names = Object.fromEntries(
    Object.entries(head.headers).map(([name, value]) => [name.toLowerCase(), value]),
  );
  assert.deepEqual([names["x-own"], names["authorization"]], ["1", undefined]);
  assert.deepEqual(head.parts, [{ name: "body", type: "text/plain", bytes: 5 }]);
});

test("a handler cannot break the connection or add a response of its own", async () => {
  const head = {
    status: 202,
    type: "text/x\r\nX-Injected: 1",
    headers: {
      "X-Fine": "yes",
      "Content-Length": "1",
      "Transfer-Encoding": "chunked",
      "X-Bad": "a\r\nb",
      "bad name": "x",
    },
  };
  const { status, headers, text } = await ask("/predictions/archive", {
    method: "PUT",
    body: JSON.stringify(head),
  });
  assert.deepEqual([status, text, headers.get("x-fine")], [202, "said", "yes"]);
  assert.deepEqual(
    [headers.get("x-injected"), headers.get("x-bad"), headers.get("content-type")],
    [null, null, null],
  );
  assert.equal(headers.get("content-length"), "4");
});

test("a model that is no archive takes and gives what /predict does", async () => {
  const { status, text } = await ask("/predictions/plain/1.0", { method: "POST", body: '{"input":[[1,2]]}' });
  assert.deepEqual([status, JSON.parse(text)], [200, { prediction: [[1, 2]] }]);
});

test("models are registered and unregistered by the administrator alone", async () => {
  for (const [method, path] of [
    ["POST", "/models?url=archive.mar"],
    ["DELETE", "/models/archive"],
    ["PUT", "/models/archive?min_worker=1"],
  ] as const) {
    assert.equal((await ask(path, { method })).status, 401, path);
    assert.equal((await ask(path, { method, headers: { authorization: "Bearer wrong" } })).status, 403, path);
  }
  assert.deepEqual(asked, []);
  const gone = await ask("/models/archive/1.0", admin("DELETE"));
  assert.deepEqual([gone.status, JSON.parse(gone.text)], [200, { status: 'Model "archive" unregistered' }]);
  assert.deepEqual(asked.splice(0), ["unload archive"]);
  const again = await ask("/models?url=archive.mar", admin("POST"));
  assert.equal(again.status, 409);
  const message = "Model version 1.0 is already registered for model archive";
  assert.deepEqual(JSON.parse(again.text), { code: 409, type: "ConflictStatusException", message });
  assert.equal((await ask("/models/nobody", admin("DELETE"))).status, 404);
});

test("a registration may be a body of JSON, with the names of the query", async () => {
  const register = (body: string, type = "application/json; charset=utf-8") => {
    const { method, headers } = admin("POST");
    return ask("/models", { method: method!, body, headers: { ...headers, "content-type": type } });
  };
  const said = '{"url": "archive.mar", "initial_workers": 2, "synchronous": true}';
  assert.equal((await register(said)).status, 409, "it is registered already");
  assert.equal((await register(said, "text/plain")).status, 400, "the query says no url");
  for (const body of ["", "{}", '{"url": null}', '{"__proto__": {"url": "archive.mar"}}'])
    assert.ok([400, 404].includes((await register(body)).status), body);
  for (const body of ["[]", "null", '"archive.mar"', '{"url":', `{"url": "${"x".repeat(65_536)}"}`]) {
    const { status, text } = await register(body);
    const { message } = JSON.parse(text) as { readonly message: string };
    assert.deepEqual([status, message.slice(0, 40)], [400, "the body must be an object of JSON, of a"], body);
  }
  assert.equal((await ask("/models", { method: "POST", body: said })).status, 401);
  assert.deepEqual(asked, []);
});

test("explanations are asked for by POST, and by PUT as curl -T does it", async () => {
  for (const method of ["POST", "PUT"]) {
    const { text } = await ask("/explanations/archive/1.0", { method, body: "x" });
    const { head } = JSON.parse(text) as { head: { headers: Record<string, string> } };
    assert.equal(head.headers["explain"], "True", method);
  }
});

test("nothing is fetched, and no URL leads out of the models folder", async () => {
  for (const target of [
    "https://example.com/x.mar",
    "file:///etc/passwd",
    "../x.mar",
    "a/b.mar",
    "..",
    "",
    "s3:x",
  ]) {
    const { status, text } = await ask(`/models?url=${encodeURIComponent(target)}`, admin("POST"));
    assert.deepEqual(
      [status, (JSON.parse(text) as { type: string }).type],
      /\.\.|^$/.test(target) ? [404, "ModelNotFoundException"] : [400, "BadRequestException"],
      target,
    );
  }
  assert.deepEqual(asked, []);
});

test("workers are scaled by loading the model with so many, and not at all where there are so many", async () => {
  const [model] = JSON.parse((await ask("/models/archive")).text) as { minWorkers: number }[];
  const same = await ask(`/models/archive?min_worker=${model!.minWorkers}&synchronous=true`, admin("PUT"));
  const status = `Workers scaled to ${model!.minWorkers} for model: archive`;
  assert.deepEqual([same.status, JSON.parse(same.text)], [200, { status }]);
  assert.deepEqual(asked, []);
  assert.equal((await ask("/models/archive?min_worker=7&synchronous=true", admin("PUT"))).status, 200);
  assert.deepEqual(asked.splice(0), ['load archive {"instances":7}']);
  const later = await ask("/models/archive?min_worker=5", admin("PUT"));
  assert.deepEqual([later.status, JSON.parse(later.text)], [202, { status: "Processing worker updates..." }]);
  assert.deepEqual(asked.splice(0), ['load archive {"instances":5}']);
});

test("a version becomes the default one, if there is such a version", async () => {
  const chosen = await ask("/models/archive/1.0/set-default", admin("PUT"));
  assert.equal(
    JSON.parse(chosen.text).status,
    'Default version successfully updated for model "archive" to "1.0"',
  );
  assert.deepEqual(asked.splice(0), ["default archive 1"]);
  assert.equal((await ask("/models/archive/2.0/set-default", admin("PUT"))).status, 404);
});
