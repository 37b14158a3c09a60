import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Tensor } from "../base/tensor.ts";
import { parseArguments } from "./arguments.ts";
import type { Terminal } from "./command.ts";
import { OutputComparison } from "./compare-outputs.ts";
import { convertCommand } from "./convert.ts";
import { quantizeCommand } from "./quantize.ts";
import type { QuantizeReport } from "./quantize-report.ts";
import { makeTrials } from "./trial-inputs.ts";

const at = (path: string): string => fileURLToPath(new URL(`../../../../${path}`, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "quantize-"));
after(() => rmSync(folder, { recursive: true }));

const silent: Terminal = {
  stdout: { write: () => true },
  stderr: { write: () => true },
  env: process.env,
  readStdin: async () => Buffer.alloc(0),
};

async function quantize(...argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const printed = { stdout: "", stderr: "" };
  const terminal: Terminal = {
    stdout: { write: (text: string) => (printed.stdout += text) },
    stderr: { write: (text: string) => (printed.stderr += text) },
    env: process.env,
    readStdin: async () => Buffer.alloc(0),
  };
  const code = await quantizeCommand.run(parseArguments(argv, quantizeCommand.tables), terminal);
  return { code, ...printed };
}

interface Expected {
  readonly heldOut: readonly { readonly pixels: readonly number[] }[];
}

