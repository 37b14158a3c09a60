import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createMemoryRegions } from "../../memory-regions.ts";
import { identity, memoryInference } from "../memory-inference.kit.ts";
import { listen, send } from "../rest-sockets.kit.ts";
import { listenOn, type RestListener } from "../v1.kit.ts";

let rest: RestListener;
before(async () => {
  rest = await listenOn();
});
after(() => rest.close());

const get = async (path: string): Promise<{ status: number; text: string }> => {
  const answer = await fetch(rest.url + path);
  return { status: answer.status, text: await answer.text() };
};

const TRACE =
  '{"trace_level":["OFF"],"trace_rate":"1000","trace_count":"-1","log_frequency":"0","trace_file":"","trace_mode":"triton"}';

test("settings are told; what is so already is taken, and a change is a 400 that says what to do", async () => {
  for (const path of ["/v2/trace/setting", "/v2/models/one/trace/setting"]) {
    assert.deepEqual(await get(path), { status: 200, text: TRACE });
    for (const body of ["", "{}", '{"trace_level":"OFF","trace_rate":1000,"trace_count":null}'])
      assert.deepEqual(await rest.post(path, body), { status: 200, body: TRACE }, body);
    for (const body of [
      '{"trace_level":["TIMESTAMPS"]}',
      '{"trace_rate":"1"}',
      '{"trace_level":["OFF","TENSORS"]}',
    ]) {
      const { status, body: text } = await rest.post(path, body);
      assert.equal(status, 400, text);
      assert.match(text, /not changed by request; GET \/metrics/);
    }
  }
  const log = (await get("/v2/logging")).text;
  assert.deepEqual(JSON.parse(log), {
    log_file: "",
    log_info: true,
    log_warning: true,
    log_error: true,
    log_verbose_level: 0,
    log_format: "ISO8601",
  });
  assert.deepEqual(await rest.post("/v2/logging", '{"log_info":true,"log_verbose_level":0}'), {
    status: 200,
    body: log,
  });
  assert.match(
    (await rest.post("/v2/logging", '{"log_verbose_level":1}')).body,
    /start the server with --log-level/,
  );
  for (const body of ['{"__proto__":1}', '{"toString":1}', '{"x":1}'])
    assert.match((await rest.post("/v2/logging", body)).body, /there is no such setting/);
  assert.equal((await rest.post("/v2/logging", "[]")).status, 400);
  assert.equal((await get("/v2/models/none/trace/setting")).status, 404);
});

test("there is no shared memory: nothing is listed, to register is refused by name, to unregister is fine", async () => {
  for (const [kind, reason] of [
    ["system", /system shared memory is off; start the server with --shared-memory system/],
    ["cuda", /CUDA shared memory is not offered/],
  ] as const) {
    const base = `/v2/${kind}sharedmemory`;
    assert.deepEqual(await get(`${base}/status`), { status: 200, text: "[]" });
    assert.equal((await get(`${base}/region/a/status`)).status, 404);
    const { status, body } = await rest.post(
      `${base}/region/a/register`,
      '{"key":"/a","offset":0,"byte_size":64}',
    );
    assert.equal(status, 400);
    assert.match(body, reason);
    for (const path of ["/unregister", "/region/a/unregister"])
      assert.equal((await rest.post(base + path, "")).status, 200);
  }
});

test("with --shared-memory system inputs are read from a region and outputs written to it, within its bounds", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sconce-regions-"));
  after(() => rmSync(folder, { recursive: true }));
  const values = Float32Array.of(1, 2, 3, 4);
  writeFileSync(join(folder, "memory"), Buffer.concat([Buffer.from(values.buffer), Buffer.alloc(16)]));
  const { port, budget } = await listen(memoryInference({ echo: identity("FP32") }), {
    regions: createMemoryRegions({ folder }),
  });
  const post = async (url: string, body: unknown): Promise<{ status: number; json: unknown }> => {
    const answer = await send(port, { method: "POST", url, payload: JSON.stringify(body) });
    return { status: answer.status, json: JSON.parse(answer.body.toString()) };
  };
  const system = "/v2/systemsharedmemory";
  const region = { key: "/memory", offset: 8, byte_size: 24 };
  for (const [wrong, words] of [
    [{ ...region, byte_size: 25 }, /not all in it/],
    [{ ...region, byte_size: -1 }, /byte_size: expected/],
    [{ ...region, offset: 1.5 }, /offset: expected/],
    [{ ...region, offset: 2 ** 60 }, /offset: expected/],
    [{ key: "/memory" }, /byte_size: missing/],
    [{ ...region, key: "../memory" }, /key: expected/],
    [{ ...region, key: 7 }, /key: expected a string/],
  ] as const) {
    const { status, json } = await post(`${system}/region/r/register`, wrong);
    assert.equal(status, 400);
    assert.match(JSON.stringify(json), words);
  }
  assert.equal((await post(`${system}/region/r/register`, region)).status, 200);
  assert.equal((await post(`${system}/region/r/register`, region)).status, 409);
  const listed = await send(port, { method: "GET", url: `${system}/region/r/status` });
  assert.deepEqual(JSON.parse(listed.body.toString()), [{ name: "r", ...region }]);

  const place = (offset: number, size: number, more: object = {}) => ({
    parameters: {
      shared_memory_region: "r",
      shared_memory_offset: offset,
      shared_memory_byte_size: size,
      ...more,
    },
  });
  const input = { name: "in", shape: [1, 2], datatype: "FP32" };
  const out = { name: "out", datatype: "FP32", shape: [1, 2] };
  const infer = (given: object, wanted: object) =>
    post("/v2/models/echo/infer", {
      inputs: [{ ...input, ...given }],
      outputs: [{ name: "out", ...wanted }],
    });
  const head = { model_name: "echo", model_version: "1" };
  assert.deepEqual((await infer(place(0, 8), {})).json, { ...head, outputs: [{ ...out, data: [3, 4] }] });
  assert.deepEqual((await infer({ data: [5, 6] }, place(16, 8))).json, {
    ...head,
    outputs: [out],
  });
  assert.deepEqual(
    [...new Float32Array(Uint8Array.from(readFileSync(join(folder, "memory"))).buffer)].slice(4),
    [0, 0, 5, 6],
  );
  for (const [given, wanted, words] of [
    [place(17, 8), {}, /not all in it/],
    [place(0, 4), {}, /needs 8 bytes, and shared_memory_byte_size is 4/],
    [place(0, 8, { shared_memory_region: "s" }), {}, /register it first/],
    [place(0, 8, { shared_memory_region: null }), {}, /shared_memory_region: missing/],
    [{ ...place(0, 8), data: [1, 2] }, {}, /not both/],
    [{ data: [1, 2] }, place(16, 7), /has 8 bytes, and shared_memory_byte_size is 7/],
    [{ data: [1, 2] }, place(20, 8), /not all in it/],
  ] as const) {
    const { status, json } = await infer(given, wanted);
    assert.ok(status === 400 || status === 404, String(status));
    assert.match(JSON.stringify(json), words);
  }
  truncateSync(join(folder, "memory"), 9);
  assert.match(JSON.stringify((await infer(place(0, 8), {})).json), /made shorter/);
  assert.equal((await post(`${system}/unregister`, {})).status, 200);
  assert.deepEqual([budget.bytes, budget.requests], [0, 0]);
});
