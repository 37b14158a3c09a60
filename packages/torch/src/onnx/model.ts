import type { DType } from "../dtype.ts";

/** An ONNX model as plain data: what lowering builds, rewrites change, and the encoder writes. */
export interface OnnxModel {
  readonly graph: OnnxGraph;
  /** Version per operator set domain; "" is the default one. */
  readonly opsets: ReadonlyMap<string, number>;
  /** Model-local functions as they were read (FunctionProto). */
  readonly functions?: readonly Uint8Array[];
  /** Free text that the exporter left, as it was read (StringStringEntryProto). */
  readonly metadata?: readonly Uint8Array[];
}

/** A graph of a model, or one that an operator such as If holds. */
export interface OnnxGraph {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly Initializer[];
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
}

/** One use of an operator in a graph. */
export interface OnnxNode {
  readonly type: string;
  readonly domain: string;
  /** Empty names stand for absent optional operands. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Attributes;
  /** What ONNX Runtime calls the node in errors; unique in the model. */
  readonly name?: string;
}

export type Attributes = Readonly<Record<string, Attribute>>;

/** A bare number is an INT, a bare array INTS: floats are marked with `float` and `floats`. */
export type Attribute =
  | number
  | string
  | readonly number[]
  | { readonly float: number }
  | { readonly floats: readonly number[] }
  | { readonly strings: readonly string[] }
  | { readonly graph: OnnxGraph }
  /** A whole AttributeProto as it was read, of a kind that nothing here needs to understand. */
  | { readonly raw: Uint8Array };

export interface ValueInfo {
  readonly name: string;
  /** Undefined: not told, or no tensor of a type that PyTorch has. */
  readonly dtype: DType | undefined;
  /** A string is a symbolic size; undefined is an unknown one. */
  readonly dims: readonly (number | string | undefined)[] | undefined;
  /** The whole ValueInfoProto as it was read; what is written when it is there. */
  readonly raw?: Uint8Array;
}

export interface Initializer {
  readonly name: string;
  readonly dtype: DType;
  readonly dims: readonly number[];
  /** Little-endian bytes, or where they lie in a file beside the model. */
  readonly data: Uint8Array | ExternalData;
}

/** Where the bytes of a weight lie: in which file beside the model, from where on, and how many. */
export interface ExternalData {
  readonly location: string;
  readonly offset: number;
  readonly byteLength: number;
}

/** Reads the bytes an initializer points to, from the model's file or one beside it. */
export type ReadExternal = (data: ExternalData) => Uint8Array;

/** A FLOAT attribute. */
export function float(value: number): { readonly float: number } {
  return { float: value };
}
