import { ATEN_SCHEMAS } from "./gen/aten-schemas.ts";
import { QUANTIZED_DECOMPOSED, TORCHAO } from "./quantized-schemas.ts";

/** The value of an argument that a call leaves out; every one is also an argument of the graph. */
export type DefaultArg =
  | { readonly kind: "none" }
  | { readonly kind: "int"; readonly value: number | bigint }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "bool"; readonly value: boolean }
  | { readonly kind: "string"; readonly value: string }
  /** Memory formats and layouts: nothing that changes numbers. */
  | { readonly kind: "hint"; readonly value: string }
  | { readonly kind: "list"; readonly items: readonly DefaultArg[] };

/** A parsed ATen schema. */
export interface Schema {
  /** "aten.add.Tensor" */
  readonly target: string;
  readonly params: readonly Param[];
  readonly returns: readonly Return[];
}

export interface Param {
  readonly name: string;
  /** "Tensor", "Tensor?", "int[]", "Scalar" …: alias marks and list lengths removed. */
  readonly type: string;
  /** Undefined: the argument is required. */
  readonly default: DefaultArg | undefined;
  /** The alias set, such as "a"; undefined when the argument neither aliases nor mutates. */
  readonly alias: string | undefined;
  readonly isMutated: boolean;
  /** After the `*`: never given by position. */
  readonly isKeywordOnly: boolean;
}

export interface Return {
  readonly type: string;
  /** Aliases the parameter of the same set. */
  readonly alias: string | undefined;
}

/** torchvision's own ops (torchvision/csrc/ops). */
const TORCHVISION = `nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor
deform_conv2d(Tensor input, Tensor weight, Tensor offset, Tensor mask, Tensor bias, SymInt stride_h, SymInt stride_w, SymInt pad_h, SymInt pad_w, SymInt dilation_h, SymInt dilation_w, SymInt groups, SymInt offset_groups, bool use_mask) -> Tensor
roi_align(Tensor input, Tensor rois, float spatial_scale, SymInt pooled_height, SymInt pooled_width, int sampling_ratio, bool aligned) -> Tensor
ps_roi_align(Tensor input, Tensor rois, float spatial_scale, SymInt pooled_height, SymInt pooled_width, int sampling_ratio) -> (Tensor, Tensor)
roi_pool(Tensor input, Tensor rois, float spatial_scale, SymInt pooled_height, SymInt pooled_width) -> (Tensor, Tensor)`;

/** Ops that torch.nn.functional defines for itself: `linear_cross_entropy` in parts. */
const TORCH_NN = `_linear_cross_entropy_batch_chunked(Tensor input, Tensor linear_weight, Tensor target, Tensor? linear_bias, Tensor? weight, str reduction, int ignore_index, float label_smoothing, SymInt batch_chunk_size, str acc_policy, ScalarType acc_dtype, bool allow_retain_graph, bool compute_input_grad, bool compute_linear_weight_grad, bool compute_linear_bias_grad) -> (Tensor, Tensor, Tensor, Tensor)
_linear_cross_entropy_batch_chunked_no_reduction(Tensor input, Tensor linear_weight, Tensor target, Tensor? linear_bias, Tensor? weight, int ignore_index, SymInt batch_chunk_size, str acc_policy, ScalarType acc_dtype) -> Tensor`;

/** Ops that transformers defines. */
const TRANSFORMERS = "grouped_mm_fallback(Tensor input, Tensor weight, Tensor offs) -> Tensor";

function linesOf(namespace: string, text: string): [string, string][] {
  return text.split("\n").map((line) => {
    const name = line.slice(0, line.indexOf("("));
    return [`${namespace}.${name.includes(".") ? name : `${name}.default`}`, line];
  });
}

