import { COMPARISON } from "./comparison/table.ts";
import type { LoweringTable } from "./core/lowering.ts";
import { mergeTables } from "./core/merge-tables.ts";
import { CREATION } from "./creation/table.ts";
import { LINALG } from "./linalg/table.ts";
import { NN } from "./nn/table.ts";
import { POINTWISE } from "./pointwise/table.ts";
import { QUANTIZED } from "./quantized/table.ts";
import { REDUCTION } from "./reduction/table.ts";
import { SHAPE } from "./shape/table.ts";
import { SPECTRAL } from "./spectral/table.ts";
import { VISION } from "./vision/table.ts";

/** Every op that has a lowering, by the heading that PyTorch's documentation has it under. */
export const HEADINGS: Readonly<Record<string, LoweringTable>> = {
  Comparison: COMPARISON,
  Creation: CREATION,
  "Linear algebra": LINALG,
  "Neural networks": NN,
  Pointwise: POINTWISE,
  Quantization: QUANTIZED,
  Reduction: REDUCTION,
  "Shape and indexing": SHAPE,
  Spectral: SPECTRAL,
  Vision: VISION,
};

export const LOWERINGS: LoweringTable = mergeTables(Object.values(HEADINGS));
