import type { Executor } from "./executor.ts";

/** An executor and what it is busy with. */
export interface Slot {
  readonly executor: Executor;
  outstanding: number;
  /** Since when it could have taken another run. */
  freeSinceMs: number;
  wasReady: boolean;
}

/** Which executor is free. The list it is given may change; `refresh` takes notice. */
export class ExecutorPool {
  readonly #executors: readonly Executor[];
  readonly #depth: number;
  #slots: Slot[] = [];

  constructor(executors: readonly Executor[], depth: number, nowMs: number) {
    this.#executors = executors;
    this.#depth = depth;
    this.refresh(nowMs);
  }

  /** Looks again which executors there are and which are ready. */
  refresh(nowMs: number): void {
    const known = new Map(this.#slots.map((slot) => [slot.executor, slot]));
    this.#slots = this.#executors.map(
      (executor) => known.get(executor) ?? { executor, outstanding: 0, freeSinceMs: nowMs, wasReady: false },
    );
    for (const slot of this.#slots) {
      if (slot.executor.isReady && !slot.wasReady) slot.freeSinceMs = nowMs;
      slot.wasReady = slot.executor.isReady;
    }
  }

  /** The ready executor with the fewest runs outstanding, the first of the list among equals (its caches are warm); undefined: none is free. */
  free(): Slot | undefined {
    let best: Slot | undefined;
    let least = this.#depth;
    for (let i = 0; i < this.#slots.length; i++) {
      const slot = this.#slots[i]!;
      if (slot.outstanding < least && slot.executor.isReady) {
        best = slot;
        least = slot.outstanding;
      }
    }
    return best;
  }

  claim(slot: Slot): void {
    slot.outstanding += 1;
  }

  release(slot: Slot, nowMs: number): void {
    slot.outstanding -= 1;
    slot.freeSinceMs = nowMs;
  }

  get readyCount(): number {
    let count = 0;
    for (let i = 0; i < this.#slots.length; i++) if (this.#slots[i]!.executor.isReady) count += 1;
    return count;
  }

  /** True when no executor will ever be ready again. */
  get isGone(): boolean {
    return this.#slots.every((slot) => slot.executor.isGone === true);
  }
}
