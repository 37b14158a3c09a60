import { InferenceSession, Tensor } from "onnxruntime-node";
import type { DType } from "../dtype.ts";
import { encodeModel } from "../onnx/encode.ts";
import type { Attributes, Initializer, OnnxModel, OnnxNode, ValueInfo } from "../onnx/model.ts";

/** A reproducible stream of numbers in [0, 1). */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** A float32 weight of numbers in [-1, 1). */
export function weight(name: string, dims: readonly number[], seed: number): Initializer {
  const next = random(seed);
  const values = Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => 2 * next() - 1);
  return { name, dtype: "float32", dims, data: new Uint8Array(values.buffer) };
}

export function node(
  type: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Attributes = {},
): OnnxNode {
  return { type, domain: "", inputs, outputs, attributes };
}

export function port(name: string, dims: ValueInfo["dims"], dtype: DType = "float32"): ValueInfo {
  return { name, dtype, dims };
}

export interface ModelParts {
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly Initializer[];
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
}

export function modelOf(parts: ModelParts): OnnxModel {
  return { graph: { name: "main", ...parts }, opsets: new Map([["", 20]]) };
}

export function floats(dims: readonly number[], values: (i: number) => number): Tensor {
  return new Tensor(
    "float32",
    Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => values(i)),
    dims,
  );
}

/** The values of all outputs, joined. `model` may be encoded already. */
export async function runModel(
  model: OnnxModel | Uint8Array,
  feeds: Record<string, Tensor>,
): Promise<Float32Array> {
  const bytes = model instanceof Uint8Array ? model : encodeModel(model);
  const session = await InferenceSession.create(bytes, { intraOpNumThreads: 1, logSeverityLevel: 4 });
  try {
    const results = await session.run(feeds);
    return Float32Array.from(
      session.outputNames.flatMap((name) => [...(results[name]!.data as Float32Array)]),
    );
  } finally {
    await session.release();
  }
}

/** The largest difference, as a share of the largest value wanted. */
export function relativeError(got: Float32Array, want: Float32Array): number {
  if (got.length !== want.length) return Number.POSITIVE_INFINITY;
  const range = want.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return want.reduce((most, value, i) => Math.max(most, Math.abs(value - got[i]!)), 0) / range;
}
