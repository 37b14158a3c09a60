import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";
import { listenOn, type RestListener } from "../v1.kit.ts";

let rest: RestListener;
before(async () => {
  rest = await listenOn();
});
after(() => rest.close());

test("inputs and outputs by name; what is missing of the dimensions is one", async () => {
  const { status, body } = await rest.post(
    "/v2/models/pair/generate",
    '{"id":"a","x":[1,2],"t":"héllo","top_k":3}',
  );
  assert.equal(status, 200, body);
  assert.deepEqual(JSON.parse(body), {
    id: "a",
    model_name: "pair",
    model_version: "1",
    x: [1, 2],
    t: "héllo",
  });
});

test("parameters may hold inputs, too, and null is as good as nothing", async () => {
  const { status, body } = await rest.post(
    "/v2/models/pair/versions/1/generate",
    '{"x":[[1,2],[3,4]],"parameters":{"t":["a","b"],"stop":null,"y":true}}',
  );
  assert.equal(status, 200, body);
  assert.deepEqual((JSON.parse(body) as { t: unknown }).t, ["a", "b"]);
});

test("a stream is one event, also to and from gzip", async () => {
  const answer = await fetch(`${rest.url}/v2/models/pair/generate_stream`, {
    method: "POST",
    headers: { "content-encoding": "gzip" },
    body: new Uint8Array(gzipSync('{"x":[1,2],"t":"a"}')),
  });
  assert.equal(answer.headers.get("content-type"), "text/event-stream; charset=utf-8");
  assert.equal(await answer.text(), 'data: {"model_name":"pair","model_version":"1","x":[1,2],"t":"a"}\n\n');
  const numbers = Array.from({ length: 20_000 }, (_, i) => [i, i]);
  const large = await rest.raw("/v2/models/pair/generate_stream", {
    body: JSON.stringify({ x: numbers, t: numbers.map(() => "t") }),
    headers: { "accept-encoding": "gzip" },
  });
  assert.equal(large.headers["content-encoding"], "gzip");
  assert.match(gunzipSync(large.bytes).toString(), /^data: \{"model_name".*\}\n\n$/s);
});

for (const [what, body, expected] of [
  ["no input", '{"x":[1,2]}', /^t: missing; expected a JSON object with "x", "t"/],
  ["an input twice", '{"x":[1,2],"t":"a","parameters":{"x":[1,2]}}', /^x: is given twice/],
  ["a parameter twice", '{"x":[1,2],"t":"a","y":1,"parameters":{"y":1}}', /^y: is given twice/],
  [
    "a parameter that is a list",
    '{"x":[1,2],"t":"a","y":[1]}',
    /^parameters\.y: expected a string, a number/,
  ],
  ["too many dimensions", '{"x":[[[1,2]]],"t":"a"}', /^x: expected FP32 \[-1, ?2\], got/],
  ["an id that is no text", '{"id":1,"x":[1,2],"t":"a"}', /^id: expected a string/],
  ["no object", "[]", /the body is an array/],
  ["nothing", "", /the body is empty/],
  ["an odd key", '{"__proto__":{"x":1},"x":[1,2],"t":"a"}', /^parameters\.__proto__: expected a string/],
] as const)
  test(`${what} is a 400 in JSON, over a stream as well`, async () => {
    for (const url of ["/v2/models/pair/generate", "/v2/models/pair/generate_stream"]) {
      const answer = await rest.post(url, body);
      assert.equal(answer.status, 400, answer.body);
      assert.match((JSON.parse(answer.body) as { error: string }).error, expected);
    }
  });
