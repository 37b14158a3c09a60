import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { ModelSummary } from "@sconce/torch";
import { runCommand } from "../command.kit.ts";
import { adviceFor } from "./advice.ts";
import { inspectCommand } from "./inspect.ts";

const at = (path: string): string => fileURLToPath(new URL(`../../../../../${path}`, import.meta.url));
const DIGITS = at("examples/models/digits.pt2");
const REWRITE = at("packages/torch/fixtures/rewrite");
const folder = mkdtempSync(join(tmpdir(), "inspect-"));
after(() => rmSync(folder, { recursive: true }));

describe("sconce inspect", () => {
  test("answers what a file takes: sizes, precision, memory, batching", async () => {
    const { stdout } = await runCommand(inspectCommand, DIGITS);
    assert.match(stdout, /^sizes {7}batch 0 to 1024$/m);
    assert.match(stdout, /^precision {3}float32 weights$/m);
    assert.match(stdout, /^memory {6}54\.3 KiB of weights for each instance/m);
    assert.match(stdout, /^batching {4}on, along batch, 1024 rows of a run at most/m);
    assert.doesNotMatch(stdout, /^loaded/m);
  });

  test("says of a fixed first dimension that it keeps requests apart, and how to export again", async () => {
    const { stdout } = await runCommand(inspectCommand, join(REWRITE, "keywords.pt2"));
    assert.match(stdout, /^sizes {7}all are fixed$/m);
    assert.match(
      stdout,
      /^batching {4}off: the first dimension of input extra_scale is fixed at 1; to batch, export again with/m,
    );
    assert.match(stdout, /^faster {6}requests that wait could share a run/m);
  });

  test("says of an ONNX file whether it will batch, and why not", async () => {
    const on = await runCommand(inspectCommand, join(REWRITE, "encoder.onnx"));
    assert.match(
      on.stdout,
      /^batching {4}on, along s23: .*; loading it tries whether its rows are independent$/m,
    );
    const off = await runCommand(inspectCommand, join(REWRITE, "branches.onnx"));
    assert.match(off.stdout, /^batching {4}off: a branch is taken for all rows of a run by what is in them/m);
  });

  test("--load measures what the rest only estimates", async () => {
    const { stdout } = await runCommand(inspectCommand, DIGITS, "--load");
    assert.match(stdout, /^loaded {6}translate \d+ ms, session \d+ ms, warmup \d+ ms$/m);
    assert.match(stdout, /^ {2}run {7}\[8, 1, 8, 8\]: [\d.e+-]+ ms$/m);
    if (process.platform === "linux") assert.match(stdout, /^ {2}memory {4}[\d.]+ MiB in its worker$/m);
    const json = await runCommand(inspectCommand, DIGITS, "--load", "--json");
    const { measured, format } = JSON.parse(json.stdout) as { measured: { runs: unknown[] }; format: string };
    assert.equal(format, "pt2");
    assert.equal(measured.runs.length, 3);
  });

  test("shows a folder as a server finds it: versions, broken files, and what model.yaml says of a script", async () => {
    const models = join(folder, "models");
    for (const name of ["digits/1", "digits/2", "script"]) mkdirSync(join(models, name), { recursive: true });
    copyFileSync(DIGITS, join(models, "digits/1/model.pt2"));
    copyFileSync(DIGITS, join(models, "digits/2/model.pt2"));
    copyFileSync(join(REWRITE, "scripted.pt"), join(models, "script/model.pt"));
    writeFileSync(
      join(models, "script/model.yaml"),
      'inputs: {x: "float32[batch, 32]", scale: "float32[4]"}\n',
    );
    mkdirSync(join(models, "named"));
    copyFileSync(DIGITS, join(models, "named/model.pt2"));
    writeFileSync(join(models, "named/model.yaml"), "rename: {image: picture, probabilities: scores}\n");
    writeFileSync(join(models, "half.pt2"), "PK\x03\x04 and so on");
    const { stdout, code } = await runCommand(inspectCommand, models);
    assert.equal(code, 0);
    assert.match(stdout, /^digits 1 {2}pt2 file, run by onnx, 54\.3 KiB of weights$/m);
    assert.match(stdout, /^digits 2 {2}pt2 file/m);
    assert.match(stdout, /^half 1 {4}cannot be served: .*truncated/m);
    assert.match(stdout, /^ +picture: float32.* → scores: float32/m);
    assert.match(stdout, /^script 1 {2}torchscript file, run by onnx/m);
    const json = await runCommand(inspectCommand, models, "--json");
    const parsed = JSON.parse(json.stdout) as { models: { name: string; batching?: { kind: string } }[] };
    assert.deepEqual(
      parsed.models.map(({ name }) => name),
      ["digits", "digits", "half", "named", "script"],
    );
    assert.equal(parsed.models[0]!.batching?.kind, "on");
  });
});

describe("adviceFor()", () => {
  const summary = (
    ops: Readonly<Record<string, number>>,
    more: Partial<ModelSummary> = {},
  ): ModelSummary => ({
    format: "pt2",
    detail: "",
    inputs: [],
    outputs: [],
    guards: [],
    parameterCount: 2 ** 20,
    weightBytes: 2 ** 22,
    bytesByDtype: { float32: 2 ** 22 },
    ops: Object.entries(ops).map(([op, count]) => ({ op, count })),
    rowMixing: undefined,
    report: { unsupported: [], warnings: [] },
    ...more,
  });
  const advice = (given: ModelSummary, runtime = "onnx"): string =>
    adviceFor({ summary: given, runtime: { name: runtime }, batching: undefined, file: "m.pt2" })
      .map(({ how }) => how)
      .join("\n");

  test("products in 8 bits, convolutions in 8 bits with calibration, nothing for what is small or quantized", () => {
    assert.match(
      advice(summary({ "aten.linear.default": 3 })),
      /^sconce quantize m\.pt2 --int8 -o OUT\.onnx/,
    );
    assert.match(
      advice(summary({ MatMul: 1, Conv: 3 }, { format: "onnx" })),
      /--int8 --static --calibration/,
    );
    assert.equal(advice(summary({ "aten.linear.default": 3 }, { weightBytes: 1000 })), "");
    assert.equal(advice(summary({ MatMul: 1, MatMulInteger: 3 }, { format: "onnx" })), "");
    assert.equal(advice(summary({ "aten.add.Tensor": 3 })), "");
  });

  test("float64 weights, and programs that Python runs", () => {
    assert.match(advice(summary({}, { bytesByDtype: { float64: 2 ** 22 } })), /model\.float\(\)/);
    assert.match(advice(summary({ "aten.linear.default": 3 }), "python"), /^the lines 'unsupported' say/);
  });
});
