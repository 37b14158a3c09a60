import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { ADD_SUB, identity, memoryInference } from "./memory-inference.kit.ts";
import { listen, send } from "./rest-sockets.kit.ts";

const INFERENCE = memoryInference(
  {
    addsub: ADD_SUB,
    echo: identity("FP32"),
    big: identity("INT64"),
    text: identity("BYTES"),
    flag: identity("BOOL"),
  },
  [{ name: "sick", version: "1", state: "UNAVAILABLE", reason: "the file is damaged" }],
);

const { port, log, budget } = await listen(INFERENCE);

interface Answer {
  readonly status: number;
  readonly json: unknown;
  readonly headers: Record<string, unknown>;
  readonly raw: Buffer;
}

async function call(
  method: "GET" | "POST" | "PUT",
  url: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const payload =
    body === undefined || typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  const answer = await send(port, { method, url, headers, ...(payload === undefined ? {} : { payload }) });
  let json: unknown;
  try {
    json = JSON.parse(answer.body.toString());
  } catch {}
  return { status: answer.status, json, headers: answer.headers, raw: answer.body };
}

function input(data: unknown, changes: object = {}): object {
  return { inputs: [{ name: "in", shape: [1, 2], datatype: "FP32", data, ...changes }] };
}

test("server, health and model routes answer as the protocol says", async () => {
  for (const url of ["/v2", "/v2/"]) {
    assert.deepEqual((await call("GET", url)).json, {
      name: "sconce",
      version: "0.0.0",
      extensions: ["binary_tensor_data"],
    });
  }
  assert.deepEqual((await call("GET", "/v2/health/live")).json, { live: true });
  assert.deepEqual((await call("GET", "/v2/health/ready")).json, { live: true, ready: true });
  assert.deepEqual((await call("GET", "/v2/models")).json, {
    models: ["addsub", "echo", "big", "text", "flag", "sick"],
  });
  assert.deepEqual((await call("GET", "/v2/models/echo/versions/1")).json, {
    name: "echo",
    versions: ["1"],
    platform: "memory",
    inputs: [{ name: "in", datatype: "FP32", shape: [-1, 2] }],
    outputs: [{ name: "out", datatype: "FP32", shape: [-1, 2] }],
  });
  assert.deepEqual((await call("GET", "/v2/models/echo/ready")).json, { name: "echo", ready: true });
  const sick = await call("GET", "/v2/models/sick/ready");
  assert.equal(sick.status, 503);
  assert.deepEqual(sick.json, { name: "sick", ready: false });
  const index = await call("POST", "/v2/repository/index", { ready: true });
  assert.equal((index.json as unknown[]).length, 5);
  const whole = (await call("POST", "/v2/repository/index")).json as unknown[];
  assert.deepEqual(whole.at(-1), {
    name: "sick",
    version: "1",
    state: "UNAVAILABLE",
    reason: "the file is damaged",
  });
});

test("infer computes, echoes the id, and picks outputs in the order asked", async () => {
  const tensors = [
    { name: "a", shape: [2, 2], datatype: "FP32", data: [1, 2, 3, 4.5] },
    {
      name: "b",
      shape: [2, 2],
      datatype: "FP32",
      data: [
        [0.5, 0.5],
        [1, 1],
      ],
    },
  ];
  const answer = await call("POST", "/v2/models/addsub/infer", { id: "é-7", inputs: tensors });
  assert.equal(answer.status, 200);
  assert.deepEqual(answer.json, {
    id: "é-7",
    model_name: "addsub",
    model_version: "1",
    outputs: [
      { name: "sum", datatype: "FP32", shape: [2, 2], data: [1.5, 2.5, 4, 5.5] },
      { name: "difference", datatype: "FP32", shape: [2, 2], data: [0.5, 1.5, 2, 3.5] },
    ],
  });
  const picked = await call("POST", "/v2/models/addsub/versions/1/infer", {
    inputs: tensors,
    outputs: [{ name: "difference" }, { name: "sum" }],
  });
  assert.deepEqual(
    (picked.json as { outputs: Array<{ name: string }> }).outputs.map((o) => o.name),
    ["difference", "sum"],
  );
});

