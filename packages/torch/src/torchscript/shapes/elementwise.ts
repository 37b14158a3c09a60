import { componentDtype, type DType } from "../../dtype.ts";
import type { TensorType } from "../../graph/ir.ts";
import { common } from "../../lower/core/promote.ts";
import { broadcast } from "./dims.ts";
import { floatOf, type ShapeArgs, type ShapeFn, type ShapeTable, tensorType } from "./shape-args.ts";

/** The result is like the first argument. */
export const same: ShapeFn = (args) => args.tensor(args.has("self") ? "self" : "input");

const floating: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor(args.has("self") ? "self" : "x");
  return tensorType(floatOf(dtype), dims);
};

const truth: ShapeFn = (args) => tensorType("bool", args.tensor("self").dims);

function operands(args: ShapeArgs): readonly string[] {
  return ["self", "other", "x", "n", "exponent", "tensor1", "tensor2", "min", "max", "end", "values"].filter(
    (name) => args.has(name),
  );
}

/** Broadcast operands, promoted dtype. */
const promoted = (args: ShapeArgs): TensorType => {
  const names = operands(args);
  return tensorType(args.promoted(...names), broadcast(...names.map((name) => args.operandDims(name))));
};

const promotedFloat: ShapeFn = (args) => {
  const names = operands(args);
  return tensorType(
    floatOf(args.promoted(...names)),
    broadcast(...names.map((name) => args.operandDims(name))),
  );
};

const comparison: ShapeFn = (args) =>
  tensorType("bool", broadcast(...operands(args).map((name) => args.operandDims(name))));

/** True division gives floats; with a rounding mode it keeps integers. */
const divided: ShapeFn = (args) => (args.has("rounding_mode") ? promoted(args) : promotedFloat(args));

/** Squares of bools are integers, as `pow` has them. */
const squared: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor("self");
  return tensorType(dtype === "bool" ? "int64" : dtype, dims);
};

const where: ShapeFn = (args) => {
  const names = ["condition", "self", "other"];
  return tensorType(
    args.promoted("self", "other"),
    broadcast(...names.map((name) => args.operandDims(name))),
  );
};

export const masked: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor("self");
  return tensorType(dtype, broadcast(dims, args.tensor("mask").dims));
};

const converted =
  (pick: (args: ShapeArgs) => DType | undefined): ShapeFn =>
  (args) => {
    const { dtype, dims } = args.tensor("self");
    return tensorType(pick(args) ?? dtype, dims);
  };

const otherDtype: ShapeFn = converted((args) => args.tensor("other").dtype);

const SAME =
  `absolute negative fix neg relu relu6 leaky_relu elu selu celu silu hardswish hardsigmoid hardtanh gelu mish softplus softshrink hardshrink
  prelu rrelu threshold clone detach alias contiguous dropout feature_dropout alpha_dropout sign round ceil floor trunc frac positive
  tril triu flip roll bitwise_not lift_fresh resolve_conj resolve_neg nan_to_num log_sigmoid cpu cuda zero fill  dropout1d dropout2d renorm copy alias_copy lift_fresh_copy _conj_physical conj_physical sgn fliplr flipud feature_alpha_dropout`.split(
    /\s+/,
  );
const FLOATING =
  `arccos arccosh arcsin arcsinh arctan arctanh special_digamma special_erf special_erfc special_exp2 special_expit special_expm1
  special_gammaln special_log1p special_logit special_psi special_sinc exp exp2 expm1 log log2 log10 log1p sqrt rsqrt sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh
  sigmoid erf erfc erfinv reciprocal logit rad2deg deg2rad sinc lgamma digamma i0 mvlgamma
  special_entr special_erfcx special_i0e special_i1 special_i1e special_log_ndtr special_ndtr special_modified_bessel_i0
  special_modified_bessel_i1 special_modified_bessel_k0 special_modified_bessel_k1 special_scaled_modified_bessel_k0
  special_scaled_modified_bessel_k1 special_bessel_j0 special_bessel_j1 special_bessel_y0 special_bessel_y1 special_airy_ai
  special_spherical_bessel_j0 special_ndtri polygamma special_polygamma`.split(/\s+/);
