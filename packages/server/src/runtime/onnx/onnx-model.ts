import { performance } from "node:perf_hooks";
import type { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import type { ModelDescription } from "../../base/model-description.ts";
import type { Tensor } from "../../base/tensor.ts";
import type { HostedModel, HostedResult } from "../model-host.ts";
import { runError } from "./model-error.ts";
import { fromOrtTensor, toOrtTensor } from "./ort-tensor.ts";

/** A session of ONNX Runtime as a model: names are bound to positions once. */
export class OnnxModel implements HostedModel {
  readonly description: ModelDescription;
  readonly #session: InferenceSession;
  readonly #inputs: readonly string[];
  readonly #outputs: readonly string[];
  readonly #feeds: Record<string, OrtTensor> = {};

  constructor(session: InferenceSession, description: ModelDescription) {
    this.description = description;
    this.#session = session;
    this.#inputs = description.signature.inputs.map((spec) => spec.name);
    this.#outputs = description.signature.outputs.map((spec) => spec.name);
  }

  async run(inputs: readonly Tensor[]): Promise<HostedResult> {
    try {
      for (let i = 0; i < this.#inputs.length; i++) this.#feeds[this.#inputs[i]!] = toOrtTensor(inputs[i]!);
      const startMs = performance.now();
      const results = await this.#session.run(this.#feeds);
      const computeMs = performance.now() - startMs;
      return { outputs: this.#outputs.map((name) => fromOrtTensor(results[name]!)), computeMs };
    } catch (error) {
      throw runError(error);
    }
  }
}

/** Runs a model on each set of inputs and returns how long that took. */
export async function warmUp(model: HostedModel, sets: readonly (readonly Tensor[])[]): Promise<number> {
  const startMs = performance.now();
  for (const inputs of sets) await model.run(inputs);
  return performance.now() - startMs;
}
