import type { LoweringTable } from "../core/lowering.ts";
import { mergeTables } from "../core/merge-tables.ts";
import { ALIASES } from "./aliases.ts";
import { CONCAT } from "./concat.ts";
import { DIAGONALS } from "./diagonals.ts";
import { ELEMENT_SCATTER } from "./element-scatter.ts";
import { FLIPPING } from "./flipping.ts";
import { INDEXING } from "./indexing.ts";
import { ITEM } from "./item.ts";
import { MASKING } from "./masking.ts";
import { NONZERO } from "./nonzero.ts";
import { REPEAT } from "./repeat.ts";
import { RESHAPING } from "./reshaping.ts";
import { ROW_SCATTER } from "./row-scatter.ts";
import { SLICE_SCATTER } from "./slice-scatter.ts";
import { SLICING } from "./slicing.ts";
import { STACKING } from "./stacking.ts";
import { STRIDED } from "./strided.ts";

/** Reshaping, indexing, slicing, joining and scattering. */
export const SHAPE: LoweringTable = mergeTables([
  ALIASES,
  CONCAT,
  DIAGONALS,
  ELEMENT_SCATTER,
  ROW_SCATTER,
  FLIPPING,
  INDEXING,
  ITEM,
  MASKING,
  NONZERO,
  REPEAT,
  RESHAPING,
  SLICE_SCATTER,
  SLICING,
  STACKING,
  STRIDED,
]);
