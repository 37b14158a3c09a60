import type { ModelGauges, ServedModelHandle } from "../../models/served-model-handle.ts";
import { ModelAround } from "../model-around.ts";
import { LiveSequences, type LiveSequencesOptions } from "./live-sequences.ts";
import type { SequenceStep } from "./sequence.ts";

/** A model around another one that runs the requests of one sequence one after another, each with all that `run` does for it. Owns `inner`. */
export abstract class ModelWithSequences extends ModelAround {
  protected readonly sequences: LiveSequences;

  constructor(
    inner: ServedModelHandle,
    own: Partial<Pick<ServedModelHandle, "description" | "settings">>,
    options: LiveSequencesOptions,
  ) {
    super(inner, own);
    this.sequences = new LiveSequences(options);
  }

  override liveSequences(): number {
    return this.sequences.size;
  }

  override async gauges(): Promise<ModelGauges> {
    const { size, bytes } = this.sequences;
    return { ...(await this.inner.gauges()), sequences: { live: size, stateBytes: bytes } };
  }

  /** Ends all of them, and nothing else. */
  endSequences(): void {
    this.sequences.endAll();
  }

  override destroy(reason: string): void {
    super.destroy(reason);
    this.sequences.endAll();
  }

  /** Hands a step that has its turn to the inner model. */
  protected abstract run(step: SequenceStep): void;

  /** Whether a sequence ends with this step, behind which no other waits. */
  protected abstract endsWith(step: SequenceStep): boolean;

  /** Runs a request once those before it in its sequence have run. */
  protected take(step: SequenceStep): void {
    this.taken.begin();
    if (step.sequence.running === undefined) this.run(step);
    else step.wait();
  }

  /** The next one runs in a turn of its own: whoever tells of a result must not be asked for another before it is done. */
  protected finish(step: SequenceStep): void {
    const { sequence } = step;
    this.taken.end();
    const next = sequence.waiting.shift();
    sequence.running = next;
    if (next !== undefined) {
      next.endWait();
      queueMicrotask(() => this.run(next));
    } else if (this.endsWith(step)) this.sequences.end(sequence, "ended");
    else this.sequences.rest(sequence);
  }
}
