import type { Dim } from "../../graph/sym.ts";
import { indexLabel } from "../../onnx/input-fault.ts";
import type { OnnxNode } from "../../onnx/model.ts";
import { positions } from "./arange.ts";
import type { Emitter } from "./emitter.ts";
import type { OpNode } from "./op-node.ts";
import type { Val } from "./tensor.ts";

/** An index operand, and what it may be. */
export interface IndexUse {
  readonly index: Val;
  /** How many positions there are; undefined where that is not one number. */
  readonly size: Dim | undefined;
  /** How many positions each indexed dimension has, where one index stands for several, and as far as that is known. */
  readonly sizes?: ReadonlyMap<number, number>;
  /** Whether -1 is the last position, as in `x[i]`; otherwise PyTorch refuses it. */
  readonly wraps?: boolean;
  /** The operand whose positions these are, when its name helps: an embedding's weight. */
  readonly table?: string;
  /** What the index is made of, where that is the input to name. */
  readonly source?: Val;
  /** The kernel that takes the index does not say which one it refuses: it is looked up in all positions before. */
  readonly isUntold?: boolean;
}

/**
 * An index as int64 with PyTorch's range, handed to the ONNX nodes of `emit` that look things up. ONNX Runtime checks both ends itself but
 * counts negative ones from the end: where PyTorch refuses those, the sign bit is cleared, which puts them far past the end. The nodes
 * are named after the op, so that the failure can be told in its words.
 */
export function withIndex(node: OpNode, g: Emitter, { use, emit }: IndexEmission): Val {
  const { index, size, wraps = false, table, source = index, isUntold = false, sizes = new Map() } = use;
  const wide = g.cast(index, "int64");
  const isChecked = g.indexInputs.note(g.builder, wide, { size, wraps });
  const safe = wraps || isChecked ? wide : nonNegative(g, wide);
  const place = table === undefined ? undefined : node.moduleOf(table);
  const input = g.indexInputs.originOf(g.builder, source.name);
  const label = indexLabel({ op: node.target, place, input, wraps, sizes });
  if (!isUntold || isChecked || size === undefined) return g.labelled(label, () => emit(safe));
  const places = typeof size === "number" && size > MAX_STORED_PLACES ? counted(g, size) : positions(g, size);
  return g.labelled(label, () => emit(g.op("Gather", [places, safe], { axis: 0 })));
}

function counted(g: Emitter, size: number): Val {
  return g.op("Range", [g.scalar("int64", 0), g.scalar("int64", size), g.scalar("int64", 1)]);
}

/** More positions are counted when the program runs. */
const MAX_STORED_PLACES = 1024;

export interface IndexEmission {
  readonly use: IndexUse;
  emit(index: Val): Val;
}

const CLEAR_SIGN = 0x7fff_ffff_ffff_ffffn;

/** Without its sign bit the least int64 would be 0: such numbers count as -2^62. */
const LEAST = -(1n << 62n);

/** Ops that move elements: clearing the sign before them is the same, and once is enough for all that is cut out of one input. */
const MOVING: ReadonlySet<string> = new Set([
  "Flatten",
  "Gather",
  "Identity",
  "Reshape",
  "Slice",
  "Split",
  "Squeeze",
  "Transpose",
  "Unsqueeze",
]);

/** Ops whose integers are never negative. */
const POSITIONS: ReadonlySet<string> = new Set(["ArgMax", "ArgMin", "BitwiseAnd", "NonZero", "Shape"]);

/** The value with its sign bits cleared, as near to its source as possible. */
function nonNegative(g: Emitter, val: Val): Val {
  const { builder } = g;
  const producer = builder.producer(val.name);
  if (producer !== undefined && POSITIONS.has(producer.type)) return val;
  const known = g.cleared.get(val.name);
  if (known !== undefined) return known;
  const cleared =
    producer !== undefined && MOVING.has(producer.type)
      ? moved(g, producer, val)
      : g.op("BitwiseAnd", [g.op("Max", [val, g.scalar("int64", LEAST)]), g.scalar("int64", CLEAR_SIGN)]);
  g.cleared.set(val.name, cleared);
  return cleared;
}

/** The same op on the cleared source. */
function moved(g: Emitter, producer: OnnxNode, val: Val): Val {
  const source = nonNegative(g, { name: producer.inputs[0]!, dtype: val.dtype });
  if (source.name === producer.inputs[0]) return val;
  const outputs = producer.outputs.map((output) => g.builder.unique(output));
  const { name: _, ...rest } = producer;
  g.builder.node({ ...rest, inputs: [source.name, ...producer.inputs.slice(1)], outputs });
  return { name: outputs[producer.outputs.indexOf(val.name)]!, dtype: val.dtype };
}
