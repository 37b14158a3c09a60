import { ServeError } from "../../base/errors.ts";
import type { InferRequest, InferResponse } from "../../base/infer-request.ts";
import type { SequenceTurns } from "../../base/model-description.ts";
import type { ResultReceiver } from "../../base/result-receiver.ts";
import type { ServedModelHandle } from "../../models/served-model-handle.ts";
import type { LiveSequencesOptions } from "./live-sequences.ts";
import { ModelWithSequences } from "./model-with-sequences.ts";
import { type Sequence, SequenceStep, type StepListener } from "./sequence.ts";
import { idText, sequenceFlags } from "./sequence-parameters.ts";

/**
 * A model that keeps the state of each sequence itself, as TorchServe's handlers do: the requests of one sequence run one after another, so that no two of
 * them share a run; requests without a sequence run as any others. A request that fails ends nothing: what its handler knows then, only the handler knows.
 * Owns `inner`.
 */
export function createTurnTakingModel(
  inner: ServedModelHandle,
  turns: SequenceTurns,
  { clock }: Pick<LiveSequencesOptions, "clock">,
): ServedModelHandle {
  return new TurnTakingModel(inner, turns, { clock });
}

class TurnTakingModel extends ModelWithSequences implements StepListener {
  readonly #turns: SequenceTurns;

  constructor(
    inner: ServedModelHandle,
    turns: SequenceTurns,
    { clock }: Pick<LiveSequencesOptions, "clock">,
  ) {
    const { idleMs, maxSequences } = turns;
    super(
      inner,
      { settings: { ...inner.settings, sequences: turns } },
      { clock, idleMs, maxSequences, maxBytes: Number.POSITIVE_INFINITY },
    );
    this.#turns = turns;
  }

  submit(request: InferRequest, receiver: ResultReceiver<InferResponse>): void {
    try {
      this.requireOpen();
      const flags = sequenceFlags(request.parameters);
      if (flags.id === undefined) {
        this.#pass(request, receiver);
        return;
      }
      const sequence = this.#sequenceOf(keyOf(request, flags.id), flags.id);
      if (sequence.running !== undefined && sequence.waiting.length >= this.#turns.maxWaiting)
        throw this.#waitingFull(flags.id);
      this.take(new SequenceStep(this, sequence, { request, receiver, flags }));
    } catch (error) {
      receiver.reject(ServeError.from(error));
    }
  }

  /** One that belongs to no sequence. */
  #pass(request: InferRequest, receiver: ResultReceiver<InferResponse>): void {
    const { taken } = this;
    taken.begin();
    this.inner.submit(request, {
      resolve(response) {
        receiver.resolve(response);
        taken.end();
      },
      reject(error) {
        receiver.reject(error);
        taken.end();
      },
    });
  }

  override holdsSequence(request: InferRequest): boolean {
    const { id } = sequenceFlags(request.parameters);
    return id !== undefined && this.sequences.get(keyOf(request, id)) !== undefined;
  }

  stepAnswered(step: SequenceStep, response: InferResponse): void {
    step.receiver.resolve(response);
    this.finish(step);
  }

  stepFailed(step: SequenceStep, error: Error): void {
    const { waiting } = step.sequence;
    const wasWaiting = step.isWaiting;
    if (wasWaiting) {
      waiting.splice(waiting.indexOf(step), 1);
      step.endWait();
    }
    step.receiver.reject(error);
    if (wasWaiting) this.taken.end();
    else this.finish(step);
  }

  #sequenceOf(key: string, id: string): Sequence {
    const known = this.sequences.get(key);
    if (known !== undefined) return known;
    const { maxSequences, idleMs } = this.#turns;
    if (this.sequences.isFull)
      throw new ServeError(
        "resource_exhausted",
        `the model "${this.name}" has ${maxSequences} live sequences (maxNumSequence), and ${idText(id)} is another; idle ones end after ${idleMs / 1000} s (sequenceMaxIdleMSec)`,
        { reason: "too_many_sequences" },
      );
    return this.sequences.begin(key);
  }

  protected override run(step: SequenceStep): void {
    step.sequence.running = step;
    this.sequences.wake(step.sequence);
    // Between its turn and now it may have become worthless.
    const { abortError } = step;
    if (abortError === undefined) this.inner.submit(step.request, step);
    else step.reject(abortError);
  }

  protected override endsWith({ flags }: SequenceStep): boolean {
    return flags.isEnd;
  }

  protected override async drain(): Promise<void> {
    await super.drain();
    this.sequences.endAll();
  }

  #waitingFull(id: string): ServeError {
    return new ServeError(
      "unavailable",
      `${this.#turns.maxWaiting} requests of the sequence ${idText(id)} wait for the one before (maxSequenceJobQueueSize); wait for responses before you send more`,
      { reason: "queue_full" },
    );
  }
}

/** No tenant can name another's sequence. */
function keyOf({ tenant = "" }: InferRequest, id: string): string {
  return `${tenant}\n${id}`;
}
