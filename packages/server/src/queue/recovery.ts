import type { ServeError } from "../base/errors.ts";
import type { Piece } from "./job.ts";
import type { RetryKind } from "./observer.ts";
import { Quarantine } from "./quarantine.ts";
import type { QueueConfig } from "./queue-config.ts";
import { quarantined } from "./rejection.ts";
import { RetryBudget } from "./retry-budget.ts";

/** A request parameter: `true` means the model must not see this request twice (its handler has side effects). */
export const NO_RETRY_PARAMETER = "no_retry";

/** A worker that dies again and again before it begins is not worth waiting for. */
const MOST_FREE_RETRIES = 100;

/** A failed run, as far as it matters for what comes next. */
export interface FailedRun {
  /** Those whose request still waits for an answer. */
  readonly pieces: readonly Piece[];
  /** No other request, not even one that was cancelled meanwhile, was in the run. */
  readonly isAlone: boolean;
  readonly dispatchedMs: number;
}

export interface RecoveryPlan {
  readonly kind: RetryKind;
  /** Batches to run next, in this order. */
  readonly reruns: readonly (readonly Piece[])[];
  readonly failures: readonly { readonly piece: Piece; readonly error: ServeError }[];
}

/**
 * What happens to the requests of a failed run.
 * - The worker lives and the batch failed: it is run again in halves until the bad request is alone; its mates succeed.
 * - The worker died (or hung) while it ran: every request is run once more, alone, within the retry budget. Alone, so that a request
 *   that kills workers costs two of them and no third, and then is refused (see `Quarantine`).
 * - The worker died before it began: the same batch again, free of charge.
 */
export class Recovery {
  readonly quarantine: Quarantine;
  readonly #budget: RetryBudget;

  constructor(config: Pick<QueueConfig, "retryRatio" | "retryMinimum" | "quarantineMs">) {
    this.quarantine = new Quarantine(config.quarantineMs);
    this.#budget = new RetryBudget({ ratio: config.retryRatio, minimum: config.retryMinimum });
  }

  noteRun(nowMs: number): void {
    this.#budget.noteRun(nowMs);
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
    const mayRetry = this.#budget.take(nowMs);
    const reruns: Piece[][] = [];
    const failures: { piece: Piece; error: ServeError }[] = [];
    for (const piece of run.pieces) {
      piece.deaths += 1;
      const isLast = !mayRetry || forbidsRetry(piece);
      const isCondemned = (run.isAlone || isLast) && this.quarantine.blame(piece, run, nowMs);
      if (isCondemned) failures.push({ piece, error: quarantined() });
      else if (isLast) failures.push({ piece, error });
      else reruns.push([piece]);
    }
    return { kind: "died", reruns, failures };
  }
}

function kindOf(error: ServeError): RetryKind {
  if (error.reason === "worker_died_waiting") return "waiting";
  return error.reason === "worker_died" || error.reason === "execution_timeout" ? "died" : "bisect";
}

function forbidsRetry(piece: Piece): boolean {
  return piece.job.request.parameters.get(NO_RETRY_PARAMETER) === true;
}

function planFree(run: FailedRun, error: ServeError): RecoveryPlan {
  const rerun: Piece[] = [];
  const failures: { piece: Piece; error: ServeError }[] = [];
  for (const piece of run.pieces) {
    piece.freeRetries += 1;
    if (piece.freeRetries > MOST_FREE_RETRIES) failures.push({ piece, error });
    else rerun.push(piece);
  }
  return { kind: "waiting", reruns: rerun.length > 0 ? [rerun] : [], failures };
}

function planBisect(run: FailedRun, error: ServeError): RecoveryPlan {
  const isLast = (piece: Piece) => run.isAlone || forbidsRetry(piece);
  const failures = run.pieces.filter(isLast).map((piece) => ({ piece, error }));
  const rest = run.pieces.filter((piece) => !isLast(piece));
  const half = Math.ceil(rest.length / 2);
  const reruns = [rest.slice(0, half), rest.slice(half)].filter((group) => group.length > 0);
  return { kind: "bisect", reruns, failures };
}
