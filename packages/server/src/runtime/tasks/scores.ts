import type { NamedTensor } from "../../base/tensor.ts";
import { isObject, type SideFiles, unfit } from "./side-files.ts";
import type { TaskContext } from "./task-processor.ts";

/** The part of a model's config.json that says what its outputs mean. */
export interface ModelLabels {
  /** By class. */
  readonly names: readonly string[];
  readonly problemType: string | undefined;
}

const MAX_CLASSES = 1_000_000;

/** Reads `id2label` of config.json, or makes names as transformers does. */
export function readLabels(
  config: Readonly<Record<string, unknown>>,
  classes: number | undefined,
): ModelLabels {
  const { id2label, problem_type: problemType, num_labels: said } = config;
  const problem = typeof problemType === "string" ? problemType : undefined;
  if (isObject(id2label)) {
    const names: string[] = [];
    for (const [key, name] of Object.entries(id2label)) {
      const id = Number(key);
      if (!Number.isInteger(id) || id < 0 || id >= MAX_CLASSES || typeof name !== "string")
        throw unfit("config.json: id2label is not a mapping from numbers to texts");
      names[id] = name;
    }
    return { names: Array.from(names, (name, id) => name ?? `LABEL_${id}`), problemType: problem };
  }
  const count = classes ?? (typeof said === "number" && said > 0 && said < MAX_CLASSES ? said : 2);
  return { names: Array.from({ length: count }, (_, id) => `LABEL_${id}`), problemType: problem };
}

export function readConfig(files: SideFiles): Readonly<Record<string, unknown>> {
  return files.needJson("config.json", "what the model's classes are called");
}

/** The output of one of these names, or the only one there is; its place among the model's. Throws `failed_precondition`. */
export function outputPlace({ outputs }: Pick<TaskContext, "outputs">, names: readonly string[]): number {
  for (const name of names) {
    const place = outputs.findIndex((output) => output.name === name || output.aliases?.includes(name));
    if (place >= 0) return place;
  }
  if (outputs.length === 1) return 0;
  const there = outputs.map(({ name }) => JSON.stringify(name)).join(", ");
  throw unfit(
    `the model has no output ${JSON.stringify(names[0])}, but ${there}; name it in model.yaml (rename)`,
  );
}

/** A tensor's values as numbers. */
export function floatsOf({ datatype, bytes, name }: NamedTensor): Float32Array {
  if (datatype === "FP32") return float32(bytes);
  if (datatype === "FP64") {
    const { buffer, byteOffset, byteLength } = aligned(bytes);
    return Float32Array.from(new Float64Array(buffer, byteOffset, byteLength / 8));
  }
  throw unfit(`output ${JSON.stringify(name)} is ${datatype}; expected FP32`);
}

function float32(bytes: Uint8Array): Float32Array {
  const { buffer, byteOffset, byteLength } = aligned(bytes);
  return new Float32Array(buffer, byteOffset, byteLength / 4);
}

function aligned(bytes: Uint8Array): Uint8Array {
  return bytes.byteOffset % 8 === 0 ? bytes : Uint8Array.from(bytes);
}

export type ScoreFunction = "softmax" | "sigmoid" | "none";
export const SCORE_FUNCTIONS: readonly ScoreFunction[] = ["softmax", "sigmoid", "none"];

/** Scores of one row of logits; each is a float32. */
export function scoresOf(logits: Float32Array, kind: ScoreFunction): Float32Array {
  if (kind === "none") return logits;
  if (kind === "sigmoid") return logits.map((value) => 1 / (1 + Math.exp(-value)));
  let most = Number.NEGATIVE_INFINITY;
  for (const value of logits) most = Math.max(most, value);
  const powers = Float64Array.from(logits, (value) => Math.exp(value - most));
  let total = 0;
  for (const power of powers) total += power;
  return Float32Array.from(powers, (power) => power / total);
}

export function argmax(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}

/** The classes with the highest scores, best first; equal ones in their own order. */
export function topScores(scores: Float32Array, count: number): number[] {
  const order = Array.from(scores.keys()).sort((a, b) => scores[b]! - scores[a]! || a - b);
  return order.slice(0, count);
}

export interface LabelScore {
  readonly label: string;
  readonly score: number;
}

/** As transformers chooses where nobody says. */
export function scoreFunctionFor({ names, problemType }: ModelLabels): ScoreFunction {
  return problemType === "multi_label_classification" || names.length === 1 ? "sigmoid" : "softmax";
}
