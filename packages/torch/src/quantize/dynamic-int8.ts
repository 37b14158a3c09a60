import type { Initializer, OnnxNode } from "../onnx/model.ts";
import { bytesOf, maxCode, perColumn, perRow, transposed } from "./int8-codes.ts";
import { type ProductNode, productNode } from "./product-node.ts";
import type { QuantizeOptions } from "./quantize-options.ts";
import type { Rewrite } from "./rewrite.ts";
import { rowCodes } from "./row-codes.ts";
import { weightFloats } from "./weight-floats.ts";

/** Layers with fewer weights than this cost more to quantize at run time than they gain. */
const MIN_ELEMENTS = 1024;

/** ConvInteger takes images. */
const IMAGE_AXES = [1, 2, 3];

/**
 * Dynamic int8: weights symmetric per output channel, activations as they come, with a scale for each vector that is multiplied and each image.
 * Sums of codes are exact and everything else is done number by number, so that an answer has the same bits whatever else is in the run;
 * `DynamicQuantizeLinear`, with its one scale for all, would not do. Answers whether it replaced the node.
 */
export function dynamicInt8(node: OnnxNode, rewrite: Rewrite, options: QuantizeOptions): boolean {
  const product = productNode(node, rewrite);
  if (typeof product === "string") return rewrite.skip(node.inputs[1]!, product);
  if (product !== undefined) return int8Product(node, product, { rewrite, options });
  return node.type === "Conv" && node.domain === "" && int8Conv(node, rewrite, options);
}

interface Context {
  readonly rewrite: Rewrite;
  readonly options: QuantizeOptions;
}

function int8Product(node: OnnxNode, product: ProductNode, { rewrite, options }: Context): boolean {
  const { weight, k, n, isTransposed, bias } = product;
  if (k * n < MIN_ELEMENTS) return rewrite.skip(weight.name, `it has fewer than ${MIN_ELEMENTS} weights`);
  const [codes, scales] = rewrite.shared(`int8 ${weight.name} ${isTransposed}`, () => {
    const values = weightFloats(weight, options.read);
    const quantized = perColumn(isTransposed ? transposed(values, n, k) : values, { k, n }, maxCode(options));
    return [
      rewrite.initializer(`${weight.name}.int8`, {
        dtype: "int8",
        dims: [k, n],
        data: bytesOf(quantized.codes),
      }),
      rewrite.initializer(`${weight.name}.scale`, {
        dtype: "float32",
        dims: [n],
        data: bytesOf(quantized.scales),
      }),
    ];
  });
  const x = rowCodes(product.activation, [-1], rewrite);
  const columns = rewrite.emit({
    type: "MatMulIntegerToFloat",
    domain: "com.microsoft",
    inputs: [x.codes, codes!, rewrite.scalar(1), scales!, x.zero],
  });
  const last = bias === undefined ? { outputs: node.outputs } : {};
  const result = rewrite.emit({ type: "Mul", inputs: [columns, x.scale], ...last });
  if (bias !== undefined) rewrite.emit({ type: "Add", inputs: [result, bias], outputs: node.outputs });
  rewrite.done(weight.name);
  return true;
}

function int8Conv(node: OnnxNode, rewrite: Rewrite, options: QuantizeOptions): boolean {
  const weight = rewrite.weight(node.inputs[1]);
  if (weight === undefined) return calculated(node, rewrite);
  const elements = weight.dims.reduce((count, size) => count * size, 1);
  if (elements < MIN_ELEMENTS) return rewrite.skip(weight.name, `it has fewer than ${MIN_ELEMENTS} weights`);
  if (weight.dims.length !== 4) return rewrite.skip(weight.name, "only 2-D convolutions have an int8 kernel");
  const [codes, scales] = rewrite.shared(`int8 ${weight.name}`, () => convWeights(weight, rewrite, options));
  const x = rowCodes(node.inputs[0]!, IMAGE_AXES, rewrite);
  const sums = rewrite.emit({
    type: "ConvInteger",
    inputs: [x.codes, codes!, x.zero],
    attributes: node.attributes,
  });
  const floats = rewrite.emit({ type: "Cast", inputs: [sums], attributes: { to: 1 } });
  const factor = rewrite.emit({ type: "Mul", inputs: [x.scale, scales!] });
  const bias = node.inputs[2] === undefined || node.inputs[2] === "" ? undefined : node.inputs[2];
  const last = bias === undefined ? { outputs: node.outputs } : {};
  const product = rewrite.emit({ type: "Mul", inputs: [floats, factor], ...last });
  if (bias !== undefined) {
    const channels = [1, weight.dims[0]!, ...weight.dims.slice(2).map(() => 1)];
    const shape = rewrite.shared(`shape ${channels}`, () => [
      rewrite.initializer("bias_shape", {
        dtype: "int64",
        dims: [4],
        data: bytesOf(BigInt64Array.from(channels, BigInt)),
      }),
    ])[0]!;
    const column = rewrite.emit({ type: "Reshape", inputs: [bias, shape] });
    rewrite.emit({ type: "Add", inputs: [product, column], outputs: node.outputs });
  }
  rewrite.done(weight.name);
  return true;
}

/** A convolution whose weights are no stored floats. */
function calculated({ inputs: [, name] }: OnnxNode, rewrite: Rewrite): false {
  const isStored = name === undefined || rewrite.isStored(name);
  return isStored ? false : rewrite.skip(name, "the model calculates it from others");
}

function convWeights(weight: Initializer, rewrite: Rewrite, options: QuantizeOptions): readonly string[] {
  const channels = weight.dims[0]!;
  const quantized = perRow(weightFloats(weight, options.read), channels, maxCode(options));
  const data = bytesOf(quantized.codes);
  const scaleDims = [1, channels, 1, 1];
  return [
    rewrite.initializer(`${weight.name}.int8`, { dtype: "int8", dims: weight.dims, data }),
    rewrite.initializer(`${weight.name}.scale`, {
      dtype: "float32",
      dims: scaleDims,
      data: bytesOf(quantized.scales),
    }),
  ];
}
