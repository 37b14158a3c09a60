import type { LoweringTable } from "../core/lowering.ts";
import { mergeTables } from "../core/merge-tables.ts";
import { underOtherNames } from "../core/other-names.ts";
import { COMPARISONS } from "./comparison.ts";
import { EXTREMES } from "./extremes.ts";
import { FLOAT_TESTS } from "./float-tests.ts";
import { SEARCHING } from "./searching.ts";
import { SORTING } from "./sorting.ts";

/**
 * aten::greater.Tensor(Tensor self, Tensor other) -> Tensor
 * aten::greater.Scalar(Tensor self, Scalar other) -> Tensor
 * aten::greater_equal.Tensor(Tensor self, Tensor other) -> Tensor
 * aten::greater_equal.Scalar(Tensor self, Scalar other) -> Tensor
 * aten::less.Tensor(Tensor self, Tensor other) -> Tensor
 * aten::less.Scalar(Tensor self, Scalar other) -> Tensor
 * aten::less_equal.Tensor(Tensor self, Tensor other) -> Tensor
 * aten::less_equal.Scalar(Tensor self, Scalar other) -> Tensor
 * aten::not_equal.Tensor(Tensor self, Tensor other) -> Tensor
 * aten::not_equal.Scalar(Tensor self, Scalar other) -> Tensor
 *
 * Other names of comparisons.
 */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  greater: "gt",
  greater_equal: "ge",
  less: "lt",
  less_equal: "le",
  not_equal: "ne",
};

const OWN_NAMES: LoweringTable = mergeTables([COMPARISONS, EXTREMES, FLOAT_TESTS, SEARCHING, SORTING]);

/** Comparisons, sorting and searching. */
export const COMPARISON: LoweringTable = mergeTables([OWN_NAMES, underOtherNames(OWN_NAMES, OTHER_NAMES)]);
