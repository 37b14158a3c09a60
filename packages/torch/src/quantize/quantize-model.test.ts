import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Tensor } from "onnxruntime-node";
import { memorySource } from "../archive/byte-range.ts";
import { ModelFileError } from "../errors.ts";
import { decodeModel } from "../onnx/decode.ts";
import { encodeModel } from "../onnx/encode.ts";
import { type Attributes, float, type OnnxModel } from "../onnx/model.ts";
import { inlineWeights } from "../onnx/place-weights.ts";
import { quantizeModel } from "./quantize-model.ts";
import type { QuantizedModel, QuantizedPrecision, QuantizeOptions } from "./quantize-options.ts";
import { floats, modelOf, node, port, random, relativeError, runModel, weight } from "./run-model.kit.ts";

const read = (): never => assert.fail("all weights are inside");
const TOLERANCE: Record<QuantizedPrecision, number> = {
  int8: 0.03,
  "int8-weights": 0.02,
  int4: 0.2,
  float16: 0.002,
};
const PRECISIONS = Object.keys(TOLERANCE) as QuantizedPrecision[];

function quantized(
  model: OnnxModel,
  precision: QuantizedPrecision,
  options: Partial<QuantizeOptions> = {},
): QuantizedModel {
  return quantizeModel(model, { precision, read, ...options });
}

/** Runs the model before and after: it must change, and stay close. Answers the types of nodes after. */
async function check(
  model: OnnxModel,
  feeds: Record<string, Tensor>,
  {
    precision,
    tolerance = TOLERANCE[precision],
    ...options
  }: { precision: QuantizedPrecision; tolerance?: number } & Partial<QuantizeOptions>,
): Promise<string[]> {
  const { model: small, quantized: changed } = quantized(model, precision, options);
  assert.ok(changed.length > 0);
  const error = relativeError(await runModel(small, feeds), await runModel(model, feeds));
  assert.ok(error > 0 && error < tolerance, `${precision}: the relative error is ${error}`);
  return small.graph.nodes.map(({ type }) => type);
}

const next = random(11);
const noise = (): number => 2 * next() - 1;

interface ConvCase {
  readonly x: readonly number[];
  readonly w: readonly number[];
  readonly attributes: Attributes;
  readonly bias?: boolean;
}

function convModel({ x, w, attributes, bias = true }: ConvCase): OnnxModel {
  return modelOf({
    nodes: [node("Conv", bias ? ["x", "w", "b"] : ["x", "w"], ["y"], attributes)],
    initializers: [weight("w", w, 1), ...(bias ? [weight("b", [w[0]!], 2)] : [])],
    inputs: [port("x", x)],
    outputs: [port("y", undefined)],
  });
}

const CONVS: Record<string, ConvCase> = {
  plain: { x: [2, 8, 9, 9], w: [16, 8, 3, 3], attributes: {} },
  "without a bias": { x: [2, 8, 9, 9], w: [16, 8, 3, 3], attributes: {}, bias: false },
  strided: { x: [2, 8, 9, 11], w: [16, 8, 3, 3], attributes: { strides: [2, 3], pads: [1, 1, 1, 1] } },
  grouped: { x: [2, 16, 9, 9], w: [32, 4, 3, 3], attributes: { group: 4, pads: [1, 1, 1, 1] } },
  depthwise: { x: [2, 128, 9, 9], w: [128, 1, 3, 3], attributes: { group: 128, pads: [1, 1, 1, 1] } },
  dilated: { x: [2, 8, 13, 13], w: [16, 8, 3, 3], attributes: { dilations: [2, 3], pads: [2, 3, 2, 3] } },
  "padded unevenly": { x: [2, 8, 9, 9], w: [16, 8, 3, 3], attributes: { pads: [0, 2, 1, 0] } },
  "padded by name": { x: [2, 8, 9, 9], w: [32, 8, 2, 2], attributes: { auto_pad: "SAME_UPPER" } },
  pointwise: { x: [2, 32, 5, 5], w: [48, 32, 1, 1], attributes: {} },
};

