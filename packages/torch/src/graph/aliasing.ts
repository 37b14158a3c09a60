import { schemaOf } from "../aten/schemas.ts";
import type { Arg, Node, TensorType, ValueType } from "./ir.ts";
import { isSparse, isUnviewable } from "./size-conditions.ts";
import { type Dim, evaluate, symbolsOf } from "./sym.ts";

/**
 * How a node's results relate to its operand's memory. `view`: all of them share it. `same`: the result is the operand itself, or all of it.
 * `fresh`: none shares it. `unknown`: one may, and what the file says does not tell.
 */
export type Aliasing = "view" | "same" | "fresh" | "unknown";

/** Ops whose schema has no alias mark although they may answer with (a view of) an operand. */
const UNMARKED = new Set([
  "aten.atleast_1d",
  "aten.atleast_2d",
  "aten.atleast_3d",
  "aten.broadcast_tensors",
  "aten.channel_shuffle",
  "aten.diag",
  "aten.einsum",
  "aten.meshgrid",
  "aten.sum_to_size",
  "aten.unsafe_chunk",
  "aten.unsafe_split",
  "aten.unsafe_split_with_sizes",
  "aten._unsafe_view",
]);

const DROPOUTS = new Set([
  "aten.dropout",
  "aten.feature_dropout",
  "aten.alpha_dropout",
  "aten.feature_alpha_dropout",
]);

/** Ops that answer with their operand when it already is what they ask for. */
const CONVERSIONS = new Set([
  "aten.to",
  "aten.type_as",
  "aten.contiguous",
  "aten.float",
  "aten.cuda",
  "aten.cpu",
]);

const RESHAPES = new Set(["aten.reshape", "aten.reshape_as", "aten.flatten", "aten.ravel"]);

const IDENTITIES = new Set([
  "aten.alias",
  "aten.detach",
  "aten.positive",
  "aten.resolve_conj",
  "aten.resolve_neg",
]);

/** Whether a node writes into an operand. An op without a known schema counts by its name: PyTorch ends in-place ops with "_". */
export function mutates(node: Node): boolean {
  const schema = schemaOf(node.target);
  return schema === undefined
    ? /_\.[^.]*$/.test(node.target)
    : schema.params.some((param) => param.isMutated);
}

/** The values that the graphs of a node write into, and which result each then is. */
export function writtenByGraphs({ args }: Node): ReadonlyMap<string, number> {
  for (const arg of args.values()) if (arg.kind === "graph" && arg.graph.written) return arg.graph.written;
  return NOTHING;
}

const NOTHING: ReadonlyMap<string, number> = new Map();

/** Whether a result is its operand under a second name: what changes the shape of one changes that of the other. */
export function isSameTensor(node: Node, aliasing: Aliasing): boolean {
  return aliasing === "same" && !/^aten\.(alias|detach)\./.test(node.target);
}

/** The aliasing of a node that does not mutate. */
export function aliasingOf(node: Node, typeOf: (name: string) => ValueType | undefined): Aliasing {
  const op = node.target.slice(0, node.target.lastIndexOf("."));
  if (IDENTITIES.has(op)) return "same";
  if (DROPOUTS.has(op)) return isOff(node.args.get("train")) ? "same" : "unknown";
  if (!op.startsWith("aten.")) return op.startsWith("_operator") || op === "math" ? "fresh" : "unknown";
  if (UNMARKED.has(op)) return "unknown";
  const self = tensorType(node.args.get("self") ?? node.args.get("input"), typeOf);
  const out = node.outputs[0] === undefined ? undefined : typeOf(node.outputs[0]);
  if (CONVERSIONS.has(op)) return conversion(node, op, { self, out });
  if (RESHAPES.has(op)) {
    if (self?.strides === undefined || out?.kind !== "tensor") return "unknown";
    return holdsMostly(copyCondition(node, typeOf)) ? "fresh" : "view";
  }
  const schema = schemaOf(node.target);
  if (schema === undefined) return "unknown";
  return schema.returns.some((result) => result.alias !== undefined) ? "view" : "fresh";
}

interface Conversion {
  readonly self: TensorType | undefined;
  readonly out: ValueType | undefined;
}

function conversion(node: Node, op: string, { self, out }: Conversion): Aliasing {
  if (self === undefined || out?.kind !== "tensor") return "unknown";
  const format = node.args.get("memory_format");
  if (op === "aten.contiguous") {
    if (format?.kind === "hint" && !/ (0|1)$|contiguous_format$/.test(format.value)) return "unknown";
    if (self.strides === undefined) return "unknown";
    return isContiguous(self) ? "same" : "fresh";
  }
  const copy = node.args.get("copy");
  if (copy?.kind === "bool" && copy.value) return "fresh";
  if (self.dtype !== out.dtype) return "fresh";
  // Another device would be a copy, and devices are not kept.
  if (op === "aten.type_as" || node.args.has("other") || node.args.get("device")?.kind === "hint")
    return "unknown";
  return format?.kind === "hint" && !/ 4$|preserve_format$/.test(format.value) ? "unknown" : "same";
}

/**
 * When a result that generally is a copy of its operand is one, as a condition on sizes (0: never, 1: always): at size 1 a turned tensor is
 * dense, and `contiguous` and `reshape` answer with it or with a view of it. What is written into nothing is not considered.
 */
export function copyCondition(node: Node, typeOf: (name: string) => ValueType | undefined): Dim {
  const op = node.target.slice(0, node.target.lastIndexOf("."));
  if (op !== "aten.contiguous" && !RESHAPES.has(op)) return 1;
  const self = tensorType(node.args.get("self") ?? node.args.get("input"), typeOf);
  const out = node.outputs[0] === undefined ? undefined : typeOf(node.outputs[0]);
  if (self?.strides === undefined || out?.kind !== "tensor") return 1;
  return op === "aten.contiguous" || op === "aten.ravel"
    ? isSparse(self.dims, self.strides)
    : isUnviewable(self.dims, self.strides, out.dims);
}

function isOff(arg: Arg | undefined): boolean {
  return arg?.kind === "bool" && !arg.value;
}

function tensorType(
  arg: Arg | undefined,
  typeOf: (name: string) => ValueType | undefined,
): TensorType | undefined {
  const type = arg?.kind === "value" ? typeOf(arg.name) : undefined;
  return type?.kind === "tensor" ? type : undefined;
}

/** Sizes that symbols are tried with; strides that are row-major for all of them are row-major. */
const PROBES = [7, 11, 13];

/** Whether a condition on sizes holds for one of the probes: what fails for all of them fails for nearly any. */
function holdsMostly(condition: Dim): boolean {
  return PROBES.some((probe) => evaluate(condition, probeValues(condition, probe)) !== 0);
}

/** Row-major without holes, for any size of the symbols. Unknown strides count as not contiguous. */
export function isContiguous({ dims, strides }: TensorType): boolean {
  if (strides === undefined || strides.length !== dims.length) return false;
  return PROBES.every((probe) => {
    const at = (dim: Dim): number | undefined => evaluate(dim, probeValues(dim, probe));
    let expected = 1;
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      const size = at(dims[axis]!);
      if (size === 0) return true;
      if (size !== 1 && at(strides[axis]!) !== expected) return false;
      expected *= size ?? Number.NaN;
    }
    return true;
  });
}

function probeValues(dim: Dim, probe: number): Map<string, number> {
  return new Map([...symbolsOf(dim)].map((name) => [name, probe + hash(name)]));
}

/** Different symbols get different sizes. */
function hash(name: string): number {
  let value = 0;
  for (const char of name) value = (value * 31 + char.charCodeAt(0)) % 97;
  return value;
}