const TRUTH = "isnan isinf isfinite isposinf isneginf logical_not signbit isreal".split(" ");
const PROMOTED =
  `add sub mul rsub maximum minimum fmod remainder floor_divide pow addcmul addcdiv lerp gcd lcm clip clamp clamp_min clamp_max bitwise_and bitwise_or
  bitwise_xor __and__ __or__ __xor__ subtract multiply fmax fmin __lshift__ __rshift__ bitwise_left_shift bitwise_right_shift heaviside _add_relu nextafter`.split(
    /\s+/,
  );
const PROMOTED_FLOAT =
  "atan2 true_divide xlogy arctan2 copysign hypot ldexp logaddexp logaddexp2 special_xlog1py special_zeta igamma igammac special_gammainc special_gammaincc".split(
    " ",
  );
const POLYNOMIALS = ["", "shifted_"].flatMap((kind) =>
  ["t", "u", "v", "w"].map((letter) => `special_${kind}chebyshev_polynomial_${letter}`),
);
const COMPARISON =
  `eq ne lt le gt ge logical_and logical_or logical_xor greater less greater_equal less_equal not_equal isclose`.split(
    /\s+/,
  );

const named = (names: readonly string[], shape: ShapeFn): ShapeTable =>
  Object.fromEntries(names.map((name) => [name, shape]));

/** By op name; where overloads differ, by op and overload. */
export const ELEMENTWISE: ShapeTable = {
  ...named(SAME, same),
  ...named(FLOATING, floating),
  ...named(TRUTH, truth),
  ...named(PROMOTED, promoted),
  ...named(PROMOTED_FLOAT, promotedFloat),
  ...named(POLYNOMIALS, promotedFloat),
  special_hermite_polynomial_h: promotedFloat,
  special_hermite_polynomial_he: promotedFloat,
  special_laguerre_polynomial_l: promotedFloat,
  special_legendre_polynomial_p: promotedFloat,
  ...named(COMPARISON, comparison),
  square: squared,
  float_power: (args) => tensorType("float64", promoted(args).dims),
  angle: (args) => {
    const { dtype, dims } = args.tensor("self");
    return tensorType(componentDtype(dtype) ?? floatOf(dtype), dims);
  },
  isin: (args) => tensorType("bool", args.operandDims(args.isGiven("elements") ? "elements" : "element")),
  native_dropout_backward: (args) => {
    const { dims } = args.tensor("grad_output");
    return tensorType(floatOf(args.promoted("grad_output", "mask")), dims);
  },
  gradient: (args) => {
    const { dims } = args.tensor("self");
    const tensors = args.isGiven("spacing")
      ? args.items("spacing").filter((item) => item.kind === "tensor")
      : [];
    const { dtype } = args.tensor("self");
    const count = args.has("dim") ? args.sizes("dim").length : dims.length;
    return Array.from({ length: count }, (_, i) =>
      tensorType(floatOf(common(dtype, tensors[i]?.type.dtype ?? dtype)), dims),
    );
  },
  "frexp.Tensor": (args) => {
    const { dtype, dims } = args.tensor("self");
    return [tensorType(dtype, dims), tensorType("int32", dims)];
  },
  rrelu_with_noise_functional: (args) => [args.tensor("self"), args.tensor("noise")],
  native_dropout: (args) => {
    const input = args.tensor("input");
    return [input, tensorType("bool", input.dims)];
  },
  div: divided,
  divide: divided,
  "max.other": promoted,
  "min.other": promoted,
  where,
  masked_fill: masked,
  "to.dtype": converted((args) => args.dtype()),
  "to.device": converted((args) => args.dtype()),
  "to.dtype_layout": converted((args) => args.dtype()),
  "to.prim_dtype": converted((args) => args.dtype()),
  "to.prim_Device": converted((args) => args.dtype()),
  _to_copy: converted((args) => args.dtype()),
  "to.other": otherDtype,
  type_as: otherDtype,
};