describe("int8 convolutions", () => {
  for (const [name, conv] of Object.entries(CONVS)) {
    test(`${name}, for inputs around zero and far from it`, async () => {
      // Far from zero, padding with code 0 instead of the zero point would be seen at once.
      for (const offset of [0, 3, -3]) {
        const feeds = { x: floats(conv.x, () => noise() + offset) };
        const types = await check(convModel(conv), feeds, { precision: "int8" });
        assert.ok(types.includes("ConvInteger") && !types.includes("Conv"));
      }
    });
  }

  test("other ranks stay, and the report says why", () => {
    const model = convModel({ x: [2, 32, 9], w: [32, 32, 3], attributes: {} });
    assert.throws(
      () => quantized(model, "int8"),
      (error) =>
        error instanceof ModelFileError && /only 2-D convolutions have an int8 kernel/.test(error.message),
    );
  });

  test("with 7 bits", async () => {
    const conv = CONVS["plain"]!;
    const { model } = quantized(convModel(conv), "int8", { reduceRange: true });
    const codes = model.graph.initializers.find(({ dtype }) => dtype === "int8")!.data as Uint8Array;
    assert.ok(new Int8Array(codes.buffer).every((code) => Math.abs(code) <= 64));
    await check(
      convModel(conv),
      { x: floats(conv.x, noise) },
      { precision: "int8", reduceRange: true, tolerance: 0.06 },
    );
  });
});

interface ProductCase {
  readonly type: "MatMul" | "Gemm" | "FusedMatMul";
  readonly a: readonly number[];
  readonly w: readonly number[];
  readonly attributes?: Attributes;
  readonly bias?: readonly number[];
}

function productModel({ type, a, w, attributes = {}, bias }: ProductCase): OnnxModel {
  const inputs = bias === undefined ? ["x", "w"] : ["x", "w", "b"];
  const isFused = type === "FusedMatMul";
  const product = { ...node(type, inputs, ["y"], attributes), domain: isFused ? "com.microsoft" : "" };
  const model = modelOf({
    nodes: [product],
    initializers: [weight("w", w, 1), ...(bias === undefined ? [] : [weight("b", bias, 2)])],
    inputs: [port("x", a)],
    outputs: [port("y", undefined)],
  });
  return isFused ? { ...model, opsets: new Map([...model.opsets, ["com.microsoft", 1]]) } : model;
}

const PRODUCTS: Record<string, ProductCase> = {
  "a matrix": { type: "MatMul", a: [5, 64], w: [64, 48] },
  "a vector": { type: "MatMul", a: [64], w: [64, 48] },
  "a stack of matrices": { type: "MatMul", a: [2, 3, 5, 64], w: [64, 48] },
  "features that fill no block": { type: "MatMul", a: [5, 83], w: [83, 48] },
  "Gemm without a bias": { type: "Gemm", a: [5, 64], w: [64, 48] },
  "Gemm, transposed, with a bias": {
    type: "Gemm",
    a: [5, 64],
    w: [48, 64],
    attributes: { transB: 1 },
    bias: [48],
  },
  "Gemm with a row of biases": { type: "Gemm", a: [5, 64], w: [64, 48], bias: [1, 48] },
  "Gemm with a column of biases": { type: "Gemm", a: [5, 64], w: [64, 48], bias: [5, 1] },
  "Gemm with one bias": { type: "Gemm", a: [5, 64], w: [64, 48], bias: [1] },
  "FusedMatMul, transposed": { type: "FusedMatMul", a: [2, 5, 64], w: [48, 64], attributes: { transB: 1 } },
};

describe("matrix products", () => {
  for (const [name, product] of Object.entries(PRODUCTS)) {
    for (const precision of PRECISIONS) {
      test(`${name}, ${precision}`, async () => {
        const feeds = { x: floats(product.a, () => noise() + 0.5) };
        await check(productModel(product), feeds, { precision });
      });
    }
  }

  for (const blockSize of [16, 64, 128] as const) {
    test(`blocks of ${blockSize}`, async () => {
      const feeds = { x: floats([3, 200], noise) };
      await check(productModel({ type: "MatMul", a: [3, 200], w: [200, 32] }), feeds, {
        precision: "int4",
        blockSize,
      });
    });
  }

  const LEFT: Record<string, readonly [ProductCase, RegExp]> = {
    "scaled Gemm": [
      { type: "Gemm", a: [5, 64], w: [64, 48], attributes: { alpha: float(0.5) } },
      /scales its operands/,
    ],
    "scaled bias": [
      { type: "Gemm", a: [5, 64], w: [64, 48], bias: [48], attributes: { beta: float(2) } },
      /scales its operands/,
    ],
    "transposed activation": [
      { type: "Gemm", a: [64, 5], w: [64, 48], attributes: { transA: 1 } },
      /is transposed/,
    ],
    "stack of weights": [{ type: "MatMul", a: [2, 5, 64], w: [2, 64, 48] }, /is not a matrix/],
  };
  for (const [name, [product, reason]] of Object.entries(LEFT)) {
    test(`a ${name} is left, with the reason`, () => {
      for (const precision of ["int8", "int4"] as const) {
        assert.throws(() => quantized(productModel(product), precision), { message: reason });
      }
    });
  }

  test("tiny layers are left, excluded ones too", () => {
    assert.throws(() => quantized(productModel({ type: "MatMul", a: [5, 8], w: [8, 8] }), "int8"), {
      message: /fewer than 1024 weights/,
    });
    assert.throws(() => quantized(productModel({ type: "MatMul", a: [5, 24], w: [24, 100] }), "int4"), {
      message: /24 input features, fewer than a block of 32/,
    });
    const exclude = new Set(["w"]);
    assert.throws(() => quantized(productModel(PRODUCTS["a matrix"]!), "int8", { exclude }), ModelFileError);
    assert.throws(() => quantized(productModel(PRODUCTS["a matrix"]!), "int4", { blockSize: 48 }), {
      message: /block size 48/,
    });
  });
});

