import { invariant } from "../errors.ts";
import { ACTIVATION } from "./activation.ts";
import { ATTENTION } from "./attention.ts";
import { COMPARISON } from "./comparison.ts";
import { CONTRACTION } from "./contraction.ts";
import { CONVOLUTION } from "./convolution.ts";
import { CREATION } from "./creation.ts";
import { CUMULATIVE } from "./cumulative.ts";
import { DATA_DEPENDENT } from "./data-dependent.ts";
import { DIAGONALS } from "./diagonals.ts";
import { DISTANCES } from "./distances.ts";
import { DROPPING } from "./dropping.ts";
import { ELEMENT_SCATTER } from "./element-scatter.ts";
import { ELEMENTWISE } from "./elementwise.ts";
import { EMBEDDING_BAG } from "./embedding-bag.ts";
import { EQUIVALENTS } from "./equivalents.ts";
import { EXPONENTIAL } from "./exponential.ts";
import { FOURIER } from "./fourier.ts";
import { INDEXING } from "./indexing.ts";
import { JOINING } from "./joining.ts";
import { LINEAR } from "./linear.ts";
import { LOSSES } from "./losses.ts";
import type { Lowering, LoweringTable } from "./lowering.ts";
import { MAX_POOLING } from "./max-pooling.ts";
import { MOMENTS } from "./moments.ts";
import { MULTI_HEAD } from "./multi-head.ts";
import { NORMALIZATION } from "./normalization.ts";
import { NORMS } from "./norms.ts";
import { NUMBER_PARTS } from "./number-parts.ts";
import { ORDERING } from "./ordering.ts";
import { PADDING } from "./padding.ts";
import { POOLING } from "./pooling.ts";
import { PRODUCTS } from "./products.ts";
import { READING } from "./reading.ts";
import { REARRANGING } from "./rearranging.ts";
import { RECURRENT } from "./recurrent.ts";
import { REDUCTION } from "./reduction.ts";
import { REGION_POOLING } from "./region-pooling.ts";
import { RESHAPING } from "./reshaping.ts";
import { RESIZING } from "./resizing.ts";
import { SAMPLING } from "./sampling.ts";
import { SCATTERING } from "./scattering.ts";
import { SHORT_TIME_FOURIER } from "./short-time-fourier.ts";
import { SLICING } from "./slicing.ts";
import { SOFTMAX } from "./softmax.ts";
import { SPECIAL_FUNCTIONS } from "./special-functions.ts";
import { STACKING } from "./stacking.ts";
import { STRIDED } from "./strided.ts";
import { VISION } from "./vision.ts";

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
  joining: JOINING,
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
  dropping: DROPPING,
  "embedding-bag": EMBEDDING_BAG,
  equivalents: EQUIVALENTS,
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
