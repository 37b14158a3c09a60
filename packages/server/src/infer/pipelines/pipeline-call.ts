import { ServeError } from "../../base/errors.ts";
import { type InferRequest, type InferResponse, NO_PARAMETERS } from "../../base/infer-request.ts";
import type { ResultReceiver } from "../../base/result-receiver.ts";
import type { PipelineResult } from "./pipeline-run.ts";

/** A pipeline, told how each of its requests ended. */
export interface AskedPipeline {
  readonly name: string;
  readonly version: string;
  ended(error: ServeError | undefined, request: InferRequest): void;
}

/** Makes what a run gives the pipeline's response. */
export class PipelineCall implements ResultReceiver<PipelineResult> {
  readonly #model: AskedPipeline;
  readonly #request: InferRequest;
  readonly #receiver: ResultReceiver<InferResponse>;

  constructor(model: AskedPipeline, request: InferRequest, receiver: ResultReceiver<InferResponse>) {
    this.#model = model;
    this.#request = request;
    this.#receiver = receiver;
  }

  resolve({ outputs, batchRows }: PipelineResult): void {
    const { name: model, version } = this.#model;
    const { id } = this.#request;
    this.#model.ended(undefined, this.#request);
    this.#receiver.resolve({ model, version, id, outputs, parameters: NO_PARAMETERS, batchRows });
  }

  reject(error: Error): void {
    this.#model.ended(ServeError.from(error), this.#request);
    this.#receiver.reject(error);
  }
}
