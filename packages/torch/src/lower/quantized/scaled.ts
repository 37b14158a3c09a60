import type { DType } from "../../dtype.ts";
import type { Dim } from "../../graph/sym.ts";
import type { StoredCodes } from "../core/coded.ts";
import type { Emitter } from "../core/emitter.ts";
import type { OpNode } from "../core/op-node.ts";
import { common } from "../core/promote.ts";
import { isFloat, type Tensor, type Val } from "../core/tensor.ts";
import { clamped, inverseOf, knownNumbers, narrowZero, type Range, rangeOf, toCodes } from "./codes.ts";

/** How a tensor and its scales are shaped to be calculated with one another. */
export interface Layout {
  /** Undefined: as the tensor is. */
  readonly dims?: readonly Dim[];
  /** Of the scales and the zeros; undefined: as they are. */
  readonly scaleDims?: readonly Dim[];
}

export interface Names {
  readonly scale: string;
  readonly zero: string;
}

/** Codes of a tensor: round(x / scale) + zero, or round(x / scale + zero), held to the range of the op. */
export function encoded(node: OpNode, g: Emitter, { layout, names, dtype, order, range }: Encoding): Val {
  const scale = scaleOf(node, g, names.scale);
  const float = common("float32", scale.dtype);
  const x = shaped(g, g.cast(node.tensor("input"), float), layout.dims);
  const inverse = shaped(g, inverseOf(g, g.cast(scale, float)), layout.scaleDims);
  const divided = g.op("Mul", [x, inverse]);
  const zero = node.has(names.zero) ? zeroOf(node, g, names.zero) : undefined;
  const moved = (val: Val): Val =>
    zero === undefined ? val : g.op("Add", [val, shaped(g, g.cast(zero, float), layout.scaleDims)]);
  const whole =
    order === "round, then add the zero" ? moved(g.op("Round", [divided])) : g.op("Round", [moved(divided)]);
  const held: Range =
    range === undefined
      ? rangeOf(node, g, float)
      : { low: g.scalar(float, range[0]), high: g.scalar(float, range[1]) };
  const codes = toCodes(g, clamped(g, whole, held), dtype);
  return layout.dims === undefined ? codes : g.reshape(codes, node.out().dims);
}

export interface Encoding {
  readonly layout: Layout;
  readonly names: Names;
  readonly dtype: DType;
  readonly order: "round, then add the zero" | "add the zero, then round";
  /** Undefined: `quant_min` and `quant_max` of the op. */
  readonly range?: readonly [number, number];
}

/** The floats that codes stand for: (code − zero) · scale, where integers are subtracted in the type that they promote to. */
export function decoded(node: OpNode, g: Emitter, { layout, names, subtract }: Decoding): Val {
  const input = node.tensor("input");
  const scale = scaleOf(node, g, names.scale);
  const zero = node.has(names.zero) ? zeroOf(node, g, names.zero) : undefined;
  const type =
    subtract === "as floats"
      ? scale.dtype
      : zero === undefined
        ? input.dtype
        : difference(input, zero, node.tensor(names.zero));
  const codes = shaped(g, g.cast(input, type), layout.dims);
  const moved =
    zero === undefined ? codes : g.op("Sub", [codes, shaped(g, g.cast(zero, type), layout.scaleDims)]);
  const product = g.op("Mul", [g.cast(moved, scale.dtype), shaped(g, scale, layout.scaleDims)]);
  const floats = layout.dims === undefined ? product : g.reshape(product, node.out().dims);
  return g.cast(floats, node.out().dtype);
}

export interface Decoding {
  readonly layout: Layout;
  readonly names: Names;
  readonly subtract: "as integers" | "as floats";
}

/** The dtype that codes and zeros are subtracted in. */
function difference(input: Tensor, zero: Val, { dtype }: Val): DType {
  return isFloat(zero.dtype) ? zero.dtype : common(input.dtype, dtype);
}

function shaped(g: Emitter, val: Val, dims: readonly Dim[] | undefined): Val {
  return dims === undefined ? val : g.reshape(val, dims);
}

/** Scales in the float type that PyTorch has them in: what only the description of the program widens stays narrow. */
export function scaleOf(node: OpNode, g: Emitter, name: string): Val {
  const tensor = node.tensor(name);
  const before = g.uncast(tensor);
  return isFloat(before.dtype) && before.dtype !== "float16" && before.dtype !== "bfloat16" ? before : tensor;
}

/** Zeros; undefined when all are known to be 0. */
function zeroOf(node: OpNode, g: Emitter, name: string): Val | undefined {
  if (knownNumbers(node, name)?.every((zero) => zero === 0) === true) return undefined;
  return g.uncast(node.tensor(name));
}

/** What a weight of the file is made of, for products that take codes. `kept`: a dimension with a scale each, or the size of groups. */
export function noteCodes(
  node: OpNode,
  g: Emitter,
  { result, names, kept }: { result: Val; names: Names; kept: { axis: number } | { groupSize: number } },
): void {
  const codes = node.tensor("input");
  const weight = node.weight("input");
  if (weight === undefined || (codes.dtype !== "int8" && codes.dtype !== "uint8")) return;
  const zero = node.has(names.zero)
    ? narrowZero(node, g, { name: names.zero, dtype: codes.dtype })
    : undefined;
  if (zero === "elsewhere") return;
  const dims = "axis" in kept ? [-1] : [codes.dims[0]!, -1];
  const flat = (val: Val): Val => g.op("Reshape", [val, g.shape(dims)]);
  const zeros = zero === undefined ? undefined : knownNumbers(node, names.zero);
  if (zero !== undefined && zeros === undefined) return;
  const stored: StoredCodes = { ...weight, zeros, isTransposed: false };
  const scale = flat(g.cast(scaleOf(node, g, names.scale), "float32"));
  const scales = knownNumbers(node, names.scale);
  g.coded.set(result.name, { codes, scale, scales, zero: zero && flat(zero), ...kept, stored });
}
