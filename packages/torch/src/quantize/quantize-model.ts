import { ModelFileError } from "../errors.ts";
import type { OnnxModel, OnnxNode } from "../onnx/model.ts";
import { dynamicInt8 } from "./dynamic-int8.ts";
import { halfWeights } from "./half-weights.ts";
import { type LeftWeight, leftWeights } from "./left-weights.ts";
import { weightOnly } from "./matmul-nbits.ts";
import type { QuantizedModel, QuantizeOptions } from "./quantize-options.ts";
import { opsOf, quantizedOps } from "./quantized-ops.ts";
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
  const { quantized } = rewrite;
  const result = rewrite.finish();
  const skipped = leftWeights(result, {
    skipped: rewrite.skipped,
    exclude: options.exclude ?? new Set(),
    takesConvolutions: options.precision === "int8" || options.precision === "float16",
  });
  if (quantized.length === 0) throw nothingToDo(model, { precision: options.precision, skipped });
  return { model: result, quantized, skipped };
}

/** Why nothing changed: what the model is already comes first. */
function nothingToDo(
  model: OnnxModel,
  { precision, skipped }: { readonly precision: string; readonly skipped: readonly LeftWeight[] },
): ModelFileError {
  const isHalf = precision === "float16" && model.graph.initializers.some(({ dtype }) => dtype === "float16");
  const already = isHalf ? "its weights are stored in 16 bits" : quantizedOps(opsOf(model));
  const [first] = skipped;
  const left =
    first === undefined
      ? "it has no matrix product or convolution with stored weights"
      : `'${first.weight}': ${first.reason}${skipped.length > 1 ? `, and ${skipped.length - 1} more` : ""}`;
  return new ModelFileError(
    "unsupported",
    already === undefined
      ? `nothing in the model can be stored as ${precision}: ${left}`
      : `the model is quantized already (${already}), and nothing else in it can be stored as ${precision}`,
  );
}
