import type { LoweringTable } from "../core/lowering.ts";
import { mergeTables } from "../core/merge-tables.ts";
import { COMPARISONS } from "./comparison.ts";
import { EXTREMES } from "./extremes.ts";
import { FLOAT_TESTS } from "./float-tests.ts";
import { SEARCHING } from "./searching.ts";
import { SORTING } from "./sorting.ts";

/** Comparisons, sorting and searching. */
export const COMPARISON: LoweringTable = mergeTables([
  COMPARISONS,
  EXTREMES,
  FLOAT_TESTS,
  SEARCHING,
  SORTING,
]);