test("64-bit integers keep every digit, NaN and Infinity go both ways", async () => {
  const text =
    '{"inputs":[{"data":[9223372036854775807,-9223372036854775808],"name":"in","shape":[1,2],"datatype":"INT64"}]}';
  const answer = await call("POST", "/v2/models/big/infer", text);
  assert.match(answer.raw.toString(), /"data":\[9223372036854775807,-9223372036854775808\]/);
  const odd = await call(
    "POST",
    "/v2/models/echo/infer",
    '{"inputs":[{"name":"in","shape":[1,2],"datatype":"FP32","data":[NaN,-Infinity]}]}',
  );
  assert.match(odd.raw.toString(), /"data":\[NaN,-Infinity\]/);
  const plain = await call("POST", "/predict/echo", '{"input": [NaN, 1]}');
  assert.deepEqual(plain.json, { prediction: [null, 1] });
});

test("the binary extension: inputs after the JSON, outputs as asked, mixed with JSON", async () => {
  const bytes = Buffer.from(Float32Array.of(1.5, -2).buffer);
  const json = Buffer.from(
    JSON.stringify({
      inputs: [{ name: "in", shape: [1, 2], datatype: "FP32", parameters: { binary_data_size: 8 } }],
      parameters: { binary_data_output: true },
    }),
  );
  const headers = { "inference-header-content-length": String(json.length) };
  const answer = await call("POST", "/v2/models/echo/infer", Buffer.concat([json, bytes]), headers);
  assert.equal(answer.headers["content-type"], "application/octet-stream");
  const length = Number(answer.headers["inference-header-content-length"]);
  assert.deepEqual(JSON.parse(answer.raw.subarray(0, length).toString()).outputs, [
    { name: "out", datatype: "FP32", shape: [1, 2], parameters: { binary_data_size: 8 } },
  ]);
  assert.deepEqual(answer.raw.subarray(length), bytes);

  const asJson = {
    outputs: [{ name: "out", parameters: { binary_data: false } }],
    parameters: { binary_data_output: true },
  };
  assert.deepEqual((await call("POST", "/v2/models/echo/infer", { ...input([3, 4]), ...asJson })).json, {
    model_name: "echo",
    model_version: "1",
    outputs: [{ name: "out", datatype: "FP32", shape: [1, 2], data: [3, 4] }],
  });
});

test("a raw body is one row of the only input, answered in binary", async () => {
  const bytes = Buffer.from(Float32Array.of(7, 8).buffer);
  const headers = { "inference-header-content-length": "0" };
  const answer = await call("POST", "/v2/models/echo/infer", bytes, headers);
  assert.equal(answer.status, 200);
  assert.deepEqual(answer.raw.subarray(Number(answer.headers["inference-header-content-length"])), bytes);
  const short = await call("POST", "/v2/models/echo/infer", bytes.subarray(1), headers);
  assert.equal(short.status, 400);
  assert.match(
    String((short.json as { error: string }).error),
    /"in" \(FP32 \[1, 2\]\) needs 8 bytes, got 7/,
  );
});

test("/predict takes values, rows, names; answers nested", async () => {
  assert.deepEqual(
    (
      await call("POST", "/predict/echo", {
        input: [
          [1, 2],
          [3, 4],
        ],
      })
    ).json,
    {
      prediction: [
        [1, 2],
        [3, 4],
      ],
    },
  );
  assert.deepEqual((await call("POST", "/predict/echo", { input: [1, 2] })).json, { prediction: [1, 2] });
  assert.deepEqual((await call("POST", "/predict/echo", { input: { in: [[1, 2]] } })).json, {
    prediction: [[1, 2]],
  });
  assert.deepEqual((await call("POST", "/predict/addsub", { input: { b: [1, 1], a: [3, 4] } })).json, {
    prediction: { sum: [4, 5], difference: [2, 3] },
  });
  assert.deepEqual((await call("POST", "/predict/text", { input: [["é", { b64: "/w==" }]] })).json, {
    prediction: [["é", { b64: "/w==" }]],
  });
  assert.deepEqual((await call("POST", "/predict/flag/versions/1", { input: [true, false] })).json, {
    prediction: [true, false],
  });
  assert.match(errorOf(await call("POST", "/predict/addsub", { input: [1, 2] })), /this model has 2 inputs/);
  assert.match(
    errorOf(await call("POST", "/predict/addsub", { input: { a: [1, 2], b: [[1, 2]] } })),
    /single rows/,
  );
  assert.match(
    errorOf(await call("POST", "/predict/echo", { input: 5 })),
    /expected FP32 \[-1, 2\] or, for one row, \[2\], got \[\]/,
  );
});

