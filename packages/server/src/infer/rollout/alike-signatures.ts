import type { Signature, TensorSpec } from "../../base/signature.ts";

/** Why requests for one version cannot be answered by another, in words for the user; undefined: they can. */
export function whyUnlike(stable: Signature, candidate: Signature): string | undefined {
  return unlikeInputs(stable.inputs, candidate.inputs) ?? unlikeOutputs(stable.outputs, candidate.outputs);
}

/** The candidate takes whatever the stable version takes. */
function unlikeInputs(stable: readonly TensorSpec[], candidate: readonly TensorSpec[]): string | undefined {
  for (const spec of candidate)
    if (!stable.some(({ name }) => name === spec.name)) return `it takes an input ${spec.name} more`;
  for (const spec of stable) {
    const other = candidate.find(({ name }) => name === spec.name);
    if (other === undefined) return `it takes no input ${spec.name}`;
    if (other.datatype !== spec.datatype)
      return `its input ${spec.name} is ${other.datatype}, and ${spec.datatype} of the old version`;
    if (!takesShapes(other, spec)) return `its input ${spec.name} has another shape`;
  }
  return undefined;
}

function takesShapes(candidate: TensorSpec, stable: TensorSpec): boolean {
  if (candidate.isRankFree === true) return true;
  if (stable.isRankFree === true || candidate.dims.length !== stable.dims.length) return false;
  // Limits of a symbolic size are for each request to keep.
  return candidate.dims.every((dim, i) => typeof dim !== "number" || dim === stable.dims[i]);
}

function unlikeOutputs(stable: readonly TensorSpec[], candidate: readonly TensorSpec[]): string | undefined {
  for (const spec of stable) {
    const other = candidate.find(({ name }) => name === spec.name);
    if (other === undefined) return `it gives no output ${spec.name}`;
    if (other.datatype !== spec.datatype)
      return `its output ${spec.name} is ${other.datatype}, and ${spec.datatype} of the old version`;
  }
  return undefined;
}
