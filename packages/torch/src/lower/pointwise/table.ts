import type { LoweringTable } from "../core/lowering.ts";
import { mergeTables } from "../core/merge-tables.ts";
import { ARITHMETIC } from "./arithmetic.ts";
import { BITWISE } from "./bitwise.ts";
import { CONVERSION } from "./conversion.ts";
import { EXPONENTIAL } from "./exponential.ts";
import { LOGICAL } from "./logical.ts";
import { ROUNDING } from "./rounding.ts";
import { SIGNS } from "./signs.ts";
import { SPECIAL_FUNCTIONS } from "./special-functions.ts";
import { TRIGONOMETRY } from "./trigonometry.ts";
import { UNARY } from "./unary.ts";

/** Pointwise ops. */
export const POINTWISE: LoweringTable = mergeTables([
  ARITHMETIC,
  BITWISE,
  CONVERSION,
  EXPONENTIAL,
  LOGICAL,
  ROUNDING,
  SIGNS,
  SPECIAL_FUNCTIONS,
  TRIGONOMETRY,
  UNARY,
]);