function errorOf(answer: Answer, status = 400): string {
  assert.equal(answer.status, status, answer.raw.toString());
  return String((answer.json as { error: unknown }).error);
}

test("bad requests name the field and what was expected", async () => {
  const url = "/v2/models/echo/infer";
  const cases: Array<[body: unknown, message: RegExp]> = [
    [undefined, /the body is empty; expected a JSON object with "inputs"/],
    ["", /the body is empty/],
    ["[]", /the body is an array; expected a JSON object/],
    ["{", /the JSON text ends at byte 1, where a key in double quotes was expected/],
    ['{"inputs":[}', /is broken at byte 11, where a value was expected/],
    ["{}", /inputs: expected an array, got missing/],
    ['{"inputs":[],"inputs":[]}', /has the key "inputs" twice in one object/],
    ['{"\\u0069nputs":[],"inputs":[]}', /has the key "inputs" twice/],
    [{ inputs: [5] }, /inputs\[0\]: expected an object, got a number/],
    [input([1, 2], { name: 3 }), /inputs\[0\]\.name: expected a string, got a number/],
    [input([1, 2], { datatype: "FLOAT" }), /inputs\[0\]\.datatype: "FLOAT" is not a datatype/],
    [
      input([1, 2], { shape: [-1, 2] }),
      /inputs\[0\]\.shape\[0\]: expected a whole number, 0 or more, got -1/,
    ],
    [input([1, 2], { shape: [1e300, 2] }), /inputs\[0\]\.shape\[0\]: expected a whole number/],
    [input([1, 2], { shape: [2 ** 52, 2 ** 52] }), /more elements than a body/],
    [input([1, 2], { shape: new Array(17).fill(1) }), /17 dimensions are more than the 16 allowed/],
    [input([1, 2, 3]), /inputs\[0\]\.data\[2\]: shape \[1, 2\] needs 2 elements, the data has more/],
    [
      input([[1], [2, 3]], { shape: [2, 2] }),
      /inputs\[0\]\.data\[1\]: has 2 elements where its neighbours have 1/,
    ],
    [input([1, "2"]), /inputs\[0\]\.data\[1\]: expected a number for FP32, got a string/],
    [input(undefined), /inputs\[0\]\.data: missing/],
    [input([1, 2], { parameters: { binary_data_size: 8 } }), /either data or parameters\.binary_data_size/],
    [input(undefined, { parameters: { binary_data_size: 8 } }), /8 bytes announced, but only 0 follow/],
    [input([1, 2], { parameters: { shared_memory_region: "x" } }), /shared_memory_byte_size: missing/],
    [
      { ...input([1, 2]), outputs: [{ name: "out" }, { name: "out" }] },
      /outputs\[1\]\.name: output "out" is requested twice/,
    ],
    [{ ...input([1, 2]), parameters: { x: [1] } }, /parameters\.x: expected a string, a number or a boolean/],
    [{ ...input([1, 2]), parameters: { timeout: -1 } }, /"timeout" must be a whole number of microseconds/],
    [{ ...input([1, 2]), parameters: { priority: -1 } }, /"priority" must be a whole number/],
    [{ ...input([1, 2]), id: 7 }, /id: expected a string/],
    [Buffer.from([0x7b, 0xff, 0x7d]), /not valid UTF-8/],
  ];
  for (const [body, message] of cases) assert.match(errorOf(await call("POST", url, body)), message);
  assert.match(
    errorOf(await call("POST", url, input([1, 2]), { "x-request-timeout-ms": "soon" })),
    /x-request-timeout-ms/,
  );
  assert.match(
    errorOf(await call("POST", url, "{}", { "inference-header-content-length": "9" })),
    /9 bytes of JSON announced/,
  );
  assert.match(errorOf(await call("POST", url, "{}", { "content-encoding": "br" }), 415), /gzip or deflate/);
  assert.match(
    errorOf(await call("POST", url, "{}", { "content-encoding": "gzip" })),
    /not valid compressed data/,
  );
  assert.match(
    errorOf(await call("POST", url, "{}", { "content-type": "multipart/form-data" }), 415),
    /multipart/,
  );
});

