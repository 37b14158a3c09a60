import assert from "node:assert/strict";
import { test } from "node:test";
import { identity, memoryInference } from "../memory-inference.kit.ts";
import { type Listening, listen, send } from "../rest-sockets.kit.ts";

const echo = identity("FP32");

async function ask(
  { port }: Listening,
  url: string,
  method = "POST",
): Promise<{ readonly status: number; readonly text: string }> {
  const sent = method !== "GET" ? { payload: '{"input":[[1,2]]}' } : {};
  const { status, body } = await send(port, { method, url, ...sent });
  return { status, text: body.toString() };
}

test("POST /predict means the only model there is", async () => {
  const one = await listen(memoryInference({ only: echo }));
  assert.deepEqual(await ask(one, "/predict"), { status: 200, text: '{"prediction":[[1,2]]}' });
  assert.equal((await ask(one, "/predict?x=1")).status, 200);
  assert.match((await ask(one, "/predict", "GET")).text, /this URL takes POST, PUT only/);
});

test("curl -T FILE puts, and is answered as a post is", async () => {
  const server = await listen(memoryInference({ only: echo }));
  for (const url of ["/predict", "/predict/only", "/predict/only/versions/1"]) {
    assert.deepEqual(await ask(server, url, "PUT"), { status: 200, text: '{"prediction":[[1,2]]}' }, url);
  }
  assert.equal((await ask(server, "/v2/models/only/infer", "PUT")).status, 405);
});

test("with several models it says which there are, and means the one that was configured", async () => {
  const two = memoryInference({ first: echo, second: echo });
  const open = await listen(two);
  const { status, text } = await ask(open, "/predict");
  assert.equal(status, 400);
  assert.match(
    text,
    /there are several models \(first, second\): name one, as in POST \/predict\/first, .*"no_model"/,
  );
  const set = await listen(two, { defaultModel: "second" });
  assert.equal((await ask(set, "/predict")).status, 200);
  const gone = await listen(two, { defaultModel: "third" });
  assert.equal((await ask(gone, "/predict")).status, 404);
});

test("without a model it says so, and a broken one is told as broken", async () => {
  assert.match((await ask(await listen(memoryInference({})), "/predict")).text, /there are no models yet/);
  const sick = { name: "sick", version: "1", state: "UNAVAILABLE", reason: "it is damaged" } as const;
  assert.equal((await ask(await listen(memoryInference({}, [sick])), "/predict")).status, 503);
  // A second model that comes or recovers must not change what /predict means.
  assert.equal((await ask(await listen(memoryInference({ only: echo }, [sick])), "/predict")).status, 400);
});

test("more models than can be listed are not listed", async () => {
  const many = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`model-${i}`, echo]));
  assert.match((await ask(await listen(memoryInference(many)), "/predict")).text, /model-9, …\)/);
});

test("a URL that is nearly right, or right elsewhere, is told the right one", async () => {
  const server = await listen(memoryInference({ digits: echo }));
  for (const [url, likely] of [
    ["/predct/digits", "POST /predict/digits"],
    ["/predict/digits/", "POST /predict/digits"],
    ["/Predict/digits", "POST /predict/digits"],
    ["/predict/digits/version/1", "POST /predict/digits/versions/1"],
    ["/v2/model/digits", "GET /v2/models/digits"],
    ["/v2/models/digits/infr", "POST /v2/models/digits/infer"],
    ["/v2/models/digits/predict", "POST /v2/models/digits/infer"],
    ["/v2/healthy/ready", "GET /v2/health/ready"],
    ["/metric", "GET /metrics"],
    ["/predictions/digits", "POST /predict/digits"],
    ["/invocations", "POST /predict"],
    ["/infer", "POST /predict"],
    ["/health", "GET /v2/health/ready"],
    ["/ready", "GET /v2/health/ready"],
    ["/models", "GET /v2/models"],
  ] as const) {
    for (const method of ["GET", "POST"]) {
      const { status, text } = await ask(server, url, method);
      assert.equal(status, 404, url);
      assert.ok(text.includes(`did you mean ${likely}?`), `${url}: ${text}`);
    }
  }
  for (const url of [
    "/something/else",
    "/a/b/c/d/e/f/g/h/i",
    `/predict/digits${"/".repeat(300)}`,
    "/wp-login.php",
  ]) {
    const { status, text } = await ask(server, url);
    assert.equal(status, 404);
    assert.match(text, /POST \/predict\/\{model\} predicts, GET \/v2\/models lists the models/);
  }
});
