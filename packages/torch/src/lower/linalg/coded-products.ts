import type { Coded } from "../core/coded.ts";
import type { Emitter } from "../core/emitter.ts";
import { codesOf } from "../core/find-codes.ts";
import type { Tensor, Val } from "../core/tensor.ts";
import { packedProduct } from "./packed-products.ts";

interface Factors {
  readonly input: Tensor;
  readonly weight: Tensor;
  /** The weight is [out, in], as Linear has it; otherwise [in, out]. */
  readonly isTransposed: boolean;
  /** float32, one number for each output; undefined: none. */
  readonly bias?: Val | undefined;
}

/**
 * The product of an input and a weight that were both made of codes, in integers: sums of int8 products, scaled once at the end. Where only the
 * weight was, the codes of groups are kept packed. Undefined when neither fits; the floats are then multiplied.
 */
export function codedProduct(g: Emitter, { input, weight, isTransposed, bias }: Factors): Val | undefined {
  if (input.dtype !== "float32" || weight.dims.length !== 2 || input.dims.length < 2) return undefined;
  const kept = codesOf(g, weight);
  if (kept?.stored === undefined || weight.dims.includes(0)) return undefined;
  const given = codesOf(g, input);
  const outputs = isTransposed ? 0 : 1;
  if (given === undefined || !isWhole(given) || kept.groupSize !== undefined) {
    const product = packedProduct(g, { input, kept, isTransposed });
    return product === undefined || bias === undefined ? product : g.op("Add", [product, bias]);
  }
  if (kept.axis !== undefined && kept.axis !== outputs) return undefined;
  const columns = isTransposed ? g.transpose(kept.codes, [1, 0]) : kept.codes;
  return g.op(
    "com.microsoft.MatMulIntegerToFloat",
    [given.codes, columns, given.scale, kept.scale, given.zero, kept.zero, bias],
    {},
    "float32",
  );
}

/** Codes of 8 bits with one scale. */
function isWhole({ codes, axis, groupSize }: Coded): boolean {
  return axis === undefined && groupSize === undefined && (codes.dtype === "uint8" || codes.dtype === "int8");
}
