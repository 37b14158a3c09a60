import { invariant } from "../errors.ts";
import { ALIASES } from "./aliases.ts";
import { COMPARISON } from "./comparison/comparison.ts";
import { ORDERING } from "./comparison/ordering.ts";
import type { Lowering, LoweringTable } from "./core/lowering.ts";
import { CREATION } from "./creation/creation.ts";
import { CONTRACTION } from "./linalg/einsum.ts";
import { LINEAR } from "./linalg/matmul.ts";
import { NORMS } from "./linalg/norms.ts";
import { PRODUCTS } from "./linalg/products.ts";
import { ACTIVATION } from "./nn/activation.ts";
import { ATTENTION } from "./nn/attention.ts";
import { POOLING } from "./nn/average-pooling.ts";
import { CONVOLUTION } from "./nn/convolution.ts";
import { DISTANCES } from "./nn/distances.ts";
import { DROPOUT } from "./nn/dropout.ts";
import { EMBEDDING_BAG } from "./nn/embedding-bag.ts";
import { REARRANGING } from "./nn/fold.ts";
import { LOSSES } from "./nn/losses.ts";
import { MAX_POOLING } from "./nn/max-pooling.ts";
import { MULTI_HEAD } from "./nn/multi-head-attention.ts";
import { NORMALIZATION } from "./nn/normalization.ts";
import { PADDING } from "./nn/padding.ts";
import { RECURRENT } from "./nn/recurrent.ts";
import { SOFTMAX } from "./nn/softmax.ts";
import { ELEMENTWISE } from "./pointwise/arithmetic.ts";
import { EXPONENTIAL } from "./pointwise/exponential.ts";
import { NUMBER_PARTS } from "./pointwise/number-parts.ts";
import { SPECIAL_FUNCTIONS } from "./pointwise/special-functions.ts";
import { CUMULATIVE } from "./reduction/cumulative.ts";
import { MOMENTS } from "./reduction/moments.ts";
import { REDUCTION } from "./reduction/reduction.ts";
import { CONCAT } from "./shape/concat.ts";
import { DATA_DEPENDENT } from "./shape/data-dependent.ts";
import { DIAGONALS } from "./shape/diagonals.ts";
import { ELEMENT_SCATTER } from "./shape/element-scatter.ts";
import { INDEXING } from "./shape/indexing.ts";
import { READING } from "./shape/item.ts";
import { RESHAPING } from "./shape/reshaping.ts";
import { SCATTERING } from "./shape/slice-scatter.ts";
import { SLICING } from "./shape/slicing.ts";
import { STACKING } from "./shape/stacking.ts";
import { STRIDED } from "./shape/strided.ts";
import { FOURIER } from "./spectral/fft.ts";
import { SHORT_TIME_FOURIER } from "./spectral/stft.ts";
import { VISION } from "./vision/detection.ts";
import { SAMPLING } from "./vision/grid-sample.ts";
import { RESIZING } from "./vision/interpolate.ts";
import { REGION_POOLING } from "./vision/roi-pooling.ts";

/** Every family's table. A new family is one line here. */
export const FAMILIES: Readonly<Record<string, LoweringTable>> = {
  activation: ACTIVATION,
  attention: ATTENTION,
  comparison: COMPARISON,
  contraction: CONTRACTION,
  convolution: CONVOLUTION,
  creation: CREATION,
  elementwise: ELEMENTWISE,
  indexing: INDEXING,
  concat: CONCAT,
  linear: LINEAR,
  losses: LOSSES,
  "max-pooling": MAX_POOLING,
  "multi-head": MULTI_HEAD,
  normalization: NORMALIZATION,
  padding: PADDING,
  pooling: POOLING,
  rearranging: REARRANGING,
  reading: READING,
  recurrent: RECURRENT,
  reduction: REDUCTION,
  "region-pooling": REGION_POOLING,
  reshaping: RESHAPING,
  resizing: RESIZING,
  sampling: SAMPLING,
  scattering: SCATTERING,
  slicing: SLICING,
  diagonals: DIAGONALS,
  "element-scatter": ELEMENT_SCATTER,
  distances: DISTANCES,
  dropout: DROPOUT,
  "embedding-bag": EMBEDDING_BAG,
  aliases: ALIASES,
  strided: STRIDED,
  exponential: EXPONENTIAL,
  fourier: FOURIER,
  "short-time-fourier": SHORT_TIME_FOURIER,
  "number-parts": NUMBER_PARTS,
  "special-functions": SPECIAL_FUNCTIONS,
  ordering: ORDERING,
  cumulative: CUMULATIVE,
  moments: MOMENTS,
  products: PRODUCTS,
  "data-dependent": DATA_DEPENDENT,
  norms: NORMS,
  stacking: STACKING,
  softmax: SOFTMAX,
  vision: VISION,
};

/** All families as one table. Two families must not claim the same op. */
export function mergeFamilies(families: Readonly<Record<string, LoweringTable>>): LoweringTable {
  const merged: Record<string, Lowering> = {};
  for (const table of Object.values(families)) {
    for (const [target, lowering] of Object.entries(table)) {
      invariant(!Object.hasOwn(merged, target), `two families translate ${target}`);
      merged[target] = lowering;
    }
  }
  return merged;
}

export const LOWERINGS: LoweringTable = mergeFamilies(FAMILIES);
