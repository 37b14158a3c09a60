import { ModelFileError } from "../errors.ts";
import type { OnnxModel, OnnxNode } from "../onnx/model.ts";
import { dynamicInt8 } from "./dynamic-int8.ts";
import { halfWeights } from "./half-weights.ts";
import { weightOnly } from "./matmul-nbits.ts";
import type { QuantizedModel, QuantizeOptions } from "./quantize-options.ts";
import { Rewrite } from "./rewrite.ts";

/**
 * Rewrites a float32 model to a smaller one: pure graph rewriting, nothing is run. Only the outermost graph is rewritten; bodies of If
 * and Loop keep their floats. Throws ModelFileError("unsupported") when nothing could be quantized.
 */
export function quantizeModel(model: OnnxModel, options: QuantizeOptions): QuantizedModel {
  const rewrite = new Rewrite(model, options.exclude ?? new Set());
  switch (options.precision) {
    case "int8":
      rewrite.eachNode((node: OnnxNode) => dynamicInt8(node, rewrite, options));
      break;
    case "int8-weights":
    case "int4": {
      const bits = options.precision === "int4" ? 4 : 8;
      const blockSize = options.blockSize ?? 32;
      if (![16, 32, 64, 128, 256].includes(blockSize)) {
        throw new ModelFileError("unsupported", `block size ${blockSize}: expected 16, 32, 64, 128 or 256`);
      }
      rewrite.eachNode((node: OnnxNode) =>
        weightOnly(node, rewrite, { bits, blockSize, read: options.read }),
      );
      break;
    }
    case "float16":
      halfWeights(rewrite, options.read);
  }
  const { quantized, skipped } = rewrite;
  if (quantized.length === 0) {
    const why =
      skipped.length === 0
        ? "it has no matrix product or convolution with stored weights"
        : skipped[0]!.reason;
    throw new ModelFileError(
      "unsupported",
      `nothing in the model can be stored as ${options.precision}: ${why}`,
    );
  }
  return { model: rewrite.finish(), quantized, skipped };
}
