import { ServeError } from "../../base/errors.ts";
import type { InferRequest, InferResponse } from "../../base/infer-request.ts";
import type { ModelDescription } from "../../base/model-description.ts";
import type { ResultReceiver } from "../../base/result-receiver.ts";
import type { RunSettings } from "../../base/run-settings.ts";
import type { ModelGauges, ServedModelHandle, StatelessModel } from "../../models/served-model-handle.ts";
import { ModelAround } from "../model-around.ts";
import type { LiveSequencesOptions } from "../sequences/live-sequences.ts";
import { createSequencedModel, type SequencedHandle } from "../sequences/sequenced-model.ts";
import { isSameState, type PipelineState } from "./pipeline-state.ts";

/** A pipeline that takes and gives the states of its steps as tensors, while it has some. */
export interface StatefulHandle extends ServedModelHandle {
  readonly state: PipelineState | undefined;
}

type Parts = Pick<LiveSequencesOptions, "clock" | "onEnd">;

/**
 * Keeps the states of a pipeline's steps, so that clients see it without them. All states of a request are kept when the whole of it was answered, and none when
 * any step failed. The sequences end when a model of a step is loaded again as another one. Owns `inner`.
 */
export function createPipelineWithSequences(inner: StatefulHandle, parts: Parts): ServedModelHandle {
  return new PipelineWithSequences(inner, parts);
}

class PipelineWithSequences extends ModelAround {
  readonly #pipeline: StatefulHandle;
  readonly #parts: Parts;
  readonly #stopListening: () => void;
  #description: ModelDescription | undefined;
  #state: PipelineState | undefined;
  #sequenced: SequencedHandle | undefined;

  constructor(inner: StatefulHandle, parts: Parts) {
    super(inner);
    this.#pipeline = inner;
    this.#parts = parts;
    this.#stopListening = inner.onHealthChange(() => this.#current());
  }

  override get description(): ModelDescription {
    return this.#current()?.description ?? this.inner.description;
  }

  override get settings(): RunSettings {
    const { settings } = this.inner;
    const sequences = this.#current()?.settings.sequences;
    return sequences === undefined ? settings : { ...settings, sequences };
  }

  override get stateless(): StatelessModel | undefined {
    const { state } = this.#pipeline;
    return state && { model: this.inner, kept: state.kept, limits: state.limits };
  }

  submit(request: InferRequest, receiver: ResultReceiver<InferResponse>): void {
    try {
      this.requireOpen();
      const sequenced = this.#current();
      if (sequenced === undefined) this.inner.submit(request, receiver);
      else this.#ask(sequenced, request, receiver);
    } catch (error) {
      receiver.reject(ServeError.from(error));
    }
  }

  #ask(sequenced: SequencedHandle, request: InferRequest, receiver: ResultReceiver<InferResponse>): void {
    const { taken } = this;
    taken.begin();
    sequenced.submit(request, {
      resolve(response) {
        taken.end();
        receiver.resolve(response);
      },
      reject(error) {
        taken.end();
        receiver.reject(error);
      },
    });
  }

  override holdsSequence(request: InferRequest): boolean {
    return this.#current()?.holdsSequence?.(request) === true;
  }

  override liveSequences(): number {
    return this.#current()?.liveSequences?.() ?? 0;
  }

  override gauges(): Promise<ModelGauges> {
    return (this.#current() ?? this.inner).gauges();
  }

  override inFlight(): number {
    return this.inner.inFlight() + this.taken.count;
  }

  override onIdle(listener: () => void): () => void {
    return this.onBothIdle(listener);
  }

  override destroy(reason: string): void {
    super.destroy(reason);
    this.#end();
  }

  protected override async drain(): Promise<void> {
    await super.drain();
    this.#end();
  }

  /** Undefined: no step has a state. */
  #current(): SequencedHandle | undefined {
    const { description, state } = this.#pipeline;
    if (description === this.#description) return this.#sequenced;
    this.#description = description;
    // Models that load on first use come back as they were; others keep another thing.
    if (this.#sequenced === undefined || !isSameState(this.#state, state)) {
      this.#sequenced?.endSequences();
      this.#state = state;
      this.#sequenced =
        state &&
        createSequencedModel(this.inner, state.plan, {
          ...this.#parts,
          ...state.limits,
          controls: state.controls,
        });
    }
    return this.#sequenced;
  }

  #end(): void {
    this.#stopListening();
    this.#sequenced?.endSequences();
  }
}
