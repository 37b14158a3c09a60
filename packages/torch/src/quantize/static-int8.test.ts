import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { memorySource } from "../archive/byte-range.ts";
import { decodeModel } from "../onnx/decode.ts";
import { encodeModel } from "../onnx/encode.ts";
import type { OnnxModel } from "../onnx/model.ts";
import { inlineWeights } from "../onnx/place-weights.ts";
import { calibrationModel } from "./calibration-model.ts";
import { floats, modelOf, node, port, random, relativeError, runModel, weight } from "./run-model.kit.ts";
import { quantizeStatic, type StaticOptions, type ValueRange } from "./static-int8.ts";
import { ValueHistogram } from "./value-histogram.ts";

const options: StaticOptions = { read: () => assert.fail("all weights are inside") };
const next = random(5);
const noise = (): number => 2 * next() - 1;

async function calibrated(model: OnnxModel, feeds: Record<string, Tensor>): Promise<Map<string, ValueRange>> {
  const { model: measuring, values } = calibrationModel(model, {});
  const got = await runModel(measuring, feeds);
  return new Map(values.map((name, i) => [name, { min: got[2 * i]!, max: got[2 * i + 1]! }]));
}

async function percentileRanges(
  model: OnnxModel,
  feeds: Record<string, Tensor>,
): Promise<Map<string, ValueRange>> {
  const { model: measuring, values } = calibrationModel(model, { tells: "values" });
  const session = await InferenceSession.create(encodeModel(measuring), { intraOpNumThreads: 1 });
  const results = await session.run(feeds);
  const ranges = session.outputNames.map((output, i): [string, ValueRange] => {
    const histogram = new ValueHistogram();
    histogram.add(results[output]!.data as Float32Array);
    return [values[i]!, histogram.range(99.99)];
  });
  await session.release();
  return new Map(ranges);
}

/** Calibrates, quantizes, and runs: the answers must be close, and the ops that ONNX Runtime really runs are told. */
async function check(
  model: OnnxModel,
  feeds: Record<string, Tensor>,
  tolerance = 0.03,
): Promise<{ small: OnnxModel; error: number }> {
  const { model: small } = quantizeStatic(model, await calibrated(model, feeds), options);
  const error = relativeError(await runModel(small, feeds), await runModel(model, feeds));
  assert.ok(error > 0 && error < tolerance, `the relative error is ${error}`);
  return { small, error };
}

const typesOf = (model: OnnxModel): string[] => model.graph.nodes.map(({ type }) => type);

