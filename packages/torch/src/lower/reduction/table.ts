import type { LoweringTable } from "../core/lowering.ts";
import { mergeTables } from "../core/merge-tables.ts";
import { CUMULATIVE } from "./cumulative.ts";
import { EXTREMES } from "./extremes.ts";
import { HASH } from "./hash.ts";
import { HISTOGRAMS } from "./histograms.ts";
import { ORDER_STATISTICS } from "./order-statistics.ts";
import { SEGMENTS } from "./segments.ts";
import { SUMS } from "./sums.ts";
import { UNIQUE } from "./unique.ts";
import { VARIANCE } from "./variance.ts";

/** Reductions and running totals. */
export const REDUCTION: LoweringTable = mergeTables([
  CUMULATIVE,
  EXTREMES,
  HASH,
  HISTOGRAMS,
  ORDER_STATISTICS,
  SEGMENTS,
  SUMS,
  UNIQUE,
  VARIANCE,
]);
