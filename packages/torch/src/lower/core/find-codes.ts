import type { Coded } from "./coded.ts";
import type { Emitter } from "./emitter.ts";
import type { Tensor, Val } from "./tensor.ts";

/** What a float tensor was made of, looked for behind reshapes and transpositions; undefined when it was not made of codes. */
export function codesOf(g: Emitter, tensor: Tensor): Coded | undefined {
  const known = g.coded.get(tensor.name);
  if (known !== undefined) return known;
  const node = g.builder.producer(tensor.name);
  if (node?.domain !== "" || (node.type !== "Reshape" && node.type !== "Transpose")) return undefined;
  const source = g.coded.get(node.inputs[0]!);
  if (source === undefined) return undefined;
  if (node.type === "Transpose") return turned(g, source, node.attributes["perm"] as readonly number[]);
  if (source.axis !== undefined || source.groupSize !== undefined) return undefined;
  const shape: Val = { name: node.inputs[1]!, dtype: "int64" };
  const codes = g.op("Reshape", [source.codes, shape], node.attributes);
  return {
    codes: g.typed(codes, tensor.dims),
    scale: source.scale,
    scales: source.scales,
    zero: source.zero,
  };
}

function turned(g: Emitter, { codes, axis, stored, ...rest }: Coded, perm: readonly number[]): Coded {
  const dims = perm.map((from) => codes.dims[from]!);
  return {
    ...rest,
    codes: g.typed(g.transpose(codes, perm), dims),
    ...(axis !== undefined && { axis: perm.indexOf(axis) }),
    ...(stored !== undefined &&
      perm.length === 2 && { stored: { ...stored, isTransposed: stored.isTransposed !== (perm[0] === 1) } }),
  };
}

/** What codes stand for, by plain arithmetic. */
export function asFloats(g: Emitter, { codes, scale, zero }: Coded): Val {
  const floats = g.cast(codes, "float32");
  return g.op("Mul", [zero === undefined ? floats : g.op("Sub", [floats, g.cast(zero, "float32")]), scale]);
}

/**
 * A tensor that does not show to be made of codes. ONNX Runtime quantizes float weights by itself, with one scale for all, where it sees codes
 * before and after a product of them.
 */
export function withoutCodes(g: Emitter, tensor: Tensor): Tensor {
  const given = codesOf(g, tensor);
  return given === undefined || given.axis !== undefined || given.groupSize !== undefined
    ? tensor
    : { ...tensor, ...asFloats(g, given) };
}
