// Tests what reads a request's text: one token of many MiB holds nobody else up.
import assert from "node:assert/strict";
import { test } from "node:test";
import { identity, memoryInference } from "./memory-inference.kit.ts";
import { listen, send } from "./rest-sockets.kit.ts";

const { port } = await listen(
  memoryInference({
    echo: identity("FP32"),
    big: identity("INT64"),
    half: identity("FP16"),
    text: identity("BYTES"),
  }),
);
const LONG = 16 * 1024 * 1024;
/** Against hangs: a text of which all is converted in one go takes many times as long. */
const timeout = 60_000;

const numbers: Readonly<Record<string, string>> = {
  digits: "9".repeat(LONG),
  "digits below zero": `-${"9".repeat(LONG)}`,
  fraction: `0.${"1".repeat(LONG)}`,
  exponent: `1e${"9".repeat(LONG)}`,
  zeros: `0.${"0".repeat(LONG)}1`,
};

async function expectRefused(
  url: string,
  payload: string,
  headers: Record<string, string> = {},
): Promise<string> {
  const [refused, alive] = await Promise.all([
    send(port, { method: "POST", url, payload, headers }),
    send(port, { method: "GET", url: "/v2/health/live" }),
  ]);
  assert.equal(alive.status, 200);
  assert.equal(refused.status, 400, refused.body.toString().slice(0, 200));
  const { error } = JSON.parse(refused.body.toString()) as { error: string };
  assert.ok(error.length < 300, error);
  return error;
}

for (const [kind, number] of Object.entries(numbers)) {
  test(`a number of 16 MiB of ${kind} is refused before it is converted, wherever it stands`, {
    timeout,
  }, async () => {
    const tooLong =
      /more than 1000 characters|at most 1000 characters|longer than 1000 characters|longer than 65536 bytes|outside tensor data/;
    for (const model of ["echo", "big", "half"]) {
      assert.match(await expectRefused(`/predict/${model}`, `{"input":[${number}]}`), tooLong);
    }
    const inputs = (data: string, shape = "[1]"): string =>
      `[{"name":"in","shape":${shape},"datatype":"FP32","data":${data}}]`;
    const body = `{"inputs":${inputs(`[${number}]`)}}`;
    assert.match(await expectRefused("/v2/models/echo/infer", body), tooLong);
    const binary = { "Inference-Header-Content-Length": String(body.length) };
    assert.match(await expectRefused("/v2/models/echo/infer", body, binary), tooLong);
    assert.match(
      await expectRefused("/v2/models/echo/infer", `{"inputs":${inputs("[1]", `[${number}]`)}}`),
      tooLong,
    );
    const parameter = `{"inputs":${inputs("[1]")},"parameters":{"p":${number}}}`;
    assert.match(await expectRefused("/v2/models/echo/infer", parameter), tooLong);
  });
}

test("spaces, texts, keys and words of 16 MiB are answered for, and nobody waits", { timeout }, async () => {
  const { port: sure } = await listen(memoryInference({ echo: identity("FP32"), text: identity("BYTES") }));
  assert.ok(sure > 0);
  const x = "x".repeat(LONG);
  for (const payload of [
    `{"input":["${x}"]}`,
    `{"input":["${"\\u0041".repeat(LONG / 6)}"]}`,
    `{"input":[{"b64":"${x}"}]}`,
    `{"input":[{"b64":"AAAA"${" ".repeat(LONG)}}]}`,
    `{"input":[{${" ".repeat(LONG)}"b64":"AAAA"}]}`,
    `{"${x}":1}`,
    `{"input":[${x}]}`,
    `{"other":${x}}`,
    `${" ".repeat(LONG)}{"input":["a"]}`,
  ]) {
    await expectRefused("/predict/text", payload);
  }
  const inputs = '"inputs":[{"name":"in","shape":[1],"datatype":"FP32","data":[1]}]';
  for (const payload of [
    `{"id":"${x}",${inputs}}`,
    `{${inputs},"parameters":{"p":"${x}"}}`,
    `{${inputs},"parameters":{"${x}":1}}`,
    `{${inputs},"parameters":{"p":${" ".repeat(LONG)}1}}`,
    `{${inputs},"outputs":[{"name":"${x}"}]}`,
  ]) {
    await expectRefused("/v2/models/echo/infer", payload);
  }
  const padded = `{"input":[1,${" ".repeat(LONG)}2]}`;
  const { status, body } = await send(port, { method: "POST", url: "/predict/echo", payload: padded });
  assert.equal(status, 200, body.toString());
});