test("unknown models, versions, URLs and methods", async () => {
  for (const url of [
    "/v2/models/nope/infer",
    "/v2/models/echo/versions/9/infer",
    "/predict/nope",
    "/v2/models/..%2f..%2fetc/infer",
  ]) {
    errorOf(await call("POST", url, input([1, 2])), 404);
  }
  assert.match(
    errorOf(await call("GET", "/v2/models/.hidden/ready"), 404),
    /a model's name has 1 to 128 letters/,
  );
  errorOf(await call("GET", "/nothing/here"), 404);
  errorOf(await call("GET", "/v2/models/%zz"), 400);
  const wrong = await call("PUT", "/v2/models/echo/infer");
  assert.equal(wrong.status, 405);
  assert.equal(wrong.headers["allow"], "POST");
  const unready = await call("POST", "/predict/sick", { input: 1 });
  assert.equal(unready.status, 503);
  assert.equal(unready.headers["retry-after"], "1");
});

test("every inference answer says where the time went, and the histograms count the same", async () => {
  const answer = await call("POST", "/v2/models/echo/infer", input([1, 2]), { "x-request-id": "abc-1" });
  assert.match(
    String(answer.headers["server-timing"]),
    /^receive;dur=\d+\.\d{3}, decode;dur=\d+\.\d{3}, queue;dur=\d+\.\d{3}, batch;dur=\d+\.\d{3}, transfer;dur=\d+\.\d{3}, compute;dur=\d+\.\d{3}, encode;dur=\d+\.\d{3}, total;dur=\d+\.\d{3}$/,
  );
  assert.equal(answer.headers["x-request-id"], "abc-1");
  const odd = await call("GET", "/v2", undefined, { "x-request-id": "a\tb" });
  assert.equal(odd.headers["x-request-id"], "made-id");
  const metrics = (await call("GET", "/metrics")).raw.toString();
  assert.match(
    metrics,
    /sconce_inference_stage_seconds_count\{model="echo",version="1",stage="compute"\} [1-9]/,
  );
  assert.match(metrics, /sconce_inferences_total\{model="echo",protocol="rest",code="ok"\} [1-9]/);
  assert.match(
    metrics,
    /sconce_inferences_total\{model="echo",protocol="rest",code="invalid_argument"\} [1-9]/,
  );
});

test("compressed requests and responses", async () => {
  const body = gzipSync(JSON.stringify(input([1, 2])));
  assert.equal(
    (await call("POST", "/v2/models/echo/infer", body, { "content-encoding": "gzip" })).status,
    200,
  );
  const rows = Array.from({ length: 60 }, (_, i) => [i + 0.123, i + 0.456]);
  const wide = await listen(memoryInference({ echo: identity("FP32") }), {
    limits: { minCompressBytes: 100 },
  });
  const packed = await send(wide.port, {
    method: "POST",
    url: "/predict/echo",
    headers: { "accept-encoding": "br, gzip" },
    payload: JSON.stringify({ input: rows }),
  });
  assert.equal(packed.headers["content-encoding"], "gzip");
  assert.equal(packed.headers["vary"], "Accept-Encoding");
});

test("the page lists models without scripts", async () => {
  const page = await call("GET", "/", undefined, { accept: "text/html,application/xhtml+xml,*/*;q=0.8" });
  assert.match(String(page.headers["content-security-policy"]), /default-src 'none'/);
  const html = page.raw.toString();
  assert.match(html, /<dt>reason<\/dt><dd>the file is damaged/);
  assert.match(html, /<dt>input<\/dt><dd><code>[^<]*: \w+ \[[^<]*\]<\/code>/);
  assert.match(html, /<dt>output<\/dt>/);
  const line = html.match(/curl .*?(\/predict\/\w+) -d &#39;(.*?)&#39;/);
  assert.ok(line !== null);
  const pasted = await call("POST", line[1]!, line[2]!.replaceAll("&quot;", '"'));
  assert.equal(pasted.status, 200);
  assert.doesNotMatch(html, /<script/);
});

test("KServe's clients ask GET / whether the server lives", async () => {
  for (const accept of ["*/*", "application/json"])
    assert.deepEqual((await call("GET", "/", undefined, { accept })).json, { status: "alive" });
});

test("nothing is left in the budget, and no fault of ours was logged", () => {
  assert.deepEqual([budget.bytes, budget.requests], [0, 0]);
  assert.deepEqual(log.errors, []);
});