describe("static int8", () => {
  test("ranges are those of the values", async () => {
    const model = modelOf({
      nodes: [node("MatMul", ["x", "w"], ["h"]), node("Relu", ["h"], ["y"])],
      initializers: [weight("w", [64, 32], 1)],
      inputs: [port("x", ["n", 64])],
      outputs: [port("y", ["n", 32])],
    });
    const ranges = await calibrated(model, { x: floats([2, 64], (i) => i - 20) });
    assert.deepEqual([...ranges], [["x", { min: -20, max: 107 }]]);
  });

  for (const attributes of [
    {},
    { pads: [0, 2, 1, 0] },
    { strides: [2, 2], pads: [1, 1, 1, 1] },
    { dilations: [2, 2], pads: [2, 2, 2, 2] },
    { group: 8 },
  ]) {
    test(`a convolution with ${JSON.stringify(attributes)}, padding at the zero point`, async () => {
      const group = "group" in attributes ? attributes.group : 1;
      for (const offset of [0, 3, -3]) {
        const model = modelOf({
          nodes: [node("Conv", ["x", "w", "b"], ["h"], attributes), node("Relu", ["h"], ["y"])],
          initializers: [weight("w", [16, 16 / group, 3, 3], 1), weight("b", [16], 2)],
          inputs: [port("x", [2, 16, 9, 9])],
          outputs: [port("y", undefined)],
        });
        const { small } = await check(model, { x: floats([2, 16, 9, 9], () => noise() + offset) });
        assert.deepEqual(typesOf(small), [
          "DequantizeLinear",
          "QuantizeLinear",
          "DequantizeLinear",
          "DequantizeLinear",
          "Conv",
          "Relu",
          "QuantizeLinear",
          "DequantizeLinear",
        ]);
      }
    });
  }

  test("a residual block stays in codes from end to end", async () => {
    const model = modelOf({
      nodes: [
        node("Conv", ["x", "w1", "b1"], ["h1"], { pads: [1, 1, 1, 1] }),
        node("Relu", ["h1"], ["r1"]),
        node("MaxPool", ["r1"], ["m1"], { kernel_shape: [2, 2], strides: [2, 2] }),
        node("Conv", ["m1", "w2"], ["h2"], { pads: [1, 1, 1, 1] }),
        node("Add", ["h2", "m1"], ["a"]),
        node("GlobalAveragePool", ["a"], ["p"]),
        node("Flatten", ["p"], ["f"]),
        node("Gemm", ["f", "w3", "b3"], ["y"], { transB: 1 }),
      ],
      initializers: [
        weight("w1", [64, 8, 3, 3], 1),
        weight("b1", [64], 2),
        weight("w2", [64, 64, 3, 3], 3),
        weight("w3", [20, 64], 4),
        weight("b3", [20], 5),
      ],
      inputs: [port("x", ["n", 8, 8, 8])],
      outputs: [port("y", ["n", 20])],
    });
    const feeds = { x: floats([2, 8, 8, 8], noise) };
    const { small } = await check(model, feeds, 0.05);
    const ran = await optimizedOps(small);
    for (const op of ["QLinearConv", "QLinearAdd", "QLinearGlobalAveragePool"])
      assert.ok(ran.includes(op), `${op}: ${ran}`);
    assert.ok(!ran.includes("Conv") && !ran.includes("Relu"), ran.join());
  });

  for (const [name, feeds] of Object.entries({
    encoder: {
      ids: new Tensor(
        "int64",
        BigInt64Array.from({ length: 33 }, (_, i) => BigInt(i)),
        [3, 11],
      ),
    },
    vision: { x: floats([3, 3, 16, 16], noise) },
    branches: { x: floats([5, 32], noise) },
  })) {
    test(`${name}.onnx, exported by PyTorch`, async () => {
      const path = fileURLToPath(new URL(`../../fixtures/rewrite/${name}.onnx`, import.meta.url));
      const source = memorySource("m.onnx", new Uint8Array(readFileSync(path)));
      const model = inlineWeights(decodeModel(source), ({ offset, byteLength }) =>
        source.read(offset, byteLength),
      );
      await check(model, feeds as Record<string, Tensor>, 0.05);
    });
  }

  test("ranges by percentile forget an outlier of the calibration, where ranges from min to max do not", async () => {
    const model = modelOf({
      nodes: [
        node("Conv", ["x", "w1"], ["h"], { pads: [1, 1, 1, 1] }),
        node("Relu", ["h"], ["r"]),
        node("GlobalAveragePool", ["r"], ["p"]),
        node("Flatten", ["p"], ["f"]),
        node("Gemm", ["f", "w2"], ["y"], { transB: 1 }),
      ],
      initializers: [weight("w1", [32, 8, 3, 3], 1), weight("w2", [32, 32], 2)],
      inputs: [port("x", ["n", 8, 16, 16])],
      outputs: [port("y", ["n", 32])],
    });
    const typical = floats([64, 8, 16, 16], noise);
    const spoilt = floats([64, 8, 16, 16], (i) => (i === 5 ? 400 : noise()));
    const other = { x: floats([16, 8, 16, 16], noise) };
    const want = await runModel(model, other);
    const errorOf = async (ranges: Map<string, ValueRange>): Promise<number> =>
      relativeError(await runModel(quantizeStatic(model, ranges, options).model, other), want);
    const clean = await errorOf(await calibrated(model, { x: typical }));
    const minmax = await errorOf(await calibrated(model, { x: spoilt }));
    const percentile = await errorOf(await percentileRanges(model, { x: spoilt }));
    assert.ok(clean < 0.01 && minmax > 0.2, `${minmax} after the outlier, ${clean} without it`);
    assert.ok(percentile < minmax / 8, `${percentile} by percentile, ${minmax} by minmax`);
  });

  test("what cannot be done is said", async () => {
    const old = modelOf({
      nodes: [node("MatMul", ["x", "w"], ["y"])],
      initializers: [weight("w", [64, 32], 1)],
      inputs: [port("x", ["n", 64])],
      outputs: [port("y", ["n", 32])],
    });
    assert.throws(() => calibrationModel({ ...old, opsets: new Map([["", 12]]) }, {}), {
      message: /has opset 12/,
    });
    assert.throws(() => calibrationModel(old, { exclude: new Set(["w"]) }), {
      message: /nothing in the model/,
    });
    assert.throws(() => quantizeStatic(old, new Map(), options), { message: /'x' has no finite range/ });
    const nan = new Map([["x", { min: Number.NaN, max: 1 }]]);
    assert.throws(() => quantizeStatic(old, nan, options), { message: /'x' has no finite range/ });
  });
});

/** The ops of the model after ONNX Runtime's own optimization. */
async function optimizedOps(model: OnnxModel): Promise<string[]> {
  const path = `${(await import("node:os")).tmpdir()}/static-int8-${process.pid}.onnx`;
  const session = await InferenceSession.create(encodeModel(model), {
    optimizedModelFilePath: path,
    logSeverityLevel: 4,
    intraOpNumThreads: 1,
  });
  await session.release();
  const bytes = new Uint8Array(readFileSync(path));
  (await import("node:fs")).rmSync(path);
  return decodeModel(memorySource("m.onnx", bytes)).graph.nodes.map(({ type }) => type);
}
