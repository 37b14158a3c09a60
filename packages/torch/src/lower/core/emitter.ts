import type { DType } from "../../dtype.ts";
import { invariant } from "../../errors.ts";
import type { SymbolRange } from "../../graph/ir.ts";
import { type Dim, isStatic } from "../../graph/sym.ts";
import { onnxDataType } from "../../onnx/dtype.ts";
import { KERNELS } from "../../onnx/gen/kernels.ts";
import type { GraphBuilder } from "../../onnx/graph-builder.ts";
import type { Attributes } from "../../onnx/model.ts";
import type { Coded } from "./coded.ts";
import { constantBytes } from "./constants.ts";
import { IndexInputs } from "./index-inputs.ts";
import { type ChosenTypes, chooseTypes, outputType } from "./kernel-choice.ts";
import { Sizes } from "./sizes.ts";
import { isTensor, type Operand, type Tensor, type Val } from "./tensor.ts";

/** What emitters know about the whole program. */
export interface ProgramFacts {
  readonly ranges: ReadonlyMap<string, SymbolRange>;
  readonly indexInputs: IndexInputs;
}

/** Operators that check what they get, indices above all: the name tells in whose words they fail. */
const CHECKING: ReadonlySet<string> = new Set([
  "ArgMax",
  "ArgMin",
  "Col2Im",
  "Gather",
  "GatherElements",
  "GatherND",
  "ScatterElements",
  "ScatterND",
]);

/**
 * What lowerings emit ONNX with. Types are taken care of here: an op whose kernel lacks a dtype is calculated in a wider one and cast
 * back, and the dtype of every result is known.
 */
export class Emitter {
  readonly builder: GraphBuilder;
  readonly sizes: Sizes;
  /** Ops that give numbers where PyTorch gives NaN: inputs with NaN are refused for them. */
  readonly passingOverNan: Set<string>;
  /** Prefix of the names of emitted values: the value of the program that is being translated. */
  scope = "";
  /** The op that is being translated. */
  target = "";
  /** What the symbols may be, by name; those that are missing are unbounded. */
  readonly ranges: ReadonlyMap<string, SymbolRange>;
  /** What indices the inputs are. */
  readonly indexInputs: IndexInputs;
  /** Integers with their sign bits cleared, by the value that they were (see index-check.ts). */
  readonly cleared: Map<string, Val>;
  /** 0-d int64 zeros of the main graph, in runs that fail where an op's sizes are wrong; its outputs have to depend on them. */
  readonly guards: Val[] = [];
  /** The guards among them that demand something, by the key of the size that must not be 0. */
  readonly required: Map<string, Val> = new Map();
  /** Floats that were made of codes (see find-codes.ts). */
  readonly coded: Map<string, Coded>;
  /** Codes of int8 as uint8, 128 more: what they were made as. */
  readonly unsigned: Map<string, Val>;
  readonly #castFrom: Map<string, Val>;
  readonly #warnings: Set<string>;
  #label: string | undefined;

  constructor(builder: GraphBuilder, parent?: Emitter | ProgramFacts) {
    const around = parent instanceof Emitter ? parent : undefined;
    this.builder = builder;
    this.sizes = new Sizes(this, around?.sizes);
    this.ranges = parent?.ranges ?? new Map();
    this.indexInputs = parent?.indexInputs ?? new IndexInputs(new Set(), false);
    this.cleared = new Map(around?.cleared);
    this.coded = new Map(around?.coded);
    this.unsigned = new Map(around?.unsigned);
    this.#castFrom = new Map(around === undefined ? undefined : around.#castFrom);
    this.#warnings = around === undefined ? new Set() : around.#warnings;
    this.passingOverNan = around?.passingOverNan ?? new Set();
  }

  /**
   * For a subgraph of this graph: emits into a graph of its own, or into this one ("same graph") with what it learns about sizes kept
   * apart. It sees all values and sizes of this one.
   */
  child(where?: "same graph"): Emitter {
    const emitter = new Emitter(where === undefined ? this.builder.child() : this.builder, this);
    emitter.scope = this.scope;
    emitter.target = this.target;
    return emitter;
  }