describe("shared weights", () => {
  /** An embedding table that is also the head's weight, transposed: the table must stay for Gather. */
  const tied = modelOf({
    nodes: [
      node("Gather", ["table", "ids"], ["embedded"]),
      node("Gemm", ["embedded", "table"], ["scores"], { transB: 1 }),
      node("Gemm", ["scores", "table"], ["y"]),
    ],
    initializers: [weight("table", [50, 32], 4)],
    inputs: [port("ids", ["n"], "int64")],
    outputs: [port("y", ["n", 32])],
  });
  const ids = new Tensor("int64", BigInt64Array.from([3n, 0n, 49n]), [3]);

  for (const precision of PRECISIONS) {
    test(`a tied table, used both ways, ${precision}`, async () => {
      const types = await check(tied, { ids }, { precision, tolerance: 2 * TOLERANCE[precision] });
      assert.ok(types.includes("Gather"));
    });
  }

  test("two products with one weight share its codes", async () => {
    const model = modelOf({
      nodes: [node("MatMul", ["x", "w"], ["h"]), node("MatMul", ["h", "w"], ["y"])],
      initializers: [weight("w", [64, 64], 1)],
      inputs: [port("x", [3, 64])],
      outputs: [port("y", [3, 64])],
    });
    for (const precision of PRECISIONS) {
      await check(model, { x: floats([3, 64], noise) }, { precision, tolerance: 2 * TOLERANCE[precision] });
      const { model: small, quantized: names } = quantized(model, precision);
      assert.deepEqual(names, ["w"]);
      const codes = small.graph.initializers.filter(
        ({ name, dims }) => dims.length > 1 && !name.includes("scale"),
      );
      assert.equal(codes.length, 1, precision);
    }
  });
});

describe("whole models", () => {
  const FILES: Record<string, Record<string, Tensor>> = {
    branches: { x: floats([5, 32], noise) },
    encoder: {
      ids: new Tensor(
        "int64",
        BigInt64Array.from({ length: 33 }, () => BigInt(Math.floor(next() * 50))),
        [3, 11],
      ),
    },
    recurrent: { x: floats([4, 5, 16], noise) },
    vision: { x: floats([3, 3, 16, 16], () => noise() + 0.5) },
  };
  const nothing = new Set(["recurrent int8"]);
  for (const [name, feeds] of Object.entries(FILES)) {
    const path = fileURLToPath(new URL(`../../fixtures/rewrite/${name}.onnx`, import.meta.url));
    const bytes = new Uint8Array(readFileSync(path));
    const source = memorySource("m.onnx", bytes);
    for (const precision of PRECISIONS) {
      test(`${name}, ${precision}`, async () => {
        const options: QuantizeOptions = {
          precision,
          read: ({ offset, byteLength }) => source.read(offset, byteLength),
        };
        if (nothing.has(`${name} ${precision}`)) {
          assert.throws(() => quantizeModel(decodeModel(source), options), ModelFileError);
          return;
        }
        const { model } = quantizeModel(decodeModel(source), options);
        const small = encodeModel(inlineWeights(model, options.read));
        const error = relativeError(await runModel(small, feeds), await runModel(bytes, feeds));
        assert.ok(error > 0 && error < 2 * TOLERANCE[precision], `the relative error is ${error}`);
      });
    }
  }

  test("bodies of If keep their floats, and the weights they use", () => {
    const path = fileURLToPath(new URL("../../fixtures/rewrite/branches.onnx", import.meta.url));
    const source = memorySource("m.onnx", new Uint8Array(readFileSync(path)));
    const before = decodeModel(source);
    const { model } = quantizeModel(before, {
      precision: "int8",
      read: ({ offset, byteLength }) => source.read(offset, byteLength),
    });
    const conditional = (whole: OnnxModel) => whole.graph.nodes.find(({ type }) => type === "If");
    assert.deepEqual(conditional(model), conditional(before));
  });
});
