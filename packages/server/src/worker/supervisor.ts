import type { Clock } from "../base/clock.ts";
import { ServeError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { Backoff, CRASH_LOOP_DEATHS, CRASH_LOOP_WINDOW_MS } from "./backoff.ts";
import { failureReason, type Worker } from "./worker.ts";

/** A slot's life. `restarting` comes back by itself, `failed` and `closed` do not. */
export type SupervisorState =
  | { readonly kind: "starting" }
  | { readonly kind: "ready"; readonly worker: Worker }
  | { readonly kind: "restarting"; readonly attempt: number; readonly reason: string }
  | { readonly kind: "failed"; readonly reason: string; readonly isOutdated?: true }
  | { readonly kind: "closed" };

/** A worker that was ready for this long did not die of being made ready. */
const STEADY_MS = 1_000;

export interface SupervisorOptions {
  /** A started worker. It belongs to the slot from the moment that `onStart` is told of it, when it may be starting still. */
  acquire(onStart: (worker: Worker) => void): Promise<Worker>;
  /** Makes a worker fit for use, such as by loading a model; rejects when that fails. */
  prepare(worker: Worker): Promise<void>;
  /** Whether a rejection of `prepare` says that what was to be prepared is not there any more. */
  isOutdated(error: ServeError): boolean;
  onChange(state: SupervisorState): void;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
}

/**
 * Keeps one worker alive. When it dies, another one is acquired and prepared: at once after the first death, with growing pauses when
 * deaths follow each other. A worker that answered a call since it became ready had a useful life, and its death starts the count anew;
 * five deaths in 60 s without one are a crash loop, and the slot gives up. One that had stood ready for a while with nothing to do was
 * ended from outside, and does not count: otherwise the second of two instances, which gets work only when the first is busy, would be
 * given up for nothing. Nor does a process that the system would not start: descriptors, say, come back when the flood is over.
 * What is outdated is given up at once.
 */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #backoff: Backoff;
  #state: SupervisorState = { kind: "starting" };
  #worker: Worker | undefined;
  #cancelRestart: (() => void) | undefined;
  #isAtFault = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.clock, options.random);
  }

  get state(): SupervisorState {
    return this.#state;
  }

  /**
   * Brings up the first worker. A death on the way is tried once more, since the fault may not be the model's; then, and when `prepare`
   * rejects, this rejects and the slot is closed.
   */
  async start(): Promise<void> {
    try {
      await this.#bringUp().catch((error: unknown) => {
        if (!isDeath(error) || this.#state.kind !== "starting") throw error;
        this.#options.logger.warn(
          { err: error },
          "the worker died while it was made ready; trying once more",
        );
        return this.#bringUp();
      });
    } catch (error) {
      this.destroy("its start failed");
      throw error;
    }
  }

  /** Lets the worker finish its calls, then ends it. */
  async close(): Promise<void> {
    this.#leave({ kind: "closed" });
    await this.#worker?.close();
  }

  destroy(reason: string): void {
    this.#leave({ kind: "closed" });
    this.#worker?.destroy(reason);
  }

  /** Ends a worker that must not be used any more, and brings up another one. */
  replace(reason: string): void {
    if (this.#state.kind !== "ready") return;
    const { worker } = this.#state;
    this.#enter({ kind: "restarting", attempt: 0, reason });
    worker.destroy(reason);
  }

  /** Ends a worker for a fault of its own, such as growing too large. It counts, also when the worker had nothing to do. */
  fault(reason: string): void {
    if (this.#state.kind !== "ready") return;
    this.#isAtFault = true;
    this.#state.worker.destroy(reason);
  }

  #leave(state: SupervisorState): void {
    this.#cancelRestart?.();
    this.#cancelRestart = undefined;
    if (this.#state.kind !== "closed") this.#enter(state);
  }

  #enter(state: SupervisorState): void {
    this.#state = state;
    this.#options.onChange(state);
  }

  async #bringUp(): Promise<void> {
    const worker = await this.#options.acquire((starting) => {
      this.#worker = starting;
      if (this.#isOver()) starting.destroy("its place was closed");
    });
    this.#worker = worker;
    if (this.#isOver()) worker.destroy("its place was closed");
    await this.#options.prepare(worker);
    if (this.#isOver()) throw new ServeError("cancelled", "the model was closed while it loaded");
    const answered = worker.finishedCalls;
    this.#isAtFault = false;
    this.#enter({ kind: "ready", worker });
    const readyMs = this.#options.clock.nowMs();
    void worker.ended.then(({ reason, wasIdle }) => {
      if (worker.finishedCalls > answered) this.#backoff.success();
      const wasSteady = wasIdle && this.#options.clock.nowMs() - readyMs >= STEADY_MS;
      const counts = this.#isAtFault || !wasSteady || worker.finishedCalls > answered;
      this.#restart(reason, counts ? this.#backoff.fault() : this.#backoff.blameless());
    });
  }

  #isOver(): boolean {
    return this.#state.kind === "closed" || this.#state.kind === "failed";
  }

  #restart(reason: string, delayMs: number): void {
    if (this.#isOver()) return;
    if (this.#backoff.isLoop()) {
      const seconds = CRASH_LOOP_WINDOW_MS / 1000;
      this.#enter({
        kind: "failed",
        reason: `the worker died ${CRASH_LOOP_DEATHS} times in ${seconds} s; last reason: ${reason}`,
      });
      return;
    }
    const attempt = this.#state.kind === "restarting" ? this.#state.attempt + 1 : 1;
    this.#enter({ kind: "restarting", attempt, reason });
    this.#cancelRestart = this.#options.clock.after(delayMs, () => {
      this.#cancelRestart = undefined;
      this.#bringUp().catch((error: unknown) => this.#retry(error));
    });
  }

  /** A try to come back failed: the worker is gone, or useless when only `prepare` failed. */
  #retry(error: unknown): void {
    this.#worker?.destroy("it could not be made ready");
    if (this.#isOver()) return;
    if (this.#options.isOutdated(ServeError.from(error))) {
      this.#enter({ kind: "failed", reason: failureReason(error), isOutdated: true });
      return;
    }
    const isPostponed = ServeError.from(error).reason === "worker_not_started";
    this.#restart(failureReason(error), isPostponed ? this.#backoff.postponed() : this.#backoff.fault());
  }
}

function isDeath(error: unknown): boolean {
  return error instanceof ServeError && error.reason.startsWith("worker_died");
}