  get warnings(): string[] {
    return [...this.#warnings];
  }

  warn(text: string): void {
    this.#warnings.add(text);
  }

  /**
   * Emits one op of the default domain ("Add") or another one ("com.microsoft.FusedMatMul") and returns its first result. `dtype`
   * names the result's type where the operands do not tell (other domains: default is the first operand's).
   */
  op(type: string, inputs: readonly (Val | undefined)[], attributes: Attributes = {}, dtype?: DType): Val {
    return this.ops(type, inputs, { attributes, ...(dtype === undefined ? {} : { dtypes: [dtype] }) })[0]!;
  }

  /** Emits one op with several results. */
  ops(
    type: string,
    inputs: readonly (Val | undefined)[],
    options: { count?: number; attributes?: Attributes; dtypes?: readonly DType[] } = {},
  ): Val[] {
    const { count = 1, attributes = {}, dtypes } = options;
    const dot = type.lastIndexOf(".");
    const name = type.slice(dot + 1);
    const kernel = dot < 0 ? KERNELS[name] : undefined;
    invariant(dot >= 0 || kernel !== undefined, `ONNX has no op ${type}`);
    const chosen = kernel === undefined ? undefined : chooseTypes(name, kernel, inputs);
    if (chosen !== undefined) this.#noteLoss(name, chosen);
    const operands = inputs.map((input, i) =>
      input === undefined ? undefined : this.cast(input, chosen?.inputs[i] ?? input.dtype),
    );
    const outputs = Array.from({ length: count }, () => this.builder.unique(`${this.scope}/${name}`));
    this.builder.node({
      type: name,
      domain: dot < 0 ? "" : type.slice(0, dot),
      inputs: trimmed(operands.map((operand) => operand?.name ?? "")),
      outputs,
      attributes,
      ...(this.#label !== undefined && CHECKING.has(name) && { name: this.builder.uniqueNode(this.#label) }),
    });
    return outputs.map((output, i) => {
      const result = outputType(kernel, {
        index: kernel === undefined ? i : Math.min(i, kernel.outputs.length - 1),
        chosen,
      });
      const computed = dtypes?.[i] ?? result?.computed ?? inputs[0]!.dtype;
      return this.cast({ name: output, dtype: computed }, dtypes?.[i] ?? result?.wanted ?? computed);
    });
  }

  /** Gives the nodes that look something up, among those that `emit` makes, a name for errors. */
  labelled<T>(label: string, emit: () => T): T {
    const outer = this.#label;
    this.#label = label;
    try {
      return emit();
    } finally {
      this.#label = outer;
    }
  }

  /** Emits one op whose attributes hold graphs; `dtypes` are those of its results. `name`: of the node, made unique. */
  subgraphOp(
    type: "If" | "Loop" | "Scan",
    inputs: readonly (Val | undefined)[],
    {
      attributes,
      dtypes,
      name,
    }: {
      readonly attributes: Attributes;
      readonly dtypes: readonly DType[];
      readonly name?: string | undefined;
    },
  ): Val[] {
    const results = dtypes.map((dtype) => ({ name: this.builder.unique(`${this.scope}/${type}`), dtype }));
    this.builder.node({
      type,
      domain: "",
      inputs: inputs.map((input) => input?.name ?? ""),
      outputs: results.map((result) => result.name),
      attributes,
      ...(name !== undefined && { name: this.builder.uniqueNode(name) }),
    });
    return results;
  }

  /**
   * The same values in another dtype; nothing is emitted when it is the same one. To bool: what is not zero is true. A transposition is
   * made after the cast: ONNX Runtime crashes while it opens some graphs that cast what they transposed before they multiply it.
   */
  cast(val: Val, dtype: DType): Val {
    if (val.dtype === dtype) return val;
    const producer = this.builder.producer(val.name);
    const isTransposed = producer?.type === "Transpose" && producer.domain === "";
    const before = this.#castNode(isTransposed ? producer.inputs[0]! : val.name, dtype);
    const cast = isTransposed ? this.op("Transpose", [before], producer.attributes) : before;
    this.#castFrom.set(cast.name, val);
    return cast;
  }

  #castNode(from: string, dtype: DType): Val {
    const name = this.builder.unique(`${this.scope}/Cast`);
    this.builder.node({
      type: "Cast",
      domain: "",
      inputs: [from],
      outputs: [name],
      attributes: { to: onnxDataType(dtype) },
    });
    return { name, dtype };
  }

  /** The tensor, once a guard (a 0-d int64 0) is known: its sizes wait for it. */
  held(val: Val, guard: Val): Val {
    return this.op("Reshape", [val, this.op("Add", [this.op("Shape", [val]), guard])], { allowzero: 1 });
  }

  /** The value as it was before a cast to its dtype; itself where there was none. */
  uncast(val: Val): Val {
    return this.#castFrom.get(val.name) ?? val;
  }

  /** A constant tensor. */
  constant(dtype: DType, values: readonly (number | bigint)[], dims: readonly number[]): Val {
    return { name: this.builder.constant(dtype, dims, constantBytes(dtype, values)), dtype };
  }

  /** A constant matrix, calculated when it is first asked for under `key`. */
  matrix(
    key: string,
    [rows, columns]: readonly [number, number],
    { dtype, at }: { readonly dtype: DType; at(row: number, column: number): number },
  ): Val {
    const name = this.builder.constantOf(`${key} ${dtype} ${rows}x${columns}`, () => {
      const values = Array.from({ length: rows * columns }, (_, i) =>
        at(Math.floor(i / columns), i % columns),
      );
      return { dtype, dims: [rows, columns], data: constantBytes(dtype, values) };
    });
    return { name, dtype };
  }

  /** A 0-d constant. */
  scalar(dtype: DType, value: number | bigint): Val {
    return this.constant(dtype, [value], []);
  }

  /** A 1-d int64 constant: axes, sizes, pads. */
  ints(values: readonly number[]): Val {
    return this.constant("int64", values, [values.length]);
  }

  /** Sizes as a 1-d int64 value; a constant when all are known. */
  shape(dims: readonly Dim[]): Val {
    if (isStatic(dims)) return this.ints(dims);
    const parts = dims.map((dim) => this.sizes.emit(dim));
    return parts.length === 1 ? parts[0]! : this.op("Concat", parts, { axis: 0 });
  }

  /** A number of the program as a 0-d value of `dtype`. */
  number(value: Dim, dtype: DType): Val {
    if (typeof value === "number") return this.scalar(dtype, value);
    return this.cast(this.op("Squeeze", [this.sizes.emit(value), this.ints([0])]), dtype);
  }

  /** A tensor or number as a value of `dtype`. */
  as(operand: Operand, dtype: DType): Val {
    if (isTensor(operand)) return this.cast(operand, dtype);
    return operand.exact === undefined
      ? this.number(operand.value, dtype)
      : this.scalar(dtype, operand.exact);
  }

  /** Reshapes to `dims`, which must have as many elements. */
  reshape(val: Val, dims: readonly Dim[]): Val {
    const unknown = dims.filter((dim) => typeof dim !== "number").length;
    const hasZero = dims.includes(0);
    if (unknown === 1 && !hasZero) {
      return this.op("Reshape", [val, this.ints(dims.map((dim) => (typeof dim === "number" ? dim : -1)))]);
    }
    return this.op("Reshape", [val, this.shape(dims)], hasZero || unknown > 1 ? { allowzero: 1 } : {});
  }

  transpose(val: Val, perm: readonly number[]): Val {
    return perm.every((axis, i) => axis === i) ? val : this.op("Transpose", [val], { perm });
  }

  expand(val: Val, dims: readonly Dim[]): Val {
    return this.op("Expand", [val, this.shape(dims)]);
  }

  squeeze(val: Val, axes: readonly number[]): Val {
    return axes.length === 0 ? val : this.op("Squeeze", [val, this.ints(axes)]);
  }

  unsqueeze(val: Val, axes: readonly number[]): Val {
    return axes.length === 0 ? val : this.op("Unsqueeze", [val, this.ints(axes)]);
  }

  /** Where with a dtype-independent condition; `condition` is cast to bool. */
  where(condition: Val, yes: Val, no: Val): Val {
    return this.op("Where", [this.cast(condition, "bool"), yes, no]);
  }

  /** A value with the size that the caller knows it to have. */
  typed(val: Val, dims: readonly Dim[]): Tensor {
    return { ...val, dims, declared: val.dtype };
  }

  #noteLoss(op: string, chosen: ChosenTypes): void {
    if (
      [...chosen.variables.values()].some(
        ({ wanted, computed }) => wanted === "float64" && computed === "float32",
      )
    ) {
      this.warn(
        `${op} runs in float32 although the program asks for float64: ONNX Runtime has no such kernel`,
      );
    }
  }
}

function trimmed(names: string[]): string[] {
  let end = names.length;
  while (end > 0 && names[end - 1] === "") end -= 1;
  return names.slice(0, end);
}
