import type { LoweringTable } from "../core/lowering.ts";
import { mergeTables } from "../core/merge-tables.ts";
import { AFFINE } from "./affine.ts";
import { CHOOSE_QPARAMS } from "./choose-qparams.ts";
import { FAKE_QUANTIZE } from "./fake-quantize.ts";
import { PER_CHANNEL } from "./per-channel.ts";
import { PER_TENSOR } from "./per-tensor.ts";
import { QUANTIZED_PRODUCTS } from "./products.ts";

/** Codes of 8 bits: made, undone, multiplied. */
export const QUANTIZED: LoweringTable = mergeTables([
  AFFINE,
  CHOOSE_QPARAMS,
  FAKE_QUANTIZE,
  PER_CHANNEL,
  PER_TENSOR,
  QUANTIZED_PRODUCTS,
]);
