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
  if (source === undefined || source.groupSize !== undefined) return undefined;
  if (node.type === "Transpose") return turned(g, source, node.attributes["perm"] as readonly number[]);
  if (source.axis !== undefined) return undefined;
  const shape: Val = { name: node.inputs[1]!, dtype: "int64" };
  const codes = g.op("Reshape", [source.codes, shape], node.attributes);
  return { codes: g.typed(codes, tensor.dims), scale: source.scale, zero: source.zero };
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