describe("sconce quantize", () => {
  test("reports errors on given inputs, sizes and speed, and keeps the file", async () => {
    const { heldOut } = JSON.parse(readFileSync(at("examples/digits/expected.json"), "utf8")) as Expected;
    const rows = heldOut.map(({ pixels }) => [pixels.map((value) => value / 16)]);
    const images = rows.map((row) => [Array.from({ length: 8 }, (_, i) => row[0]!.slice(8 * i, 8 * i + 8))]);
    const input = join(folder, "held-out.json");
    writeFileSync(input, JSON.stringify({ input: images }));
    const output = join(folder, "digits.onnx");
    const { code, stdout } = await quantize(
      at("examples/models/digits.pt2"),
      "--int8",
      "-o",
      output,
      "--input",
      input,
      "--json",
    );
    const report = JSON.parse(stdout) as QuantizeReport;
    assert.equal(code, 0);
    assert.deepEqual(report.trials, ["held-out.json"]);
    assert.equal(report.bytes.after, statSync(output).size);
    assert.ok(report.before > 0 && report.after > 0);
    assert.deepEqual([report.rows, report.timedRows, report.runs], [360, 32, 12]);
    const [probabilities] = report.outputs;
    assert.ok(probabilities!.maxError > 0 && probabilities!.maxError < 0.1 && probabilities!.cosine > 0.999);
    assert.ok(probabilities!.top1! > 0.99);
  });

  test("--static measures activations on typical inputs", async () => {
    const input = join(folder, "held-out.json");
    const output = join(folder, "static.onnx");
    const digits = at("examples/models/digits.pt2");
    const calibration = ["--calibration", folder, "--input", input, "--json"];
    const { code, stdout } = await quantize(digits, "--int8", "--static", "-o", output, ...calibration);
    const report = JSON.parse(stdout) as QuantizeReport;
    assert.equal(code, 0);
    assert.equal(report.precision, "int8, static");
    assert.equal(report.quantized.length, 3);
    assert.ok(
      report.outputs[0]!.maxError > 0 && report.outputs[0]!.maxError < 0.1 && report.outputs[0]!.top1! > 0.99,
    );
    for (const argv of [
      ["--int8", "--static"],
      ["--int8", ...calibration],
      ["--int4", "--static", ...calibration],
    ]) {
      await assert.rejects(quantize(digits, "-o", output, ...argv), { reason: "bad_arguments" });
    }
  });

  test("--ranges percentile keeps one odd calibration input from spoiling the others", async () => {
    const odd = mkdtempSync(join(folder, "odd-"));
    const { input } = JSON.parse(readFileSync(join(folder, "held-out.json"), "utf8")) as {
      input: number[][][][];
    };
    const spoilt = input.map((image, i) => (i === 0 ? [image[0]!.map((row) => row.map(() => 50))] : image));
    writeFileSync(join(odd, "spoilt.json"), JSON.stringify({ input: spoilt }));
    const error = async (...ranges: string[]): Promise<number> => {
      const argv = [at("examples/models/digits.pt2"), "--int8", "--static", "--calibration", odd, ...ranges];
      const more = ["-o", join(folder, "ranges.onnx"), "--input", join(folder, "held-out.json"), "--json"];
      const { stdout } = await quantize(...argv, ...more);
      const report = JSON.parse(stdout) as QuantizeReport;
      assert.equal(report.precision, ["int8, static", ...ranges.slice(1)].join(", "));
      return report.outputs[0]!.meanError;
    };
    const [minmax, percentile] = [await error(), await error("--ranges", "percentile=99.5")];
    assert.ok(percentile < minmax / 4, `mean errors: ${minmax} by minmax, ${percentile} by percentile`);
    for (const ranges of ["percentile=50", "percentile=101", "percentile=", "entropy"]) {
      await assert.rejects(error("--ranges", ranges), { message: /--ranges: expected minmax, percentile/ });
    }
    const dynamic = [at("examples/models/digits.pt2"), "--int8", "-o", join(folder, "ranges.onnx")];
    await assert.rejects(quantize(...dynamic, "--ranges", "percentile"), { reason: "bad_arguments" });
  });

  test("--max-error decides the exit code; indices stay inside the embedding; --exclude is honoured", async () => {
    const encoder = at("packages/torch/fixtures/rewrite/encoder.onnx");
    const output = join(folder, "encoder.onnx");
    const strict = await quantize(
      encoder,
      "--int8-weights",
      "-o",
      output,
      "--max-error",
      "1e-9",
      "--block-size",
      "16",
    );
    assert.equal(strict.code, 1);
    assert.match(strict.stderr, /linear_4 differs by .*, more than --max-error 1e-9/);
    assert.match(strict.stdout, /compared +on 24 rows of 6 made-up inputs, in 6 runs/);
    const loose = await quantize(
      encoder,
      "--fp16",
      "-o",
      output,
      "--max-error",
      "0.1",
      "--exclude",
      "head.weight",
    );
    assert.equal(loose.code, 0, loose.stderr);
  });

  test("sizes are those of ONNX files, and everything that was left is named once, with the reason", async () => {
    const output = join(folder, "left.onnx");
    const digits = at("examples/models/digits.pt2");
    const float = join(folder, "float.onnx");
    await convertCommand.run(parseArguments([digits, "-o", float], convertCommand.tables), silent);
    for (const [option, kept] of [
      ["--int8", ["features.0.weight", "classifier.3.weight"]],
      ["--int4", ["features.0.weight", "features.4.weight"]],
      ["--fp16", ["features.0.weight"]],
    ] as const) {
      const { stdout } = await quantize(digits, option, "-o", output, "--json");
      const { bytes, skipped, quantized } = JSON.parse(stdout) as QuantizeReport;
      assert.ok(Math.abs(bytes.before / statSync(float).size - 1) < 0.02, `${bytes.before}`);
      assert.deepEqual(
        skipped.map(({ weight }) => weight),
        kept,
        option,
      );
      assert.equal(quantized.length + skipped.length, 4, option);
      for (const { reason } of skipped) assert.match(reason, /fewer than|it is a convolution's/);
    }
    const { stdout } = await quantize(digits, "--int8", "-o", output, "--exclude", "features.4.weight");
    assert.match(stdout, /1 weight changed, 3 left[\s\S]*left +features\.4\.weight: it is excluded/);
    await assert.rejects(quantize(digits, "--int8", "-o", output, "--exclude", "features.9.weight"), {
      message:
        /--exclude: the model has no weight "features\.9\.weight"; did you mean features\.\d\.weight\?/,
    });
  });

  test("a model that is int8 already is called that; what could still change, changes", async () => {
    const [once, twice] = [join(folder, "once.onnx"), join(folder, "twice.onnx")];
    const digits = at("examples/models/digits.pt2");
    await quantize(digits, "--int8", "-o", once, "--exclude", "classifier.0.weight");
    const { stdout } = await quantize(once, "--int8", "-o", twice);
    assert.match(
      stdout,
      /1 weight changed, 2 left\n +already +QuantizeLinear × 1, ConvInteger × 1: as it was\n/,
    );
    await assert.rejects(quantize(twice, "--int8", "-o", join(folder, "thrice.onnx")), {
      message: /quantized already \(QuantizeLinear × 2, ConvInteger × 1, MatMulIntegerToFloat × 1\)/,
    });
    await quantize(digits, "--fp16", "-o", join(folder, "half.onnx"));
    await assert.rejects(quantize(join(folder, "half.onnx"), "--fp16", "-o", twice), {
      message: /quantized already .its weights are stored in 16 bits./,
    });
  });

  test("says where the answer would depend on other rows, and that the server does not batch then", async () => {
    const digits = at("examples/models/digits.pt2");
    const int8 = await quantize(digits, "--int8", "-o", join(folder, "a.onnx"));
    assert.match(int8.stdout, /batching +on: an answer does not depend on the other rows of its run/);
    const int4 = await quantize(digits, "--int4", "-o", join(folder, "b.onnx"));
    assert.match(int4.stdout, /batching +on → off: MatMulNBits rounds a single row otherwise/);
  });

  test("rejects in words", async () => {
    const digits = at("examples/models/digits.pt2");
    const output = join(folder, "x.onnx");
    await assert.rejects(quantize(digits, "-o", output), { message: /one of --int8, --int4/ });
    await assert.rejects(quantize(digits, "--int8", "--fp16", "-o", output), { reason: "bad_arguments" });
    await assert.rejects(quantize(digits, "--int4", "-o", output, "--block-size", "17"), {
      message: /block size 17/,
    });
    await assert.rejects(quantize(digits, "--int8", "-o", output, "--input", "nowhere.json"), {
      code: "not_found",
    });
  });
});

describe("makeTrials()", () => {
  const dim = (symbol: string, min: number, max: number | undefined, multipleOf = 1) => ({
    symbol,
    min,
    max,
    multipleOf,
  });
  const signature = {
    inputs: [
      { name: "ids", datatype: "INT64", dims: [dim("batch", 1, 4), dim("length", 8, undefined, 8)] },
      {
        name: "attention_mask",
        datatype: "INT64",
        dims: [dim("batch", 1, 4), dim("length", 8, undefined, 8)],
      },
    ],
    outputs: [],
    batching: { kind: "off", reason: "" },
  } as const;

  test("keeps ranges, multiples, shared sizes, bounds and masks; the seed decides", () => {
    const make = (seed: number) => makeTrials(signature, { bounds: new Map([["ids", 5]]), seed });
    const trials = make(1);
    assert.deepEqual(make(1), trials);
    assert.notDeepEqual(make(2), trials);
    assert.equal(trials.length, 6);
    const seen = new Set<bigint>();
    for (const { inputs } of trials) {
      const [ids, mask] = inputs as [Tensor, Tensor];
      assert.deepEqual(ids.shape, mask.shape);
      assert.ok(ids.shape[0]! <= 4 && ids.shape[1]! % 8 === 0);
      for (const id of new BigInt64Array(ids.bytes.buffer as ArrayBuffer)) seen.add(id);
      assert.ok(new BigInt64Array(mask.bytes.buffer as ArrayBuffer).every((value) => value === 1n));
    }
    assert.deepEqual([...seen].sort(), [0n, 1n, 2n, 3n, 4n]);
  });
});

describe("OutputComparison", () => {
  const rows = (...values: number[]): Tensor => ({
    datatype: "FP32",
    shape: [values.length / 2, 2],
    bytes: new Uint8Array(Float32Array.from(values).buffer),
  });

  test("max and mean error, cosine, top-1", () => {
    const output = new OutputComparison("y");
    output.add(rows(1, 0, 0, 1), rows(1, 0, 0, 1));
    output.add(rows(1, 0, 0, 1), rows(0, 1, 0, 1));
    const { maxError, meanError, cosine, top1 } = output.finish();
    assert.deepEqual([maxError, meanError, cosine, top1], [1, 0.25, 0.75, 0.75]);
  });

  test("a NaN or a missing value is as wrong as can be; the same infinity is right", () => {
    for (const [want, got, error] of [
      [rows(1, 2), rows(1, Number.NaN), Number.POSITIVE_INFINITY],
      [rows(1, 2), rows(1, 2, 3, 4), Number.POSITIVE_INFINITY],
      [rows(1, Number.POSITIVE_INFINITY), rows(1, Number.POSITIVE_INFINITY), 0],
      [rows(1, Number.NaN), rows(1, Number.NaN), 0],
    ] as const) {
      const output = new OutputComparison("y");
      output.add(want, got);
      assert.equal(output.finish().maxError, error);
    }
  });
});
