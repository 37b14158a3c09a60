import { ServeError } from "../../base/errors.ts";
import type { InferRequest, InferResponse } from "../../base/infer-request.ts";
import type { SequenceTurns } from "../../base/model-description.ts";
import type { ResultReceiver } from "../../base/result-receiver.ts";
import type { ModelGauges, ServedModelHandle } from "../../models/served-model-handle.ts";
import { ModelAround } from "../model-around.ts";
import { LiveSequences, type LiveSequencesOptions } from "./live-sequences.ts";
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

class TurnTakingModel extends ModelAround implements StepListener {
  readonly #turns: SequenceTurns;
  readonly #sequences: LiveSequences;

  constructor(
    inner: ServedModelHandle,
    turns: SequenceTurns,
    { clock }: Pick<LiveSequencesOptions, "clock">,
  ) {
    super(inner, { settings: { ...inner.settings, sequences: turns } });
    this.#turns = turns;
    const { idleMs, maxSequences } = turns;
    this.#sequences = new LiveSequences({
      clock,
      idleMs,
      maxSequences,
      maxBytes: Number.POSITIVE_INFINITY,
    });
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
      const isBusy = sequence.running !== undefined;
      if (isBusy && sequence.waiting.length >= this.#turns.maxWaiting) throw this.#waitingFull(flags.id);
      this.taken.begin();
      const step = new SequenceStep(this, sequence, { request, receiver, flags });
      if (isBusy) step.wait();
      else this.#run(step);
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
    return id !== undefined && this.#sequences.get(keyOf(request, id)) !== undefined;
  }

  override liveSequences(): number {
    return this.#sequences.size;
  }

  override async gauges(): Promise<ModelGauges> {
    const { size, bytes } = this.#sequences;
    return { ...(await this.inner.gauges()), sequences: { live: size, stateBytes: bytes } };
  }

  override destroy(reason: string): void {
    super.destroy(reason);
    this.#sequences.endAll();
  }

  stepAnswered(step: SequenceStep, response: InferResponse): void {
    step.receiver.resolve(response);
    this.#finish(step);
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
    else this.#finish(step);
  }

  #sequenceOf(key: string, id: string): Sequence {
    const known = this.#sequences.get(key);
    if (known !== undefined) return known;
    const { maxSequences, idleMs } = this.#turns;
    if (this.#sequences.isFull)
      throw new ServeError(
        "resource_exhausted",
        `the model "${this.name}" has ${maxSequences} live sequences (maxNumSequence), and ${idText(id)} is another; idle ones end after ${idleMs / 1000} s (sequenceMaxIdleMSec)`,
        { reason: "too_many_sequences" },
      );
    return this.#sequences.begin(key);
  }

  #run(step: SequenceStep): void {
    step.sequence.running = step;
    this.#sequences.wake(step.sequence);
    // Between its turn and now it may have become worthless.
    const { abortError } = step;
    if (abortError === undefined) this.inner.submit(step.request, step);
    else step.reject(abortError);
  }

  /** The next one runs in a turn of its own: whoever tells of a result must not be asked for another before it is done. */
  #finish({ sequence, flags }: SequenceStep): void {
    this.taken.end();
    const next = sequence.waiting.shift();
    sequence.running = next;
    if (next !== undefined) {
      next.endWait();
      queueMicrotask(() => this.#run(next));
    } else if (flags.isEnd) this.#sequences.end(sequence, "ended");
    else this.#sequences.rest(sequence);
  }

  protected override async drain(): Promise<void> {
    await super.drain();
    this.#sequences.endAll();
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
