import { schemaOf } from "../aten/schemas.ts";
import type { Node } from "./ir.ts";

export interface SeveralWrites {
  readonly variant: string;
  /** The operands written into, in the order of the variant's last results. */
  readonly written: readonly string[];
  /** How many results the variant has before those. */
  readonly results: number;
  /** The op stays for its own results, which the variant has other sizes for. */
  readonly isKept?: boolean;
}

const RUNNING = ["running_mean", "running_var"];

/** Ops that write into operands besides giving results. */
const WRITES_SEVERAL: Readonly<Record<string, SeveralWrites>> = {
  "aten._native_batch_norm_legit.default": {
    variant: "aten._native_batch_norm_legit_functional.default",
    written: RUNNING,
    results: 3,
  },
  "aten._batch_norm_with_update.default": {
    variant: "aten._batch_norm_with_update_functional.default",
    written: RUNNING,
    results: 4,
  },
};

/** Ops that write what their schema does not say, in training and where they are given running statistics. */
const TRAINED: Readonly<Record<string, SeveralWrites>> = {
  // Of no images it answers, and its variant does not.
  "aten.batch_norm.default": {
    variant: "aten._native_batch_norm_legit_functional.default",
    written: RUNNING,
    results: 3,
    isKept: true,
  },
  "aten.native_batch_norm.default": {
    variant: "aten._native_batch_norm_legit_functional.default",
    written: RUNNING,
    results: 3,
  },
};

/** What a node writes besides giving results; undefined where it does not, or into its first operand alone. */
export function severalWrites({ target, args }: Node): SeveralWrites | undefined {
  if (Object.hasOwn(WRITES_SEVERAL, target)) return WRITES_SEVERAL[target];
  if (!Object.hasOwn(TRAINED, target)) return undefined;
  const training = args.get("training");
  const isTraining = training?.kind === "bool" && training.value;
  return isTraining && RUNNING.every((name) => args.get(name)?.kind === "value")
    ? TRAINED[target]
    : undefined;
}

/** Variants whose overload has another name. */
const VARIANTS: Readonly<Record<string, string>> = {
  "aten.floor_divide_.Tensor": "aten.floor_divide.default",
  "aten.ldexp_.default": "aten.ldexp.Tensor",
  "aten.pow_.Scalar": "aten.pow.Tensor_Scalar",
  "aten.pow_.Tensor": "aten.pow.Tensor_Tensor",
  "aten.transpose_.default": "aten.transpose.int",
};

/** Of in-place ops that change a tensor's shape or memory, those whose functional variant would be another op than they are. */
const WITHOUT_VARIANT = /^aten\.(rename_|resize_|resize_as_|set_)\./;

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
    ? "it still measures the numbers it sees, also in eval(), and each answer changes the next one: finish quantization-aware training with convert_pt2e (or torch.ao.quantization.convert) before exporting, or switch measuring off (model.apply(torch.ao.quantization.disable_observer))"
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

/** The same with what reads a tensor's memory anew, for programs that say how their tensors lie in it. */
export function laysOutInPlace(target: string): boolean {
  return TURNING.has(target) || target === "aten.as_strided_.default";
}

/** Whether an in-place op may leave its operand with another shape than it had. */
export function reshapesInPlace(target: string): boolean {
  return laysOutInPlace(target) || WITHOUT_VARIANT.test(target);
}
