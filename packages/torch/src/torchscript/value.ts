import type { PickleCall } from "../checkpoint/pickle-value.ts";
import type { TensorType } from "../graph/ir.ts";
import type { Dim } from "../graph/sym.ts";

/** What a TorchScript expression stands for while its program is read: constants are known, tensors are known by type alone. */
export type Value =
  | { readonly kind: "none" }
  | NumberValue
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "device"; readonly value: string }
  | TensorValue
  | ListValue
  | DictValue
  /** Attributes of a module or another scripted class. */
  | ObjectValue
  /** A dotted name that is not an object: `torch.add`, `__torch__.pkg.Class`, `ops.prim.NumToTensor`. */
  | { readonly kind: "path"; readonly path: string }
  | { readonly kind: "method"; readonly object: ObjectValue; readonly name: string }
  /**
   * The result of an unsupported op: everything made from it is unknown too, and reported nowhere again. `isUnset`: what a way through the
   * program leaves open since nobody reads it there.
   */
  | { readonly kind: "unknown"; readonly isUnset?: true };

/** A Python number, possibly an expression over sizes that the caller chooses. bool counts as 0 or 1. */
export interface NumberValue {
  readonly kind: "int" | "float" | "bool";
  readonly value: Dim;
  /** The value itself where a double does not hold it. */
  readonly exact?: bigint;
}

export interface TensorValue {
  readonly kind: "tensor";
  /** Its name in the graph; undefined while nothing needs the 0-d tensor of a known number as a tensor. */
  readonly name: string | undefined;
  readonly type: TensorType;
  /** The number that a 0-d tensor holds, where it is known: tracing makes such tensors of sizes and of Python numbers. */
  readonly number?: NumberValue;
  /**
   * Counts as a Python number in type promotion. PyTorch marks every 0-d constant of a program so, as tracing makes them of Python
   * numbers; measured with 2.13 for float64, float32, float16, int64 and int32.
   */
  readonly isWrapped?: boolean;
}

/** A list or tuple. Lists are shared and may be appended to. */
export interface ListValue {
  readonly kind: "list" | "tuple";
  readonly items: Value[];
  /** Field names of a named tuple. */
  readonly fields?: readonly string[];
  /** It belongs to the archive: a change would outlive the call. */
  readonly isStored?: boolean;
  /** One of several lists, by what the run decides: they would not see a change. */
  readonly isChosen?: boolean;
  /** Of a list whose length only the run knows (see grown-list.ts): what holds its items; asking for them refuses the op. */
  rows?: Rows | undefined;
}

/** The items of a list, one under the other. */
export interface Rows {
  readonly tensor: TensorValue;
  /** Of a list of numbers. */
  readonly number: NumberValue["kind"] | undefined;
}

export interface DictValue {
  readonly kind: "dict";
  readonly entries: Map<string | number, Value>;
  readonly isStored?: boolean;
}

export interface ObjectValue {
  readonly kind: "object";
  /** The class, such as `__torch__.torch.nn.modules.linear.Linear`. */
  readonly path: string;
  /** Where it hangs: "encoder.layer.0". */
  readonly name: string;
  readonly pickled: PickleCall | undefined;
  /** Attributes set while the program runs. */
  readonly attributes: Map<string, Value>;
  /** Names of attributes that were read as the archive has them. */
  readonly read: Set<string>;
}

export const NONE_VALUE: Value = { kind: "none" };
export const UNKNOWN: Value = { kind: "unknown" };
export const UNSET: Value = { kind: "unknown", isUnset: true };

export const int = (value: Dim): NumberValue => ({ kind: "int", value });
export const bool = (value: boolean): NumberValue => ({ kind: "bool", value: Number(value) });

/** A number known now; undefined when it depends on the inputs' sizes, or is not a number. */
export function knownNumber(value: Value): number | undefined {
  const number = value.kind === "tensor" ? value.number : value;
  if (number === undefined || !isNumber(number)) return undefined;
  return typeof number.value === "number" ? number.value : undefined;
}

export function isNumber(value: Value): value is NumberValue {
  return value.kind === "int" || value.kind === "float" || value.kind === "bool";
}

export function isUnset(value: Value): boolean {
  return value.kind === "unknown" && value.isUnset === true;
}

/** Whether a value is a list whose length only the run knows. */
export function isGrown(value: Value | undefined): value is ListValue & { readonly rows: Rows } {
  return value?.kind === "list" && value.rows !== undefined;
}
