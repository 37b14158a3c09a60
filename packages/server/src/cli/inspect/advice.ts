import { type ModelSummary, quantizedOps } from "@sconce/torch";
import type { Batching } from "../../base/signature.ts";

/** What would make a model faster or smaller, and how. */
export interface Advice {
  readonly what: string;
  /** A command, or a line of a configuration or of Python. */
  readonly how: string;
}

/** What advice is drawn from. */
export interface AdviceFacts {
  readonly summary: ModelSummary;
  readonly runtime: { readonly name: string | undefined };
  readonly batching: Batching | undefined;
  readonly file: string;
}

type Rule = (facts: AdviceFacts) => Advice | undefined;

/** Smaller models have nothing to gain from fewer bits. */
const MIN_BYTES = 2 ** 20;
const PRODUCT =
  /(?:^|\.)(?:linear|addmm|mm|matmul|bmm)(?:\.|$)|^(?:MatMul|Gemm)$|^com\.microsoft::FusedMatMul$/;
const CONVOLUTION = /(?:^|\.)conv(?:olution|\dd)(?:\.|$)|^Conv$/;

const untranslated: Rule = ({ runtime }) =>
  runtime.name === "python"
    ? {
        what: "translated, it would need no Python and run about twice as fast on a CPU",
        how: "the lines 'unsupported' say what to replace in the module before it is exported again",
      }
    : undefined;

const unbatched: Rule = ({ batching }) =>
  batching?.kind === "off" && batching.reason.includes("export again")
    ? { what: "requests that wait could share a run", how: "export it as the line 'batching' says" }
    : undefined;

const wide: Rule = ({ summary }) =>
  shareOf(summary, "float64") > 0.5
    ? {
        what: "its weights are float64: float32 is half the memory and about twice as fast",
        how: "model.float() before the export",
      }
    : undefined;

const fewerBits: Rule = ({ summary, runtime, file }) => {
  const { ops, weightBytes } = summary;
  const isSmall = weightBytes < MIN_BYTES || shareOf(summary, "float32") < 0.5;
  const isQuantized = quantizedOps(ops.map(({ op, count }) => [op, count] as const)) !== undefined;
  if (runtime.name !== "onnx" || isSmall || isQuantized || ops.some(({ op }) => /quantize/.test(op)))
    return undefined;
  const count = (kind: RegExp): number =>
    ops.reduce((sum, { op, count }) => sum + (kind.test(op) ? count : 0), 0);
  const [products, convolutions] = [count(PRODUCT), count(CONVOLUTION)];
  if (products === 0 && convolutions === 0) return undefined;
  const isConvolutional = convolutions > products;
  return {
    what: isConvolutional
      ? "8-bit weights and activations, measured once on typical inputs: a quarter of the size, and faster convolutions"
      : "8-bit products: about a quarter of the size, and up to three times as fast with VNNI",
    how: `sconce quantize ${file} --int8 ${isConvolutional ? "--static --calibration INPUTS/ " : ""}-o OUT.onnx says what it changes`,
  };
};

const RULES: readonly Rule[] = [untranslated, unbatched, wide, fewerBits];

/** All that applies, what gains most first. */
export function adviceFor(facts: AdviceFacts): readonly Advice[] {
  return RULES.flatMap((rule) => rule(facts) ?? []);
}

function shareOf({ bytesByDtype, weightBytes }: ModelSummary, dtype: string): number {
  return weightBytes === 0 ? 0 : (bytesByDtype[dtype] ?? 0) / weightBytes;
}
