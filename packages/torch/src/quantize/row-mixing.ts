import type { ByteSource } from "../byte-source.ts";
import { ModelFileError } from "../errors.ts";
import { bodiesOf, dataDecision } from "../onnx/data-decision.ts";
import { decodeModel } from "../onnx/decode.ts";
import { DATA_CHECK } from "../onnx/input-fault.ts";
import type { OnnxGraph, OnnxModel } from "../onnx/model.ts";
import type { OnnxScan } from "../onnx/scan-model.ts";
import { opsOf } from "./quantized-ops.ts";

/** Ops that measure everything they are given with one scale, `domain::Type` outside ONNX's own domain. */
const SHARED_SCALES: ReadonlySet<string> = new Set([
  "DynamicQuantizeLinear",
  "com.microsoft::DynamicQuantizeMatMul",
  "com.microsoft::DynamicQuantizeLSTM",
  "quantized_decomposed.choose_qparams.tensor",
  "quantized_decomposed.choose_qparams_symmetric.tensor",
  "torchao.choose_qparams_affine",
]);

/** Ops that ONNX Runtime calculates in another order for one row than for several. */
const OTHER_ROUNDING: ReadonlySet<string> = new Set([
  "com.microsoft::MatMulNBits",
  "com.microsoft::MatMulBnb4",
]);

/** What is known of a model, ONNX or a program. */
export interface RowFacts {
  /** Types of ONNX nodes, or targets of a program. */
  readonly ops: Iterable<string>;
  /** What decides for a whole run by the numbers in it; see `dataDecision`. */
  readonly decision?: "If" | "Loop" | "check" | undefined;
}

/** Why an answer depends on the other rows of its run, in words that follow "because"; undefined: nothing is known to do that. */
export function rowMixing({ ops, decision }: RowFacts): string | undefined {
  let rounding: string | undefined;
  for (const op of ops) {
    if (SHARED_SCALES.has(op))
      return `${shortName(op)} measures all rows of a run with one scale, so that each changes the answers of the others`;
    if (OTHER_ROUNDING.has(op))
      rounding ??= `${shortName(op)} rounds a single row otherwise than one among several`;
  }
  if (decision === undefined) return rounding;
  if (decision === "check")
    return "what the program demands of its data is checked for all rows of a run at once";
  return `${decision === "If" ? "a branch is taken" : "a loop ends"} for all rows of a run by what is in them`;
}

/** Without the domain or namespace, and without the overload. */
function shortName(op: string): string {
  return op.replace(/^.*::|^[a-z_]+\./, "").replace(/\..*$/, "");
}

/** The same of an ONNX model. */
export function modelRowMixing(model: OnnxModel): string | undefined {
  const decision = dataDecision(model) ?? (hasDataCheck(model.graph) ? "check" : undefined);
  return rowMixing({ ops: opsOf(model).keys(), decision });
}

function hasDataCheck({ nodes }: OnnxGraph): boolean {
  return nodes.some(
    (node) => node.name?.startsWith(DATA_CHECK) === true || bodiesOf(node).some(hasDataCheck),
  );
}

const DECIDING = ["If", "Loop"] as const;

/** The same of an ONNX file that was scanned: its graph is read only where something in it may decide. Throws ModelFileError. */
export function onnxRowMixing(source: ByteSource, { ops }: Pick<OnnxScan, "ops">): string | undefined {
  const mayDecide = DECIDING.find((op) => ops.has(op));
  return rowMixing({
    ops: ops.keys(),
    decision: mayDecide === undefined ? undefined : readDecision(source, mayDecide),
  });
}

function readDecision(source: ByteSource, found: "If" | "Loop"): RowFacts["decision"] {
  try {
    return dataDecision(decodeModel(source));
  } catch (error) {
    // What ONNX Runtime runs and nothing here reads (sparse weights) may decide anything.
    if (error instanceof ModelFileError && error.kind === "unsupported") return found;
    throw error;
  }
}
