import type { StoredTensor } from "../archive/stored-tensor.ts";
import type { CodePlace } from "../code-place.ts";
import type { DType } from "../dtype.ts";
import type { Guard } from "./guard.ts";
import type { Dim } from "./sym.ts";

/** A program: one graph, the tensors it closes over, and what the outside sees of it. Every reader of program files gives one. */
export interface Program {
  /** Such as "PT2 archive, schema 8.20, torch 2.13.0". */
  readonly detail: string;
  readonly graph: Graph;
  /** By graph input name: parameters, buffers and constants. */
  readonly weights: ReadonlyMap<string, Weight>;
  /** Graph inputs that the caller feeds, in order, under their public names. */
  readonly inputs: readonly NamedValue[];
  /** What the caller gets, in order, under their public names. */
  readonly outputs: readonly NamedArg[];
  /** By the key of a size: a symbol's name, or that of an expression. Symbols that are missing are unbounded. */
  readonly ranges: ReadonlyMap<string, SymbolRange>;
  /** Beyond the ranges; undefined for kinds of files that have none. */
  readonly guards?: readonly Guard[];
  /** The sizes of inputs that it was exported with, by the key of the dimension, as far as the file says them. */
  readonly exportedSizes?: ReadonlyMap<string, number>;
  /** What it keeps from call to call: the output that an input of the next call should hold, by their names in the file. */
  readonly state?: readonly StatePair[];
  /** Things a user should know that the reader noticed. */
  readonly warnings: readonly string[];
  /** Ops that the reader itself could not describe; the program cannot be translated then. */
  readonly unsupported?: readonly UnsupportedOps[];
}

export interface StatePair {
  readonly input: string;
  readonly output: string;
}

export interface UnsupportedOps {
  readonly op: string;
  readonly count: number;
  readonly reason: string;
}

export interface NamedValue {
  readonly name: string;
  /** Other names that callers may use; none is the name, or another name, of a second input. */
  readonly aliases?: readonly string[];
  readonly value: string;
}

export interface NamedArg {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly arg: Arg;
}

export interface SymbolRange {
  readonly min: number;
  readonly max: number | undefined;
}

/** Nodes in execution order over values in static single assignment form; in-place ops may occur until they are functionalised. */
export interface Graph {
  readonly inputs: readonly string[];
  readonly outputs: readonly Arg[];
  readonly nodes: readonly Node[];
  readonly values: ReadonlyMap<string, ValueType>;
  /** Of a graph in a node: the inputs that it writes into, for all who hold them, and which of the node's results each then is. */
  readonly written?: ReadonlyMap<string, number>;
}

export interface Node {
  /** "aten.add.Tensor", "_operator.mul", "higher_order.cond". */
  readonly target: string;
  /** By schema name, with defaults filled in; by position ("0", "1", …) where the op has no schema. */
  readonly args: ReadonlyMap<string, Arg>;
  /** Names of the results, lists flattened; undefined where nothing uses a result. */
  readonly outputs: readonly (string | undefined)[];
  /** The op as the file has it, when a pass replaced it: what reports name. */
  readonly origin?: string;
  /** Where it comes from, where the reader was asked to keep that and the file says it. */
  readonly place?: CodePlace;
}

export type Arg =
  | { readonly kind: "none" }
  | { readonly kind: "value"; readonly name: string }
  | { readonly kind: "int"; readonly value: number | bigint }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "bool"; readonly value: boolean }
  | { readonly kind: "complex"; readonly real: number; readonly imaginary: number }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "dtype"; readonly value: DType }
  /** Memory formats, layouts and devices: nothing that changes numbers. */
  | { readonly kind: "hint"; readonly value: string }
  | { readonly kind: "list"; readonly items: readonly Arg[] }
  | { readonly kind: "graph"; readonly graph: Graph }
  /** Something that only Python can hold: a custom object, an operator. */
  | { readonly kind: "opaque"; readonly what: string };

export type ValueType = TensorType | ScalarValueType;

export interface TensorType {
  readonly kind: "tensor";
  readonly dtype: DType;
  readonly dims: readonly Dim[];
  /** In elements; undefined when the file does not say. */
  readonly strides: readonly Dim[] | undefined;
  /** Where it starts in its storage, in elements; undefined when the file does not say. */
  readonly offset?: Dim;
}

/** A Python number that the program calculates: its value as an expression over size symbols. */
export interface ScalarValueType {
  readonly kind: "int" | "float" | "bool";
  readonly expr: Dim;
}

/** A tensor stored with the program, under the name a user knows, such as "encoder.layer.0.weight". */
export interface Weight {
  readonly name: string;
  readonly tensor: StoredTensor;
  /** Name of the file beside the program's that holds the tensor; null: a file that cannot be mapped. Undefined: the program's own. */
  readonly file?: string | null;
  /** The tensor belongs to the program and is in no state dict: a constant, or a buffer that is not persistent. */
  readonly isConstant?: boolean;
}

export const NONE: Arg = { kind: "none" };
