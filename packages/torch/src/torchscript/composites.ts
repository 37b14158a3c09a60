import { sameDim } from "../graph/sym.ts";
import { requireSome } from "./shapes/dims.ts";
import { codeOfDtype } from "./shapes/shape-args.ts";
import { unsupportedOp } from "./unsupported-op.ts";
import { int, knownNumber, NONE_VALUE, type TensorValue, type Value } from "./value.ts";

/** How a composite calls what it is made of. */
export interface CompositeCalls {
  /** `call("aten.add", [x, y])` */
  call(op: string, args: readonly Value[], kwargs?: ReadonlyMap<string, Value>): Value;
  /** The number that a tensor of one element holds. */
  numberOf(tensor: TensorValue): Value;
}

/** Undefined where the op is to be called as it is. */
type Composite = (args: ReadonlyMap<string, Value>, calls: CompositeCalls) => Value | undefined;

function given(args: ReadonlyMap<string, Value>, name: string): Value {
  return args.get(name) ?? NONE_VALUE;
}

/** A tensor where PyTorch takes a number. */
function scalar(args: ReadonlyMap<string, Value>, name: string, calls: CompositeCalls): Value {
  const value = given(args, name);
  return value.kind === "tensor" ? calls.numberOf(value) : value;
}

const linspace: Composite = (args, calls) =>
  calls.call(
    "aten.linspace",
    [scalar(args, "start", calls), scalar(args, "end", calls), given(args, "steps")],
    new Map([["dtype", given(args, "dtype")]]),
  );

/** The covariance of variables (rows) over observations (columns). */
const covariance: Composite = (args, { call }) => {
  if (given(args, "fweights").kind !== "none" || given(args, "aweights").kind !== "none")
    return unsupportedOp("its observations are weighted");
  const self = call("aten.atleast_2d", [given(args, "self")]) as TensorValue;
  for (const dim of self.type.dims) requireSome(dim);
  const mean = call("aten.mean", [self, { kind: "list", items: [int(1)] }, { kind: "bool", value: 1 }]);
  const apart = call("aten.sub", [self, mean]);
  const count = self.type.dims[1]!;
  const products = call("aten.matmul", [apart, call("aten.t", [apart])]);
  const correction = given(args, "correction");
  const observations = call("aten.max", [call("aten.sub", [int(count), correction]), int(0)]);
  return call("aten.squeeze", [call("aten.true_divide", [products, observations])]);
};

/** Covariances divided by both standard deviations; of one variable it is 1, NaN where it does not vary. */
const correlation: Composite = (args, { call }) => {
  const self = given(args, "self");
  const found = call("aten.cov", [self]) as TensorValue;
  if (found.type.dims.length === 0) return call("aten.true_divide", [found, found]);
  const deviation = call("aten.sqrt", [call("aten.diagonal", [found])]);
  const rows = call("aten.true_divide", [found, call("aten.unsqueeze", [deviation, int(1)])]);
  const scaled = call("aten.true_divide", [rows, call("aten.unsqueeze", [deviation, int(0)])]);
  return call("aten.clamp", [scaled, int(-1), int(1)]);
};

/** Pooling over all that there is, as `max_pool1d(x, x.size(2))` does; undefined for any other window. */
const poolsWhole =
  (op: "amax" | "mean"): Composite =>
  (args, { call }) => {
    const self = given(args, "self") as TensorValue;
    const kernel = itemsOf(given(args, "kernel_size"));
    const axes = kernel.map((_, i) => i - kernel.length);
    const own = axes.map((axis) => self.type.dims.at(axis)!);
    const isWhole = kernel.every((size, i) => size.kind === "int" && sameDim(size.value, own[i]!));
    const isFree = own.some((dim) => typeof dim !== "number");
    const isPadded = itemsOf(given(args, "padding")).some((pad) => knownNumber(pad) !== 0);
    const isSpread = itemsOf(given(args, "dilation")).some((by) => knownNumber(by) !== 1);
    if (!isFree || !isWhole || isPadded || isSpread || given(args, "divisor_override").kind !== "none")
      return undefined;
    for (const dim of own) requireSome(dim);
    return call(`aten.${op}`, [self, { kind: "list", items: axes.map(int) }, { kind: "bool", value: 1 }]);
  };

function itemsOf(value: Value): readonly Value[] {
  return value.kind === "list" ? value.items : [];
}

/** Ops that PyTorch makes of others; exported programs hold those others. By target. */
export const COMPOSITES: Readonly<Record<string, Composite>> = {
  "aten.where.default": (args, { call }) => call("aten.nonzero_numpy", [given(args, "condition")]),
  "aten.chalf.default": (args, { call }) =>
    call("aten.to", [
      given(args, "self"),
      int(codeOfDtype("complex32")),
      { kind: "bool", value: 0 },
      { kind: "bool", value: 0 },
    ]),
  "aten.split.default": (args, { call }) =>
    call("aten.split_with_sizes", [given(args, "self"), given(args, "split_sizes"), given(args, "dim")]),
  "aten.copy_.float": (args, { call }) => call("aten.fill_", [given(args, "self"), given(args, "other")]),
  "aten.copy_.int": (args, { call }) => call("aten.fill_", [given(args, "self"), given(args, "other")]),
  "aten.narrow.Tensor": (args, calls) =>
    calls.call("aten.narrow", [
      given(args, "self"),
      given(args, "dim"),
      scalar(args, "start", calls),
      given(args, "length"),
    ]),
  "aten.linspace.Tensor_Tensor": linspace,
  "aten.linspace.Tensor_Scalar": linspace,
  "aten.linspace.Scalar_Tensor": linspace,
  "aten.max_pool1d.default": poolsWhole("amax"),
  "aten.max_pool2d.default": poolsWhole("amax"),
  "aten.max_pool3d.default": poolsWhole("amax"),
  "aten.avg_pool1d.default": poolsWhole("mean"),
  "aten.avg_pool2d.default": poolsWhole("mean"),
  "aten.avg_pool3d.default": poolsWhole("mean"),
  "aten.cov.default": covariance,
  "aten.corrcoef.default": correlation,
};
