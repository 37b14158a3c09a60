import type { NamedTensor } from "../../base/tensor.ts";
import { bad } from "./read-request.ts";
import { floatsOf } from "./scores.ts";
import { isObject, type SideFiles, unfit } from "./side-files.ts";

/** The places of a text's tokens among a model's vectors. */
export interface TokenPlaces {
  readonly from: number;
  readonly to: number;
}

/**
 * Makes one vector of what a model gives for one text; with `dimensions`, of its first so many numbers. Throws `invalid_argument` when nothing says how, or there
 * are not so many.
 */
export type SentenceVector = (output: NamedTensor, real: TokenPlaces, dimensions?: number) => number[];

type Pooling = "cls" | "mean" | "max";

const MODES: Readonly<Record<string, Pooling>> = {
  pooling_mode_cls_token: "cls",
  pooling_mode_mean_tokens: "mean",
  pooling_mode_max_tokens: "max",
};

/**
 * Reads how sentence-transformers makes a vector of a text's tokens: `1_Pooling/config.json`, and `modules.json` for whether it has length 1. A model that gives
 * one vector itself needs neither. Throws `failed_precondition` for ways that are not known.
 */
export function sentenceVectorOf(files: SideFiles): SentenceVector {
  const pooling = poolingOf(files);
  const isNormalized = isNormalizing(files);
  return (output, real, dimensions) => {
    const whole = vectorOf(output, real, pooling);
    if (dimensions !== undefined && dimensions > whole.length)
      throw bad("dimensions", `this model gives ${whole.length}`);
    const vector = dimensions === undefined ? whole : whole.slice(0, dimensions);
    if (!isNormalized) return vector;
    const length = Math.hypot(...vector);
    return length === 0 ? vector : vector.map((value) => value / length);
  };
}

function poolingOf(files: SideFiles): Pooling | undefined {
  const config = files.json("1_Pooling/config.json");
  if (config === undefined) return undefined;
  const wanted = Object.keys(config).filter((key) => key.startsWith("pooling_mode_") && config[key] === true);
  const mode = wanted.length === 1 ? MODES[wanted[0]!] : undefined;
  if (mode === undefined)
    throw unfit(
      `1_Pooling/config.json: expected one of ${Object.keys(MODES).join(", ")} to be true, and nothing else`,
    );
  return mode;
}

function isNormalizing(files: SideFiles): boolean {
  if (files.find("modules.json") === undefined) return false;
  // A list, which `json` does not take.
  let modules: unknown;
  try {
    modules = JSON.parse(files.text("modules.json") ?? "[]");
  } catch (cause) {
    throw unfit("modules.json is not JSON", cause);
  }
  return (
    Array.isArray(modules) &&
    modules.some((module) => isObject(module) && String(module["type"]).endsWith(".Normalize"))
  );
}

function vectorOf(output: NamedTensor, real: TokenPlaces, pooling: Pooling | undefined): number[] {
  const values = floatsOf(output);
  const { shape } = output;
  if (shape.length === 2 && shape[0] === 1) return Array.from(values);
  const size = shape[2] ?? 0;
  if (shape.length !== 3 || shape[0] !== 1 || shape[1]! < real.to)
    throw bad(
      "model",
      `its output has the shape [${shape.join(", ")}], which is neither a vector nor one for each token`,
    );
  if (pooling === undefined)
    throw bad(
      "model",
      "it gives a vector for each token, and nothing beside it says how they become one: put sentence-transformers' 1_Pooling/config.json there",
    );
  if (pooling === "cls") return Array.from(values.subarray(real.from * size, (real.from + 1) * size));
  const vector = new Array<number>(size).fill(pooling === "max" ? Number.NEGATIVE_INFINITY : 0);
  for (let token = real.from; token < real.to; token++) {
    for (let i = 0; i < size; i++) {
      const value = values[token * size + i]!;
      vector[i] = pooling === "max" ? Math.max(vector[i]!, value) : vector[i]! + value;
    }
  }
  return pooling === "max" ? vector : vector.map((sum) => sum / (real.to - real.from));
}
