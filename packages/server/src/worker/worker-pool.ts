import type { Clock } from "../base/clock.ts";
import { ServeError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { Backoff } from "./backoff.ts";
import type { Worker } from "./worker.ts";

export interface WorkerPoolOptions {
  /** Starts a worker; `id` is unique in this pool. `isWanted`: somebody waits for it, or soon will. */
  spawn(id: string, isWanted: boolean): Worker;
  /** How many workers are kept started ahead; 0 is allowed. */
  readonly spares: number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
}

/** A taken spare is replaced after this pause, so that the new process does not compete with the load it was taken for. */
const REFILL_DELAY_MS = 250;

/** Workers started ahead, so that a model loads and a dead worker is replaced without waiting for a process to start. */
export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #spares: Worker[] = [];
  readonly #backoff: Backoff;
  #count = 0;
  #cancelRefill: (() => void) | undefined;
  #isClosed = false;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.clock, options.random);
    this.#refill(true);
  }

  /** A started worker that belongs to the caller from the moment that `onStart` is told of it. Rejects with ServeError `unavailable` when none can be started. */
  async take(onStart: (worker: Worker) => void = () => {}): Promise<Worker> {
    if (this.#isClosed) throw new ServeError("unavailable", "the server is closing", { reason: "closing" });
    const worker = this.#spares.shift() ?? this.#spawn(true);
    this.#scheduleRefill(REFILL_DELAY_MS);
    onStart(worker);
    await worker.ready;
    return worker;
  }

  async close(): Promise<void> {
    this.#stop();
    await Promise.all(this.#spares.splice(0).map((worker) => worker.close()));
  }

  destroy(reason: string): void {
    this.#stop();
    for (const worker of this.#spares.splice(0)) worker.destroy(reason);
  }

  #stop(): void {
    this.#isClosed = true;
    this.#cancelRefill?.();
    this.#cancelRefill = undefined;
  }

  #spawn(isWanted: boolean): Worker {
    this.#count++;
    return this.#options.spawn(`w${this.#count}`, isWanted);
  }

  /** The first ones are for the models that are about to be loaded; later ones wait for a death or a new model, maybe for days. */
  #refill(isStart: boolean): void {
    while (this.#spares.length < this.#options.spares) {
      const worker = this.#spawn(isStart);
      this.#spares.push(worker);
      worker.ready.then(
        () => this.#backoff.success(),
        () => {},
      );
      void worker.ended.then(({ reason }) => this.#replace(worker, reason));
    }
  }

  #replace(worker: Worker, reason: string): void {
    const index = this.#spares.indexOf(worker);
    if (index < 0 || this.#isClosed) return;
    this.#spares.splice(index, 1);
    this.#options.logger.warn({ worker: worker.id, reason }, "a spare worker ended");
    this.#scheduleRefill(this.#backoff.fault());
  }

  #scheduleRefill(delayMs: number): void {
    if (this.#isClosed || this.#cancelRefill !== undefined || this.#options.spares === 0) return;
    this.#cancelRefill = this.#options.clock.after(delayMs, () => {
      this.#cancelRefill = undefined;
      this.#refill(false);
    });
  }
}
