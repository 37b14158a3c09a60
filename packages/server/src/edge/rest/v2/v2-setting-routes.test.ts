import assert from "node:assert/strict";
import { after, before, test } from "node:test";
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
