import type { Clock } from "../base/clock.ts";
import { ServeError } from "../base/errors.ts";
import type { NamedTensor } from "../base/tensor.ts";
import type { Batcher } from "./batcher.ts";
import { rejoin } from "./cut.ts";
import { DeadlineHeap } from "./deadline-heap.ts";
import type { Job, JobOwner, Piece } from "./job.ts";
import type { Quarantine } from "./quarantine.ts";
import { abandoned, expired, type Rejection, waitedTooLong } from "./rejection.ts";
import type { Tally } from "./tally.ts";

/**
 * The requests without an answer. Every way for a request to end leads through here and happens once: it leaves the queue, the
 * deadlines and its signal, is counted, and its promise settles.
 */
export class LiveJobs implements JobOwner {
  readonly deadlines: DeadlineHeap = new DeadlineHeap();
  /** Requests without an answer, and those of them that wait, wholly or in part. */
  size = 0;
  waiting = 0;
  /** Called after a request's signal has fired and it is gone. */
  onAbandoned: () => void = () => {};
  readonly #clock: Clock;
  readonly #batcher: Batcher;
  readonly #quarantine: Quarantine;
  readonly #tally: Tally;

  constructor(parts: {
    readonly clock: Clock;
    readonly batcher: Batcher;
    readonly quarantine: Quarantine;
    readonly tally: Tally;
  }) {
    this.#clock = parts.clock;
    this.#batcher = parts.batcher;
    this.#quarantine = parts.quarantine;
    this.#tally = parts.tally;
  }

  /** Puts all pieces of a request into the queue. */
  add(job: Job): void {
    this.size += 1;
    this.waiting += 1;
    for (let piece = job.first; piece !== undefined; piece = piece.sibling) {
      this.#batcher.push(piece);
      job.waitingPieces += 1;
    }
    if (job.expiresMs !== Number.POSITIVE_INFINITY) this.deadlines.add(job);
    job.watch(this);
  }

  /** The batcher gave this piece away. */
  leftQueue(piece: Piece): void {
    piece.job.waitingPieces -= 1;
    if (piece.job.waitingPieces === 0) this.waiting -= 1;
  }

  /** A piece came back with its outputs; the request is answered when it was the last. */
  finish(piece: Piece, outputs: readonly NamedTensor[], batchRows: number): void {
    const job = piece.job;
    job.piecesLeft -= 1;
    if (job.first!.sibling === undefined) {
      this.#answer(job, outputs, batchRows);
      return;
    }
    piece.outputs = outputs;
    if (job.piecesLeft > 0) return;
    const joined = rejoin(job);
    if (joined instanceof ServeError) this.fail(job, joined);
    else this.#answer(job, joined, batchRows);
  }

  /** The model could not answer it. */
  fail(job: Job, error: ServeError): void {
    if (job.isSettled) return;
    this.#release(job);
    this.#tally.requestFailed(error.reason, this.#clock.nowMs() - job.queuedMs);
    job.reject(error);
  }

  /** The scheduler gives it up. */
  reject(job: Job, rejection: Rejection): void {
    if (job.isSettled) return;
    this.#release(job);
    this.#tally.requestRejected(rejection.reason, this.#clock.nowMs() - job.queuedMs);
    job.reject(rejection);
  }

  /** Its signal fired. */
  abandoned(job: Job): void {
    this.reject(job, abandoned(job, this.#clock.nowMs()));
    this.onAbandoned();
  }

  /** Rejects what has run out of time. A queue timeout does not concern requests that run already. */
  expire(nowMs: number): void {
    for (
      let job = this.deadlines.peek();
      job !== undefined && job.expiresMs <= nowMs;
      job = this.deadlines.peek()
    ) {
      if (nowMs >= job.deadlineMs) this.reject(job, expired());
      else if (job.waitingPieces > 0) this.reject(job, waitedTooLong(job.expiresMs - job.queuedMs));
      else this.#outwait(job);
    }
  }

  /** It got out of the queue in time; from now on only its own deadline counts. */
  #outwait(job: Job): void {
    this.deadlines.remove(job);
    job.expiresMs = job.deadlineMs;
    if (job.expiresMs !== Number.POSITIVE_INFINITY) this.deadlines.add(job);
  }

  #answer(job: Job, outputs: readonly NamedTensor[], batchRows: number): void {
    this.#release(job);
    this.#quarantine.absolve(job);
    this.#tally.requestAnswered(job.request.timeline, job.rows);
    job.resolve({ outputs, batchRows });
  }

  /** Nothing of the request stays behind, except in runs that are under way. */
  #release(job: Job): void {
    job.isSettled = true;
    job.unwatch();
    this.deadlines.remove(job);
    this.size -= 1;
    if (job.waitingPieces === 0) return;
    for (let piece = job.first; piece !== undefined; piece = piece.sibling) {
      if (piece.bucket === undefined) continue;
      this.#batcher.remove(piece);
      this.leftQueue(piece);
    }
  }
}
