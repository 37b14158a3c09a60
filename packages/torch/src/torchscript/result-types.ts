import { isComplex } from "../dtype.ts";
import { functionalVariant, reshapesInPlace } from "../graph/functional-variant.ts";
import type { TensorType } from "../graph/ir.ts";
import type { Dim } from "../graph/sym.ts";
import type { BoundCall } from "./overloads.ts";
import { requireSame } from "./shapes/dims.ts";
import { checkNeeds } from "./shapes/needs.ts";
import type { ShapeArgs } from "./shapes/shape-args.ts";
import { takesComplex } from "./shapes/spectral.ts";
import { shapeOf } from "./shapes/table.ts";
import { unknownOp, unsupportedOp } from "./unsupported-op.ts";
import type { Value } from "./value.ts";

/** The types of what an op gives. Throws UnsupportedOp where nothing says them, or the op does what cannot be followed. */
export function resultTypes({ schema, args }: BoundCall, given: ShapeArgs): readonly TensorType[] {
  if (!takesComplex(schema.target)) for (const value of args.values()) rejectComplex(value);
  const mutated = schema.params.find((param) => param.isMutated);
  const [first] = schema.returns;
  if (mutated !== undefined && first?.alias === mutated.alias) {
    const target = args.get(mutated.name);
    // Numbers of 0-d tensors are calculated while the program is read: a write would come too late for them.
    if (target?.kind !== "tensor" || target.number !== undefined)
      return unsupportedOp("it writes into a constant");
    if (reshapesInPlace(schema.target))
      return unsupportedOp(
        "it changes the shape of a tensor in place; use the form without '_', or export the model with torch.export",
      );
    requireSelfSize(schema.target, given, target.type.dims);
    return [target.type];
  }
  const shape = shapeOf(schema.target);
  // What observers write beside their result is settled, or refused, behind the reading.
  const isObserver = OBSERVERS.test(schema.target);
  if ((mutated !== undefined && !isObserver) || shape === undefined) {
    const op = schema.target.slice(0, schema.target.lastIndexOf("."));
    return unsupportedOp(unknownOp(op, "the type of its result is not known"));
  }
  if (schema.returns.some(({ type }) => !type.startsWith("Tensor")))
    return unsupportedOp("its result is not a tensor");
  checkNeeds(schema.target, given);
  const types = shape(given);
  return Array.isArray(types) ? types : [types as TensorType];
}

const OBSERVERS = /^aten\._?fused_moving_avg_obs_/;

/** What an op in place gives has to have the size of what it is written into: other operands do not stretch it. */
function requireSelfSize(target: string, given: ShapeArgs, dims: readonly Dim[]): void {
  const sizes = target === "aten.copy_.default" ? given.tensor("src").dims : resultSizes(target, given);
  if (sizes === undefined) return;
  const leading = sizes.length - dims.length;
  for (const [i, size] of sizes.entries()) {
    if (size !== 1 || (i >= leading && dims[i - leading] === 1)) requireSame(size, dims[i - leading] ?? 1);
  }
}

function resultSizes(target: string, given: ShapeArgs): readonly Dim[] | undefined {
  const variant = functionalVariant(target);
  const types = variant === undefined ? undefined : shapeOf(variant)?.(given);
  return types === undefined || Array.isArray(types) ? undefined : (types as TensorType).dims;
}

function rejectComplex(value: Value): void {
  const values = value.kind === "list" || value.kind === "tuple" ? value.items : [value];
  const isUnsupported = values.some((item) => item.kind === "tensor" && isComplex(item.type.dtype));
  if (isUnsupported) unsupportedOp("the type of its result is not known for complex numbers");
}
