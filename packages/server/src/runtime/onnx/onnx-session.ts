import { performance } from "node:perf_hooks";
import type { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import type { Signature } from "../../base/signature.ts";
import type { Tensor } from "../../base/tensor.ts";
import type { HostedResult } from "../model-host.ts";
import { runError } from "./model-error.ts";
import type { OpenedModel } from "./opened-model.ts";
import { fromOrtTensor, toOrtTensor } from "./ort-tensor.ts";

/** A session of ONNX Runtime that takes and gives tensors in signature order. Its own names need not be the signature's. */
export class OnnxSession {
  readonly #session: InferenceSession;
  readonly #inputs: readonly string[];
  readonly #results: readonly string[];
  readonly #outputs: Signature["outputs"];

  constructor({
    session,
    signature,
    outputNames,
  }: Pick<OpenedModel, "session" | "signature" | "outputNames">) {
    this.#session = session;
    this.#inputs = session.inputNames;
    this.#results = outputNames;
    this.#outputs = signature.outputs;
  }

  /** Blocks the thread while it computes. Throws ServeError `invalid_argument`/`invalid_input` or `internal`/`model_failed`. */
  async run(inputs: readonly Tensor[]): Promise<HostedResult> {
    try {
      const feeds: Record<string, OrtTensor> = {};
      for (let i = 0; i < this.#inputs.length; i++) feeds[this.#inputs[i]!] = toOrtTensor(inputs[i]!);
      const startMs = performance.now();
      const results = await this.#session.run(feeds, this.#results);
      const computeMs = performance.now() - startMs;
      const outputs = this.#outputs.map(({ datatype }, i) =>
        fromOrtTensor(results[this.#results[i]!]!, datatype),
      );
      return { outputs, computeMs };
    } catch (error) {
      throw runError(error);
    }
  }
}
