import assert from "node:assert/strict";
import { test } from "node:test";
import { identity, memoryInference } from "../memory-inference.kit.ts";
import { listen, send } from "../rest-sockets.kit.ts";

const { port } = await listen(
  memoryInference({
    digits: identity("FP32", [{ symbol: "batch", min: 0, max: 8 }, 1, 2, 2]),
    text: identity("BYTES", [{ symbol: "batch", min: 0, max: 8 }]),
  }),
);

interface Refusal {
  readonly status: number;
  readonly error: string;
  readonly reason: string;
}

async function refused(url: string, payload: Buffer | string, type?: string): Promise<Refusal> {
  const headers: Record<string, string> = { host: "models.example:8080" };
  if (type !== undefined) headers["content-type"] = type;
  const { status, body } = await send(port, { method: "POST", url, payload, headers });
  return { status, ...(JSON.parse(body.toString()) as { error: string; reason: string }) };
}

const PNG = Buffer.from("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "latin1");
const EXAMPLE =
  /curl http:\/\/models\.example:8080\/predict\/digits -d '\{"input": \[\[\[\[0,0\],\[0,0\]\]\]\]\}'/;
const URLS = ["/predict/digits", "/v2/models/digits/infer"];

test("an image, a form, multipart and files are told what the model takes, with a line to paste", async () => {
  const bodies: Array<[body: Buffer | string, type: string | undefined, kind: RegExp]> = [
    [PNG, undefined, /^the body is a PNG image; /],
    [PNG, "image/png", /^the body is an image; /],
    [PNG, "application/x-www-form-urlencoded", /^the body is a PNG image; /],
    [Buffer.from("ffd8ffe000104a464946", "hex"), "application/octet-stream", /^the body is a JPEG image; /],
    [
      "--x\r\nContent-Disposition: form-data; name=file\r\n\r\n",
      "Multipart/Form-Data; boundary=x",
      /^the body is multipart; /,
    ],
    [
      "--x\r\nContent-Disposition: form-data; name=file\r\n\r\n",
      "application/json",
      /^the body is multipart; /,
    ],
    ["input=1&x=2", "application/x-www-form-urlencoded", /^the body is a form; /],
    [Buffer.from("\x93NUMPY\x01\0v\0", "latin1"), undefined, /^the body is a NumPy file; /],
    [Buffer.from("PK\x03\x04", "latin1"), undefined, /^the body is a zip archive/],
    [Buffer.from([0x80, 0x04, 0x95, 0]), undefined, /^the body is a pickle; /],
    ["<html></html>", "text/html", /^the body is HTML or XML; /],
    [
      Buffer.from([0x01, 0xff, 0xfe, 0]),
      undefined,
      /^the body is neither text nor a file that is known here; /,
    ],
  ];
  for (const url of URLS) {
    for (const [body, type, kind] of bodies) {
      const answer = await refused(url, body, type);
      assert.deepEqual([answer.status, answer.reason], [415, "unsupported_media_type"], answer.error);
      assert.match(answer.error, kind);
      assert.match(answer.error, /takes "in" \(FP32 \[-1, 1, 2, 2\]\), as JSON: /);
      assert.match(answer.error, EXAMPLE);
    }
  }
  assert.match((await refused("/predict/digits", PNG)).error, /sconce predict digits --input FILE/);
});

test("text that is no JSON is shown what would be", async () => {
  for (const body of ["seven", "1,2,3", "{'input': [1]}", "[[1,2]"]) {
    const answer = await refused("/predict/digits", body, "text/plain");
    assert.deepEqual([answer.status, answer.reason], [400, "bad_json"], answer.error);
    assert.match(answer.error, EXAMPLE);
  }
});

test("a model that takes bytes is told how they are sent as they are, and takes them so", async () => {
  const { error } = await refused("/predict/text", PNG, "image/png");
  assert.match(error, /Inference-Header-Content-Length: 0/);
  const headers = { "content-type": "image/png", "inference-header-content-length": "0" };
  const sent = await send(port, { method: "POST", url: "/v2/models/text/infer", payload: PNG, headers });
  assert.equal(sent.status, 200, sent.body.toString());
});

test("JSON is taken whatever it is called, unless it is called a file", async () => {
  const payload = '{"input":[[[0,0],[0,0]]]}';
  for (const type of [
    "application/json; charset=utf-8",
    "text/plain",
    "application/x-www-form-urlencoded",
    "",
    "application/octet-stream",
  ]) {
    const headers = { "content-type": type };
    assert.equal(
      (await send(port, { method: "POST", url: "/predict/digits", payload, headers })).status,
      200,
      type,
    );
  }
});
