import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { assertClose, comparePredictions, JSON_TYPE, predict, type TaskServer } from "./task-server.kit.ts";

/** Of the engines that compute; pixels and tokens are the same. */
const TOLERANCE = { absolute: 1e-5, relative: 1e-4 };

/** Real photographs and texts, sent in every way there is. */
export async function checkClassification(t: TestContext, made: TaskServer): Promise<void> {
  await comparePredictions(t, made, TOLERANCE);
  await t.test("an image comes in every way that clients send files", () => sendsImages(made));
  await t.test("a text comes as text, as JSON and in a form", () => sendsTexts(made));
  await t.test("what cannot be read is refused with words that help, and the server goes on", () =>
    refuses(made),
  );
}

const CURL_TYPE = "application/x-www-form-urlencoded";

async function sendsImages({ server, models, file }: TaskServer): Promise<void> {
  const expected = models
    .find(({ model }) => model === "vit")!
    .requests.find(({ sent }) => sent === "flower.jpg")!.expected;
  const bytes = file("flower.jpg");
  const base64 = bytes.toString("base64");
  const form = new FormData();
  form.append("file", new Blob([bytes], { type: "image/jpeg" }), "flower.jpg");
  for (const request of [
    { body: bytes, type: CURL_TYPE },
    { body: bytes, type: "image/jpeg" },
    { body: bytes, type: "application/octet-stream" },
    { body: bytes },
    { body: form },
    { body: JSON.stringify({ input: `data:image/jpeg;base64,${base64}` }), type: JSON_TYPE },
    { body: JSON.stringify({ input: base64 }), type: CURL_TYPE },
  ]) {
    assertClose(await predict(server, "vit", request), expected, TOLERANCE);
  }
  const list = { body: JSON.stringify({ input: [base64, base64] }), type: JSON_TYPE };
  assertClose(await predict(server, "vit", list), [expected, expected], TOLERANCE);
  form.append("file", new Blob([bytes], { type: "image/jpeg" }), "again.jpg");
  form.append("top_k", "1");
  const best = [(expected as unknown[])[0]];
  assertClose(await predict(server, "vit", { body: form }), [best, best], TOLERANCE);
}

async function sendsTexts({ server, models }: TaskServer): Promise<void> {
  const { sent, expected } = models.find(({ model }) => model === "roberta")!.requests[3]!;
  const form = new FormData();
  form.append("input", String(sent));
  for (const request of [
    { body: String(sent), type: "text/plain; charset=utf-8" },
    { body: String(sent), type: CURL_TYPE },
    { body: JSON.stringify({ input: sent }), type: CURL_TYPE },
    { body: form },
  ]) {
    assertClose(await predict(server, "roberta", request), expected, TOLERANCE);
  }
  // As Hugging Face's servers take it, and answer it: without anything around it.
  const response = await fetch(`${server.url}/predict/roberta`, {
    method: "POST",
    body: JSON.stringify({ inputs: sent }),
  });
  assertClose(await response.json(), expected, TOLERANCE);
  assert.match(response.headers.get("server-timing") ?? "", /preprocess;dur=[\d.]+,.*postprocess;dur=/);
}

async function refuses({ server, file }: TaskServer): Promise<void> {
  const png = file("small.png");
  const huge = Buffer.from(png);
  // The head says 60,000 × 60,000 pixels; its checksum is not looked at before that.
  huge.writeUInt32BE(60_000, 16);
  huge.writeUInt32BE(60_000, 20);
  const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
  for (const [model, body, words] of [
    ["vit", png.subarray(0, 900), /not an image that can be read/],
    ["vit", huge, /not an image that can be read/],
    ["vit", Buffer.from("nothing of the kind"), /not an image that can be read/],
    ["vit", Buffer.alloc(0), /body: it is empty/],
    [
      "vit",
      Buffer.from("<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"),
      /not an image that can be read/,
    ],
    ["vit", json({ input: "https://example.org/cat.jpg" }), /this server fetches nothing/],
    ["vit", json({ input: "no base 64!" }), /input: expected a file's bytes in base64/],
    ["vit", json({ input: [1, 2] }), /expected an image file/],
    [
      "vit",
      json({ input: "aGk=", parameters: { top: 3 } }),
      /parameters.top: no such parameter; there are top_k/,
    ],
    ["vit", json({ input: "aGk=", parameters: { top_k: 0 } }), /parameters.top_k: expected a whole number/],
    ["bert", json({ image: "x" }), /image: no such field; there are "input" and "parameters"/],
    ["bert", json({ input: new Array(300).fill("x") }), /at most 256 inputs at once/],
    ["bert", json({ input: 7 }), /expected a text, or/],
    ["bert", json({ input: "x ".repeat(200_000) }), /at most 262144 are taken/],
    ["bert", Buffer.from([0xff, 0xfe, 0x41]), /expected text in UTF-8/],
    ["bert", Buffer.from('{"input": "x"'), /body: /],
  ] as const) {
    const response = await fetch(`${server.url}/predict/${model}`, {
      method: "POST",
      body: new Uint8Array(body),
    });
    const text = await response.text();
    assert.equal(response.status, 400, text);
    assert.match((JSON.parse(text) as { readonly error: string }).error, words);
  }
  const long = await predict(server, "bert", {
    body: json({ input: "long ".repeat(50_000) }),
    type: JSON_TYPE,
  });
  assert.equal((long as unknown[]).length, 1);
}
