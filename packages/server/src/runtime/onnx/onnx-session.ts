import { performance } from "node:perf_hooks";
import type { Tensor as OrtTensor } from "onnxruntime-node";
import type { Signature } from "../../base/signature.ts";
import type { Tensor } from "../../base/tensor.ts";
import type { HostedResult } from "../model-host.ts";
import type { EngineSession } from "./engine-session.ts";
import { runError } from "./model-error.ts";
import type { OpenedModel } from "./opened-model.ts";
import { fromOrtTensor, toOrtTensor } from "./ort-tensor.ts";

type OrtTensors = Readonly<Record<string, OrtTensor>>;

/** A session of ONNX Runtime that takes and gives tensors in signature order. Its own names need not be the signature's. */
export class OnnxSession {
  readonly #session: EngineSession;
  readonly #inputs: readonly string[];
  readonly #results: readonly string[];
  readonly #outputs: Signature["outputs"];
  readonly #fetches: Readonly<Record<string, null>>;

  constructor(
    session: EngineSession,
    { signature, outputNames }: Pick<OpenedModel, "signature" | "outputNames">,
  ) {
    this.#session = session;
    this.#inputs = session.inputMetadata.map(({ name }) => name);
    this.#results = outputNames;
    this.#outputs = signature.outputs;
    this.#fetches = Object.fromEntries(this.#results.map((name) => [name, null]));
  }

  /**
   * Blocks the thread while it computes; the result is a promise only where ONNX Runtime's own is. Throws, or rejects with, ServeError
   * `invalid_argument`/`invalid_input` or `internal`/`model_failed`.
   */
  run(inputs: readonly Tensor[]): HostedResult | Promise<HostedResult> {
    try {
      const feeds: Record<string, OrtTensor> = {};
      for (let i = 0; i < this.#inputs.length; i++) feeds[this.#inputs[i]!] = toOrtTensor(inputs[i]!);
      const startMs = performance.now();
      const results = this.#session.run(feeds, this.#fetches);
      return results instanceof Promise ? this.#runLater(results, startMs) : this.#result(results, startMs);
    } catch (error) {
      throw runError(error);
    }
  }

  /** See `EngineSession`. */
  endProfiling(): void {
    this.#session.endProfiling();
  }

  /** Frees the model's memory; it cannot run any more. */
  release(): Promise<void> {
    return this.#session.release();
  }

  async #runLater(results: Promise<OrtTensors>, startMs: number): Promise<HostedResult> {
    try {
      return this.#result(await results, startMs);
    } catch (error) {
      throw runError(error);
    }
  }

  #result(results: OrtTensors, startMs: number): HostedResult {
    const computeMs = performance.now() - startMs;
    const outputs = this.#outputs.map(({ datatype }, i) =>
      fromOrtTensor(results[this.#results[i]!]!, datatype),
    );
    return { outputs, computeMs };
  }
}
