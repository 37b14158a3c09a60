import { type DType, isComplex } from "../../dtype.ts";
import type { Arg, Graph, Node, TensorType, Weight } from "../../graph/ir.ts";
import type { Dim } from "../../graph/sym.ts";
import { type Choices, componentOf } from "./component-node.ts";
import type { Emitter } from "./emitter.ts";
import { type ComplexTensor, carrier, type Operand, type Scalar, type Tensor } from "./tensor.ts";
import { unsupported } from "./unsupported.ts";
import type { ValueLookup } from "./value-lookup.ts";

/** One result as the program declares it. */
export interface Declared {
  readonly dims: readonly Dim[];
  /** The dtype to calculate it in (half precision as float32); of a complex result, that of its parts. */
  readonly dtype: DType;
  readonly declared: DType;
}

/**
 * A node as its lowering sees it: arguments by schema name, typed on access. A method refuses the op when the argument has a form it
 * does not return (a size that is only known at run time, where a constant is needed).
 */
export class OpNode {
  readonly target: string;
  /** Whether a pass put it in the place of the program's own op. */
  readonly isPut: boolean;
  readonly #node: Node;
  readonly #values: ValueLookup;

  constructor(node: Node, values: ValueLookup) {
    this.target = node.target;
    this.isPut = node.origin !== undefined;
    this.#node = node;
    this.#values = values;
  }

