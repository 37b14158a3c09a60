import type { OnnxModel, ReadExternal } from "../onnx/model.ts";
import type { LeftWeight } from "./left-weights.ts";

/** `int8`: activations too, quantized as they come. `int4`, `int8-weights`: weights alone. `float16`: weights stored in half. */
export type QuantizedPrecision = "int8" | "int8-weights" | "int4" | "float16";

/** How weights are quantized. */
export interface QuantizeOptions {
  readonly precision: QuantizedPrecision;
  readonly read: ReadExternal;
  /** Weight-only: elements that share a scale; a power of two from 16 to 256. Default 32. */
  readonly blockSize?: number;
  /** int8: use 7 bits, for CPUs without VNNI, whose 16-bit sums saturate. Default false. */
  readonly reduceRange?: boolean;
  /** Leave these weights alone. */
  readonly exclude?: ReadonlySet<string>;
}

/** A model with weights in fewer bits, and what became of each of them. */
export interface QuantizedModel {
  readonly model: OnnxModel;
  /** Weights that changed, by name. */
  readonly quantized: readonly string[];
  /** Every other weight, and those that something else needs as floats, too; with the reason. Vectors and numbers are not told of. */
  readonly skipped: readonly LeftWeight[];
}
