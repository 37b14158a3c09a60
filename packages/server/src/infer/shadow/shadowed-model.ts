import type { InferRequest, InferResponse } from "../../base/infer-request.ts";
import type { ResultReceiver } from "../../base/result-receiver.ts";
import type { ModelGauges, ServedModelHandle } from "../../models/served-model-handle.ts";
import { ModelAround } from "../model-around.ts";
import { MAX_WAITING_BYTES, type ShadowComparisons } from "./shadow-comparisons.ts";

export interface ShadowedModelOptions {
  /** Of the requests, above 0 and at most 1. */
  readonly share: number;
  readonly random: () => number;
  /** Owned by the model from now on. */
  readonly comparisons: ShadowComparisons;
  /** Ends whatever still makes the reference. */
  onEnd(): void;
}

/** A model that answers as `inner` does, and has a share of its answers compared after they were given. Owns `inner`. */
export function createShadowedModel(
  inner: ServedModelHandle,
  options: ShadowedModelOptions,
): ServedModelHandle {
  return new ShadowedModel(inner, options);
}

/** Who is in flight, who holds the model and when it is idle, the inner one knows. */
class ShadowedModel extends ModelAround {
  readonly #options: ShadowedModelOptions;

  constructor(inner: ServedModelHandle, options: ShadowedModelOptions) {
    super(inner, { memoryBytes: inner.memoryBytes + inner.description.weightBytes + MAX_WAITING_BYTES });
    this.#options = options;
  }

  submit(request: InferRequest, receiver: ResultReceiver<InferResponse>): void {
    const { comparisons, random, share } = this.#options;
    const isChosen = comparisons.isOpen && random() < share;
    this.inner.submit(request, isChosen ? comparedAfter(receiver, { request, comparisons }) : receiver);
  }

  override async gauges(): Promise<ModelGauges> {
    const [gauges, shadowResidentBytes] = await Promise.all([
      this.inner.gauges(),
      this.#options.comparisons.residentBytes(),
    ]);
    return { ...gauges, shadowResidentBytes };
  }

  override inFlight(): number {
    return this.inner.inFlight();
  }

  override hold(): boolean {
    return this.inner.hold();
  }

  override release(): void {
    this.inner.release();
  }

  override onIdle(listener: () => void): () => void {
    return this.inner.onIdle(listener);
  }

  override destroy(reason: string): void {
    this.#end();
    this.inner.destroy(reason);
  }

  protected override async drain(): Promise<void> {
    await this.inner.close();
    this.#end();
  }

  #end(): void {
    this.#options.onEnd();
    this.#options.comparisons.close();
  }
}

function comparedAfter(
  receiver: ResultReceiver<InferResponse>,
  { request, comparisons }: { readonly request: InferRequest; readonly comparisons: ShadowComparisons },
): ResultReceiver<InferResponse> {
  return {
    resolve(response) {
      receiver.resolve(response);
      comparisons.offer(request, response);
    },
    reject: (error) => receiver.reject(error),
  };
}
