import { schemaOf } from "../aten/schemas.ts";

export interface SeveralWrites {
  readonly variant: string;
  /** The operands written into, in the order of the variant's last results. */
  readonly written: readonly string[];
}

/** Ops that write into operands besides giving results. */
export const WRITES_SEVERAL: Readonly<Record<string, SeveralWrites>> = {
  "aten._native_batch_norm_legit.default": {
    variant: "aten._native_batch_norm_legit_functional.default",
    written: ["running_mean", "running_var"],
  },
};

/** Variants whose overload has another name. */
const VARIANTS: Readonly<Record<string, string>> = {
  "aten.floor_divide_.Tensor": "aten.floor_divide.default",
  "aten.ldexp_.default": "aten.ldexp.Tensor",
  "aten.pow_.Scalar": "aten.pow.Tensor_Scalar",
  "aten.pow_.Tensor": "aten.pow.Tensor_Tensor",
  "aten.transpose_.default": "aten.transpose.int",
};

/** Of in-place ops that change a tensor's shape or memory, those whose functional variant would be another op than they are. */
const WITHOUT_VARIANT = /^aten\.(as_strided_|rename_|resize_|resize_as_|set_)\./;

/** "aten.relu_.default" → "aten.relu.default", when that op exists. `copy_`, `fill_` and `zero_` have functional forms as well. */
export function functionalVariant(target: string): string | undefined {
  if (WITHOUT_VARIANT.test(target)) return undefined;
  if (Object.hasOwn(VARIANTS, target)) return VARIANTS[target];
  const [namespace, op, overload] = target.split(".");
  if (namespace !== "aten" || op === undefined) return undefined;
  const operator = /^__i(\w+)__$/.exec(op);
  if (operator === null && !/[^_]_$/.test(op)) return undefined;
  const variant = `aten.${operator === null ? op.slice(0, -1) : `__${operator[1]}__`}.${overload}`;
  return schemaOf(variant) === undefined ? undefined : variant;
}

/** Why a write cannot be replaced. */
export function whyNoVariant(target: string): string {
  return /^aten\._?fused_moving_avg_obs_/.test(target)
    ? "it still measures the numbers it sees: finish quantization-aware training with convert_pt2e (or torch.ao.quantization.convert) before exporting"
    : "this in-place op has no functional form that could replace it";
}

/** In-place ops that change how a tensor shows its memory: what the memory holds stays. */
const TURNING: ReadonlySet<string> = new Set([
  "aten.squeeze_.default",
  "aten.squeeze_.dim",
  "aten.squeeze_.dims",
  "aten.swapaxes_.default",
  "aten.swapdims_.default",
  "aten.t_.default",
  "aten.transpose_.default",
  "aten.unsqueeze_.default",
]);

/** Whether an in-place op changes a tensor's shape and not its values: all names of the tensor get the new shape. */
export function turnsInPlace(target: string): boolean {
  return TURNING.has(target);
}

/** Whether an in-place op may leave its operand with another shape than it had. */
export function reshapesInPlace(target: string): boolean {
  return TURNING.has(target) || WITHOUT_VARIANT.test(target);
}
