// Tests fields.ts over real sockets: null stands for a field that is left out.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createAdminGate } from "../../../gate/admin-gate.ts";
import { identity, memoryInference } from "../memory-inference.kit.ts";
import { listen, send, type TestResponse } from "../rest-sockets.kit.ts";

const TOKEN = "a-token-that-is-long-enough";
const { port } = await listen(memoryInference({ echo: identity("FP32") }), {
  adminGate: createAdminGate({ isOn: true, token: TOKEN }),
});

function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<TestResponse> {
  const payload = Buffer.isBuffer(body) ? body : JSON.stringify(body);
  return send(port, { method: "POST", url, payload, headers });
}

const INPUT = { name: "in", shape: [1, 2], datatype: "FP32", parameters: null, data: [1, 2] };
const URL = "/v2/models/echo/infer";

test("a client that writes null for every field it leaves out (MLServer's does) is understood", async () => {
  const output = { name: "out", parameters: null };
  const inner = {
    ...INPUT,
    parameters: { content_type: null, binary_data_size: null, shared_memory_region: null },
  };
  const parameters = { priority: null, timeout: null, binary_data_output: null, anything: null };
  for (const body of [
    { id: null, parameters: null, inputs: [INPUT], outputs: null },
    { id: null, parameters, inputs: [inner], outputs: [output] },
    { inputs: [INPUT], outputs: [{ name: "out", parameters: { binary_data: null, classification: null } }] },
  ]) {
    const answer = await post(URL, body);
    assert.equal(answer.status, 200, answer.body.toString());
    assert.equal("id" in JSON.parse(answer.body.toString()), false);
  }
});

test("a file that Windows' shells wrote, with a byte order mark before it, is read without", async () => {
  const marked = (value: unknown): Buffer => Buffer.from(`\uFEFF${JSON.stringify(value)}`);
  for (const [url, body] of [
    [URL, { inputs: [INPUT] }],
    ["/predict/echo", { input: [1, 2] }],
    ["/v1/models/echo:predict", { instances: [[1, 2]] }],
    ["/v2/models/echo/generate", { in: [1, 2] }],
    ["/v2/repository/index", { ready: true }],
  ] as const) {
    const answer = await post(url, marked(body));
    assert.equal(answer.status, 200, `${url}: ${answer.body}`);
  }
  const json = marked({ inputs: [{ ...INPUT, data: null, parameters: { binary_data_size: 8 } }] });
  const body = Buffer.concat([json, Buffer.alloc(8)]);
  const answer = await post(URL, body, { "inference-header-content-length": String(json.length) });
  assert.equal(answer.status, 200, answer.body.toString());
  for (const broken of [Buffer.of(0xef), Buffer.of(0xef, 0xbb), Buffer.of(0xef, 0xbb, 0xbf)])
    assert.ok([400, 415].includes((await post(URL, broken)).status));
  const twice = Buffer.concat([marked(""), marked({ inputs: [INPUT] })]);
  assert.ok([400, 415].includes((await post(URL, twice)).status));
});

test("data that is null may follow as bytes", async () => {
  const json = JSON.stringify({
    inputs: [{ ...INPUT, data: null, parameters: { binary_data_size: 8 } }],
  });
  const body = Buffer.concat([Buffer.from(json), Buffer.alloc(8)]);
  const answer = await post(URL, body, { "inference-header-content-length": String(json.length) });
  assert.equal(answer.status, 200, answer.body.toString());
  assert.match((await post(URL, { inputs: [{ ...INPUT, data: null }] })).body.toString(), /data: missing/);
});

test("the repository's documents read null alike", async () => {
  const authorization = `Bearer ${TOKEN}`;
  assert.equal((await post("/v2/repository/index", { ready: null })).status, 200);
  for (const action of ["load", "unload"]) {
    const url = `/v2/repository/models/echo/${action}`;
    assert.equal((await post(url, { parameters: null }, { authorization })).status, 200);
  }
  const unload = "/v2/repository/models/echo/unload";
  assert.equal(
    (await post(unload, { parameters: { unload_dependents: null } }, { authorization })).status,
    200,
  );
});

test("a field that is needed is not there when it is null", async () => {
  for (const [body, message] of [
    [{ inputs: null }, /inputs: expected an array, got null/],
    [{ inputs: [{ ...INPUT, name: null }] }, /inputs\[0\]\.name: expected a string, got null/],
    [{ inputs: [{ ...INPUT, shape: null }] }, /inputs\[0\]\.shape: expected an array, got null/],
  ] as const) {
    const answer = await post(URL, body);
    assert.equal(answer.status, 400);
    assert.match(answer.body.toString(), message);
  }
});

test("an id of 1024 bytes is repeated, one byte more is refused", async () => {
  for (const [id, status] of [
    ["i".repeat(1024), 200],
    ["i".repeat(1025), 400],
    ["é".repeat(512), 200],
    ["é".repeat(513), 400],
  ] as const) {
    const answer = await post(URL, { id, inputs: [INPUT] });
    assert.equal(answer.status, status, answer.body.toString());
    if (status === 200) assert.equal(JSON.parse(answer.body.toString()).id, id);
  }
});
