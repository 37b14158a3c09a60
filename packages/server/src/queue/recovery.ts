import type { ServeError } from "../base/errors.ts";
import type { Quarantine } from "./quarantine.ts";
import type { QueueConfig } from "./queue-config.ts";
import type { RetryKind } from "./queue-observer.ts";
import type { BatchItem } from "./queued-request.ts";
import type { Rejection } from "./rejection.ts";
import { SlidingCount } from "./sliding-count.ts";

/** A request parameter: `true` means the model must not see this request twice (its handler has side effects). */
export const NO_RETRY_PARAMETER = "no_retry";

/** A worker that dies again and again before it begins is not worth waiting for. */
const MOST_FREE_RETRIES = 100;
const BUDGET_WINDOW_MS = 10_000;

/** A failed run, as far as it matters for what comes next. */
export interface FailedRun {
  /** Those whose request has no result yet. */
  readonly items: readonly BatchItem[];
  /** No other request, not even one that was cancelled meanwhile, was in the run. */
  readonly isAlone: boolean;
  readonly dispatchedMs: number;
}

export interface RecoveryPlan {
  readonly kind: RetryKind;
  /** Batches to run next, in this order. */
  readonly retries: readonly (readonly BatchItem[])[];
  readonly failures: readonly { readonly item: BatchItem; readonly error: ServeError }[];
}

/**
 * What happens to the requests of a failed run.
 * - The worker lives and the batch failed: it is run again in halves until the bad request is alone; its mates succeed.
 * - The worker died (or hung) while it ran: every request is run again, alone, within the retry budget. Alone, so that a request
 *   that kills workers costs two of them and no third, and is rejected from then on (see `Quarantine`). One that took too long alone is
 *   not run again for this request.
 * - The worker died before it began, or the model's file changed under it: the same batch again, free of charge.
 */
export class Recovery {
  readonly #quarantine: Quarantine;
  readonly #budget: RetryBudget;

  constructor(config: Pick<QueueConfig, "retryRatio" | "retryMinimum">, quarantine: Quarantine) {
    this.#quarantine = quarantine;
    this.#budget = new RetryBudget({ ratio: config.retryRatio, minimum: config.retryMinimum });
  }

  noteRun(nowMs: number): void {
    this.#budget.noteRun(nowMs);
  }

  /** False when the input went into quarantine after this item's run failed. */
  mayRetry(item: BatchItem, nowMs: number): boolean {
    return item.deaths === 0 || this.#quarantine.judge(item.request, nowMs) !== "quarantined";
  }

  /** For an item that may not be retried. */
  rejectionOf(item: BatchItem): Rejection {
    return this.#quarantine.rejectionOf(item.request);
  }

  plan(run: FailedRun, error: ServeError, nowMs: number): RecoveryPlan {
    switch (kindOf(error)) {
      case "waiting":
        return planFree(run, error);
      case "died":
        return this.#planDied(run, error, nowMs);
      case "bisect":
        return planBisect(run, error);
    }
  }

  #planDied(run: FailedRun, error: ServeError, nowMs: number): RecoveryPlan {
    // What takes too long alone would do so again: the limit may be too low for this model.
    const isFinal = error.reason === "execution_timeout" && run.isAlone;
    const mayRetry = !isFinal && this.#budget.take(nowMs);
    const retries: BatchItem[][] = [];
    const failures: { item: BatchItem; error: ServeError }[] = [];
    for (const item of run.items) {
      item.deaths += 1;
      const isLast = !mayRetry || forbidsRetry(item);
      const isQuarantined =
        (run.isAlone || isLast) && this.#quarantine.recordDeath(item, { ...run, error }, nowMs);
      if (isQuarantined) failures.push({ item, error: this.rejectionOf(item) });
      else if (isLast) failures.push({ item, error });
      else retries.push([item]);
    }
    return { kind: "died", retries, failures };
  }
}

function kindOf(error: ServeError): RetryKind {
  if (error.reason === "worker_died_waiting" || error.reason === "model_file_changed") return "waiting";
  return error.reason === "worker_died" || error.reason === "execution_timeout" ? "died" : "bisect";
}

function forbidsRetry(item: BatchItem): boolean {
  return item.request.request.parameters.get(NO_RETRY_PARAMETER) === true;
}

function planFree(run: FailedRun, error: ServeError): RecoveryPlan {
  const retry: BatchItem[] = [];
  const failures: { item: BatchItem; error: ServeError }[] = [];
  for (const item of run.items) {
    item.freeRetries += 1;
    if (item.freeRetries > MOST_FREE_RETRIES) failures.push({ item, error });
    else retry.push(item);
  }
  return { kind: "waiting", retries: retry.length > 0 ? [retry] : [], failures };
}

function planBisect(run: FailedRun, error: ServeError): RecoveryPlan {
  const isLast = (item: BatchItem) => run.isAlone || forbidsRetry(item);
  const failures = run.items.filter(isLast).map((item) => ({ item, error }));
  const rest = run.items.filter((item) => !isLast(item));
  const half = Math.ceil(rest.length / 2);
  const retries = [rest.slice(0, half), rest.slice(half)].filter((group) => group.length > 0);
  return { kind: "bisect", retries, failures };
}

/**
 * How many batches may be run again because their worker died: a share of all runs of the last ten seconds, and always at least
 * a minimum. One unit per death, not per request: a death costs one worker, however many requests it held.
 */
class RetryBudget {
  readonly #ratio: number;
  readonly #minimum: number;
  readonly #runs = new SlidingCount(BUDGET_WINDOW_MS);
  readonly #retries = new SlidingCount(BUDGET_WINDOW_MS);

  constructor(options: { readonly ratio: number; readonly minimum: number }) {
    this.#ratio = options.ratio;
    this.#minimum = options.minimum;
  }

  noteRun(nowMs: number): void {
    this.#runs.add(1, nowMs);
  }

  /** True when there was a unit left; it is used up then. */
  take(nowMs: number): boolean {
    const allowed = Math.max(this.#minimum, this.#ratio * this.#runs.total(nowMs));
    if (this.#retries.total(nowMs) + 1 > allowed) return false;
    this.#retries.add(1, nowMs);
    return true;
  }
}

/** Batches of failed runs that are to run again, in order; they go before everything that waits. */
export class RetryQueue {
  #groups: (readonly BatchItem[])[] = [];

  get length(): number {
    return this.#groups.length;
  }

  /** Puts batches at the head of the queue. */
  addFirst(groups: readonly (readonly BatchItem[])[]): void {
    if (groups.length > 0) this.#groups = [...groups, ...this.#groups];
  }

  next(): readonly BatchItem[] | undefined {
    return this.#groups.shift();
  }

  /** Empties the queue. */
  takeAll(): BatchItem[] {
    const groups = this.#groups;
    this.#groups = [];
    return groups.flat();
  }

  /** Drops batches whose requests have all ended. */
  tidy(): void {
    if (this.#groups.length === 0) return;
    this.#groups = this.#groups.filter((group) => group.some((item) => !item.request.isSettled));
  }
}
