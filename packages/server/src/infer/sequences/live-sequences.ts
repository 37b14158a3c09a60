import type { Clock } from "../../base/clock.ts";
import type { SequenceLimits } from "../../base/kept-state.ts";
import type { NamedTensor } from "../../base/tensor.ts";
import { Sequence, type SequenceKey } from "./sequence.ts";

/** Why a sequence is not live any more. */
export type SequenceEnd = "ended" | "idle" | "stream_closed" | "lost";

/** What a sequence costs beside its tensors' bytes: its own objects and those of its tensors. 1.6 KiB were measured (F24). */
export const SEQUENCE_BYTES = 2048;

/** Ended at once; others that were idle as long end a moment later. */
const ENDED_AT_ONCE = 1000;
const MOMENT_MS = 1;

export interface LiveSequencesOptions extends SequenceLimits {
  readonly clock: Clock;
  onEnd?(why: SequenceEnd): void;
}

/** The sequences of one model version that have begun and not ended. */
export class LiveSequences {
  readonly #options: LiveSequencesOptions;
  readonly #live = new Map<SequenceKey, Sequence>();
  /** Those that no request is in, longest idle first. */
  readonly #idle = new Set<Sequence>();
  #bytes = 0;
  #cancelTimer: (() => void) | undefined;

  constructor(options: LiveSequencesOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#live.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get isFull(): boolean {
    return this.#live.size >= this.#options.maxSequences;
  }

  /** Whether states may grow by so many bytes. */
  hasRoom(moreBytes: number): boolean {
    const overhead = this.#live.size * SEQUENCE_BYTES;
    return this.#bytes + overhead + moreBytes <= this.#options.maxBytes;
  }

  get(key: SequenceKey): Sequence | undefined {
    return this.#live.get(key);
  }

  begin(key: SequenceKey): Sequence {
    const sequence = new Sequence(key);
    this.#live.set(key, sequence);
    if (typeof key !== "string")
      sequence.leaveStream = key.onClose(() => this.end(sequence, "stream_closed"));
    return sequence;
  }

  /** Replaces its state. */
  keep(sequence: Sequence, state: readonly NamedTensor[], bytes: number): void {
    this.#bytes += bytes - sequence.bytes;
    sequence.bytes = bytes;
    sequence.state = state;
  }

  /** Its last request was answered; one that waits may begin it anew. */
  clear(sequence: Sequence): void {
    if (sequence.state !== undefined) this.#options.onEnd?.("ended");
    this.#bytes -= sequence.bytes;
    sequence.bytes = 0;
    sequence.state = undefined;
  }

  /** A request of it runs: it is not idle. */
  wake(sequence: Sequence): void {
    this.#idle.delete(sequence);
  }

  /** No request is in it. */
  rest(sequence: Sequence): void {
    if (sequence.isGone || sequence.key === undefined) return;
    sequence.dueMs = this.#options.clock.nowMs() + this.#options.idleMs;
    this.#idle.add(sequence);
    this.#cancelTimer ??= this.#options.clock.after(this.#options.idleMs, () => this.#endIdle());
  }

  /** Idempotent. */
  end(sequence: Sequence, why: SequenceEnd): void {
    if (sequence.isGone) return;
    sequence.isGone = true;
    sequence.leaveStream();
    if (sequence.state !== undefined) this.#options.onEnd?.(why);
    this.#bytes -= sequence.bytes;
    sequence.bytes = 0;
    sequence.state = undefined;
    this.#idle.delete(sequence);
    if (sequence.key !== undefined) this.#live.delete(sequence.key);
  }

  /** The model goes. */
  endAll(): void {
    for (const sequence of [...this.#live.values()]) this.end(sequence, "lost");
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  #endIdle(): void {
    const { clock } = this.#options;
    const nowMs = clock.nowMs();
    this.#cancelTimer = undefined;
    let left = ENDED_AT_ONCE;
    for (const sequence of this.#idle) {
      const waitMs = sequence.dueMs > nowMs ? sequence.dueMs - nowMs : MOMENT_MS;
      if (sequence.dueMs > nowMs || left === 0) {
        this.#cancelTimer = clock.after(waitMs, () => this.#endIdle());
        return;
      }
      left -= 1;
      this.end(sequence, "idle");
    }
  }
}