  /** False when the argument is absent or None. */
  has(name: string): boolean {
    return (this.#node.args.get(name)?.kind ?? "none") !== "none";
  }

  arg(name: string): Arg {
    return this.#node.args.get(name) ?? unsupported(`its argument '${name}' is missing`);
  }

  tensor(name: string): Tensor {
    return this.#asTensor(this.arg(name), name);
  }

  optionalTensor(name: string): Tensor | undefined {
    return this.has(name) ? this.tensor(name) : undefined;
  }

  /** Whether an argument is one of the file's own tensors. */
  isWeight(name: string): boolean {
    return this.weight(name) !== undefined;
  }

  /** The tensor of the file that an argument is; undefined for a calculated one. */
  weight(name: string): Weight | undefined {
    const arg = this.arg(name);
    return arg.kind === "value" ? this.#values.weight(arg.name) : undefined;
  }

  /** The module that an argument belongs to when it is a weight: "encoder.wte" for "encoder.wte.weight". */
  moduleOf(name: string): string | undefined {
    return this.weight(name)?.name.replace(/\.[^.]*$/, "");
  }

  /** Whether an argument is a complex tensor or number. */
  isComplex(name: string): boolean {
    return this.has(name) && isComplexArg(this.arg(name), this.#values);
  }

  complex(name: string): ComplexTensor {
    const arg = this.arg(name);
    return arg.kind === "value"
      ? this.#values.complex(arg.name)
      : unsupported(`its argument '${name}' is not a tensor`);
  }

  /**
   * The op as it applies to parts of its complex arguments: each of those named in `choices` is replaced by its real or imaginary part
   * (0 for the imaginary part of what is real), and its results are real.
   */
  component(choices: Choices, g: Emitter): OpNode {
    const { node, values } = componentOf({ node: this.#node, values: this.#values, g }, choices);
    return new OpNode(node, values);
  }

  /** How a tensor lies in PyTorch's memory, in elements; undefined where the file does not say. */
  layout(name: string): { strides: readonly Dim[] | undefined; offset: Dim | undefined } {
    const arg = this.arg(name);
    const type = arg.kind === "value" ? this.#values.typeOf(arg.name) : undefined;
    if (type?.kind !== "tensor") return unsupported(`its argument '${name}' is not a tensor`);
    return { strides: type.strides, offset: type.offset };
  }

  tensors(name: string): Tensor[] {
    return this.items(name).map((item) => this.#asTensor(item, name));
  }

  optionalTensors(name: string): (Tensor | undefined)[] {
    return this.items(name).map((item) => (item.kind === "none" ? undefined : this.#asTensor(item, name)));
  }

  /** A tensor, or a Python number standing in for one. */
  operand(name: string): Operand {
    const arg = this.arg(name);
    return this.#isTensor(arg) ? this.#asTensor(arg, name) : this.#asScalar(arg, name);
  }

  /** A Python number, constant or not. */
  scalar(name: string): Scalar {
    return this.#asScalar(this.arg(name), name);
  }

  /** An integer known at translation. */
  int(name: string): number {
    return constant(this.size(name), name);
  }

  optionalInt(name: string): number | undefined {
    return this.has(name) ? this.int(name) : undefined;
  }

  /** Integers known at translation; a lone integer counts as a list of one. */
  ints(name: string): number[] {
    return this.sizes(name).map((size) => constant(size, name));
  }

  /** An integer that may depend on the inputs' sizes. */
  size(name: string): Dim {
    return this.#asSize(this.arg(name), name);
  }

  sizes(name: string): Dim[] {
    const arg = this.arg(name);
    return (arg.kind === "list" ? arg.items : [arg]).map((item) => this.#asSize(item, name));
  }

  /** A float or integer known at translation, as a float. */
  float(name: string): number {
    return constant(this.scalar(name).value, name);
  }

  optionalFloat(name: string): number | undefined {
    return this.has(name) ? this.float(name) : undefined;
  }

  bool(name: string): boolean {
    const { value } = this.scalar(name);
    return constant(value, name) !== 0;
  }

  string(name: string): string {
    const arg = this.arg(name);
    return arg.kind === "string" ? arg.value : unsupported(`its argument '${name}' is not a string`);
  }

  optionalDtype(name: string): DType | undefined {
    const arg = this.#node.args.get(name);
    return arg?.kind === "dtype" ? arg.value : undefined;
  }

  graph(name: string): Graph {
    const arg = this.arg(name);
    return arg.kind === "graph" ? arg.graph : unsupported(`its argument '${name}' is not a graph`);
  }

  /** The items of a list argument. */
  items(name: string): readonly Arg[] {
    const arg = this.arg(name);
    return arg.kind === "list" ? arg.items : unsupported(`its argument '${name}' is not a list`);
  }

  get outputCount(): number {
    return this.#node.outputs.length;
  }

  /** Whether something uses result `index`. */
  isUsed(index: number): boolean {
    const name = this.#node.outputs[index];
    return name !== undefined && this.#values.isUsed(name);
  }

  /** Whether the only op that takes the first result is of a kind, ops of `passing` between them left out. */
  feeds(isKind: (target: string) => boolean, passing: ReadonlySet<string>): boolean {
    let reader = this.#readerOf(this.#node);
    while (reader !== undefined && passing.has(reader.target)) reader = this.#readerOf(reader);
    return reader !== undefined && isKind(reader.target);
  }

  #readerOf(node: Node): Node | undefined {
    const name = node.outputs[0];
    return name === undefined ? undefined : this.#values.onlyReader(name);
  }

  /** Result `index` as declared; the first one by default. Refuses when the program does not describe it. */
  out(index = 0): Declared {
    const name = this.#node.outputs[index];
    const type = name === undefined ? undefined : this.#values.typeOf(name);
    if (type?.kind !== "tensor") return unsupported(`its result ${index} is not described`);
    return declare(type);
  }

  #isTensor(arg: Arg): boolean {
    return arg.kind === "value" && this.#values.typeOf(arg.name)?.kind === "tensor";
  }

  #asTensor(arg: Arg, name: string): Tensor {
    if (arg.kind !== "value" || !this.#isTensor(arg))
      return unsupported(`its argument '${name}' is not a tensor`);
    return this.#values.tensor(arg.name);
  }

  #asScalar(arg: Arg, name: string): Scalar {
    if (arg.kind === "bool") return { kind: "bool", value: Number(arg.value) };
    if (arg.kind === "int") {
      const value = clampInt64(arg.value);
      return typeof arg.value === "bigint"
        ? { kind: "int", value, exact: arg.value }
        : { kind: "int", value };
    }
    if (arg.kind === "float") return { kind: "float", value: arg.value };
    if (arg.kind === "complex") return unsupported(`its argument '${name}' is a complex number`);
    const type = arg.kind === "value" ? this.#values.typeOf(arg.name) : undefined;
    if (type === undefined || type.kind === "tensor")
      return unsupported(`its argument '${name}' is not a number`);
    return { kind: type.kind, value: type.expr };
  }

  #asSize(arg: Arg, name: string): Dim {
    const { kind, value } = this.#asScalar(arg, name);
    if (kind === "float") return unsupported(`its argument '${name}' is not an integer`);
    return value;
  }
}

/** Whether an argument is a complex tensor or number, or a list with one. */
export function isComplexArg(arg: Arg, values: Pick<ValueLookup, "typeOf">): boolean {
  if (arg.kind === "list") return arg.items.some((item) => isComplexArg(item, values));
  if (arg.kind !== "value") return arg.kind === "complex";
  const type = values.typeOf(arg.name);
  return type?.kind === "tensor" && isComplex(type.dtype);
}

export function declare(type: TensorType): Declared {
  return { dims: type.dims, dtype: carrier(type.dtype), declared: type.dtype };
}

function constant(value: Dim, name: string): number {
  return typeof value === "number"
    ? value
    : unsupported(`its argument '${name}' depends on the size of the input`);
}

/** Integers past 2^53 only occur as "to the end" and "the lowest": nothing is that large, so the nearest safe integer means the same. */
function clampInt64(value: number | bigint): number {
  if (typeof value === "number") return value;
  return value > 0n ? Number.MAX_SAFE_INTEGER : Number.MIN_SAFE_INTEGER;
}
