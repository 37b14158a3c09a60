import type { LoweringTable } from "../core/lowering.ts";
import { mergeTables } from "../core/merge-tables.ts";
import { underOtherNames } from "../core/other-names.ts";
import { ARITHMETIC } from "./arithmetic.ts";
import { BIT_VIEWS } from "./bit-views.ts";
import { BITWISE } from "./bitwise.ts";
import { CONVERSION } from "./conversion.ts";
import { DIVISORS } from "./divisors.ts";
import { EXPONENTIAL } from "./exponential.ts";
import { GRADIENT } from "./gradient.ts";
import { INCOMPLETE_GAMMA } from "./incomplete-gamma.ts";
import { LOGICAL } from "./logical.ts";
import { NEIGHBOURS } from "./neighbours.ts";
import { ROUNDING } from "./rounding.ts";
import { SIGNS } from "./signs.ts";
import { SPECIAL_FUNCTIONS } from "./special-functions.ts";
import { TRIGONOMETRY } from "./trigonometry.ts";
import { UNARY } from "./unary.ts";

/**
 * aten::absolute(Tensor self) -> Tensor
 * aten::arccos(Tensor self) -> Tensor
 * aten::arccosh(Tensor self) -> Tensor
 * aten::arcsin(Tensor self) -> Tensor
 * aten::arcsinh(Tensor self) -> Tensor
 * aten::arctan(Tensor self) -> Tensor
 * aten::arctanh(Tensor self) -> Tensor
 * aten::clip(Tensor self, Scalar? min=None, Scalar? max=None) -> Tensor
 * aten::clip.Tensor(Tensor self, Tensor? min=None, Tensor? max=None) -> Tensor
 * aten::negative(Tensor self) -> Tensor
 * aten::fix(Tensor self) -> Tensor
 * aten::special_expit(Tensor self) -> Tensor
 * aten::special_exp2(Tensor self) -> Tensor
 * aten::special_expm1(Tensor self) -> Tensor
 * aten::special_log1p(Tensor self) -> Tensor
 * aten::special_logit(Tensor self, float? eps=None) -> Tensor
 * aten::special_erf(Tensor self) -> Tensor
 * aten::special_erfc(Tensor self) -> Tensor
 * aten::special_sinc(Tensor self) -> Tensor
 * aten::special_gammaln(Tensor self) -> Tensor
 * aten::special_digamma(Tensor self) -> Tensor
 * aten::special_psi(Tensor self) -> Tensor
 * aten::special_gammainc(Tensor self, Tensor other) -> Tensor
 * aten::special_gammaincc(Tensor self, Tensor other) -> Tensor
 *
 * Other names of pointwise ops.
 */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  absolute: "abs",
  arccos: "acos",
  arccosh: "acosh",
  arcsin: "asin",
  arcsinh: "asinh",
  arctan: "atan",
  arctanh: "atanh",
  clip: "clamp",
  negative: "neg",
  fix: "trunc",
  special_expit: "sigmoid",
  special_exp2: "exp2",
  special_expm1: "expm1",
  special_log1p: "log1p",
  special_logit: "logit",
  special_erf: "erf",
  special_erfc: "erfc",
  special_sinc: "sinc",
  special_gammaln: "lgamma",
  special_digamma: "digamma",
  special_psi: "digamma",
  special_gammainc: "igamma",
  special_gammaincc: "igammac",
};

const OWN_NAMES: LoweringTable = mergeTables([
  ARITHMETIC,
  BIT_VIEWS,
  BITWISE,
  CONVERSION,
  DIVISORS,
  EXPONENTIAL,
  GRADIENT,
  INCOMPLETE_GAMMA,
  LOGICAL,
  NEIGHBOURS,
  ROUNDING,
  SIGNS,
  SPECIAL_FUNCTIONS,
  TRIGONOMETRY,
  UNARY,
]);

/** Pointwise ops. */
export const POINTWISE: LoweringTable = mergeTables([OWN_NAMES, underOtherNames(OWN_NAMES, OTHER_NAMES)]);