const lines = new Map<string, string>([
  ...linesOf("aten", ATEN_SCHEMAS),
  ...linesOf("torchvision", TORCHVISION),
  ...linesOf("torch_nn", TORCH_NN),
  ...linesOf("transformers", TRANSFORMERS),
  ...linesOf("quantized_decomposed", QUANTIZED_DECOMPOSED),
  ...linesOf("torchao", TORCHAO),
]);
const parsed = new Map<string, Schema>();

/** The schema of "aten.add.Tensor"; undefined for ops that the table does not hold. */
export function schemaOf(target: string): Schema | undefined {
  const known = parsed.get(target);
  if (known !== undefined) return known;
  const line = lines.get(target);
  if (line === undefined) return undefined;
  const schema = parseSchema(target, line);
  parsed.set(target, schema);
  return schema;
}

/** All overloads of "aten.add", as targets. */
export function overloadsOf(op: string): string[] {
  return [...lines.keys()].filter(
    (target) => target.startsWith(`${op}.`) && !target.slice(op.length + 1).includes("."),
  );
}

/** The schema's text, for docs and tests. */
export function schemaText(target: string): string | undefined {
  const line = lines.get(target);
  return line === undefined ? undefined : `${target.slice(0, target.indexOf("."))}::${line}`;
}

function parseSchema(target: string, line: string): Schema {
  const open = line.indexOf("(");
  const arrow = line.lastIndexOf(") -> ");
  const texts = splitTop(line.slice(open + 1, arrow));
  const star = texts.indexOf("*");
  const params = texts.flatMap((text, at) =>
    text === "*" ? [] : [parseParam(text, star >= 0 && at > star)],
  );
  const result = line.slice(arrow + 5);
  const returns = result.startsWith("(") ? splitTop(result.slice(1, -1)) : [result];
  return { target, params, returns: returns.map(parseReturn) };
}

/** Splits at commas outside brackets and quotes. */
function splitTop(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  let isQuoted = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (c === '"') isQuoted = !isQuoted;
    else if (isQuoted) continue;
    else if (c === "(" || c === "[") depth += 1;
    else if (c === ")" || c === "]") depth -= 1;
    else if (c === "," && depth === 0) {
      parts.push(text.slice(start, i).trim());
      start = i + 1;
    }
  }
  const last = text.slice(start).trim();
  return last === "" ? parts : [...parts, last];
}

const ALIAS = /\(([a-z])(!?)[^)]*\)/;

function parseParam(text: string, isKeywordOnly: boolean): Param {
  const equals = text.indexOf("=");
  const head = equals < 0 ? text : text.slice(0, equals);
  const space = head.lastIndexOf(" ");
  const alias = ALIAS.exec(head);
  return {
    name: head.slice(space + 1),
    type: plainType(head.slice(0, space)),
    default: equals < 0 ? undefined : parseDefault(text.slice(equals + 1)),
    alias: alias?.[1],
    isMutated: alias?.[2] === "!",
    isKeywordOnly,
  };
}

function parseReturn(text: string): Return {
  const alias = ALIAS.exec(text);
  return { type: plainType(text.split(" ")[0]!), alias: alias?.[1] };
}

function plainType(text: string): string {
  return text
    .replace(ALIAS, "")
    .replace(/\[\d+\]/g, "[]")
    .replace(/^SymInt/, "int");
}

function parseDefault(text: string): DefaultArg {
  if (text === "None") return { kind: "none" };
  if (text === "True" || text === "False") return { kind: "bool", value: text === "True" };
  if (text.startsWith('"')) return { kind: "string", value: text.slice(1, -1) };
  if (text.startsWith("[")) return { kind: "list", items: splitTop(text.slice(1, -1)).map(parseDefault) };
  if (/^-?\d+$/.test(text)) {
    const value = Number(text);
    return { kind: "int", value: Number.isSafeInteger(value) ? value : BigInt(text) };
  }
  const value = Number(text.replace(/inf$/, "Infinity"));
  if (!Number.isNaN(value)) return { kind: "float", value };
  return { kind: "hint", value: text };
}
