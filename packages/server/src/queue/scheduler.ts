import type { Clock } from "../base/clock.ts";
import { ServeError } from "../base/errors.ts";
import type { InferRequest } from "../base/infer-request.ts";
import type { RunResult } from "../base/run.ts";
import type { Signature } from "../base/signature.ts";
import { Admission } from "./admission.ts";
import { type BatchPlan, compileBatchPlan } from "./batch-plan.ts";
import { Batcher } from "./batcher.ts";
import { cutOutputs, findBadOutput } from "./cut.ts";
import type { Executor } from "./executor.ts";
import { ExecutorPool, type Slot } from "./executor-pool.ts";
import type { Answer, Job, Piece } from "./job.ts";
import { joinPieces } from "./join.ts";
import { LiveJobs } from "./live-jobs.ts";
import { makeJob } from "./make-job.ts";
import { type QueueObserver, silentObserver } from "./observer.ts";
import type { QueueConfig } from "./queue-config.ts";
import type { Quota } from "./quota.ts";
import { Recovery } from "./recovery.ts";
import {
  abandoned,
  draining,
  expired,
  noInstance,
  quarantined,
  quotaExceeded,
  type Rejection,
  shutDown,
  unreachable,
} from "./rejection.ts";
import { ServiceEstimate } from "./service-estimate.ts";
import type { QueueSnapshot } from "./snapshot.ts";
import { stampAnswer, stampDispatch } from "./stamp.ts";
import { Tally } from "./tally.ts";
import { WakeTimer } from "./wake-timer.ts";

export interface SchedulerOptions {
  readonly signature: Signature;
  readonly config: QueueConfig;
  /** May change while the scheduler lives; `executorsChanged` tells. */
  readonly executors: readonly Executor[];
  readonly clock: Clock;
  /** In [0, 1), for jitter. Default `Math.random`. */
  readonly random?: () => number;
  readonly observer?: QueueObserver;
  /** Requests per tenant. Shared between schedulers when the quota spans models. */
  readonly quota?: Quota;
}

export interface SubmitOptions {
  /** Whose request it is (an opaque key): tenants take turns, have quotas, and cannot harm each other by quarantine. */
  readonly tenant?: string;
}

/** Decides when and with whom the requests of one model run. */
export interface Scheduler {
  /**
   * Queues a request whose inputs were checked against the signature, and answers it with the outputs it asked for. The request's
   * bytes must stay unchanged until then. Rejects with ServeError, reasons as in `REJECT_REASONS` or the executor's own.
   */
  submit(request: InferRequest, options?: SubmitOptions): Promise<Answer>;
  /** An executor became ready, died, failed for good, came or went. */
  executorsChanged(): void;
  snapshot(): QueueSnapshot;
  /** Takes no new requests and resolves when the last run has ended. Idempotent. It waits for executors that restart. */
  close(): Promise<void>;
  /** Rejects everything at once with `unavailable`. Runs that are under way are forgotten. */
  destroy(reason: string): void;
}

export function createScheduler(options: SchedulerOptions): Scheduler {
  return new QueueScheduler(options);
}

interface Run {
  readonly slot: Slot;
  readonly pieces: readonly Piece[];
  readonly rows: number;
  readonly dispatchedMs: number;
}

class QueueScheduler implements Scheduler {
  readonly #plan: BatchPlan;
  readonly #config: QueueConfig;
  readonly #clock: Clock;
  readonly #quota: Quota | undefined;
  readonly #tally: Tally;
  readonly #batcher: Batcher;
  readonly #pool: ExecutorPool;
  readonly #jobs: LiveJobs;
  readonly #admission: Admission;
  readonly #recovery: Recovery;
  readonly #estimate = new ServiceEstimate();
  readonly #timer: WakeTimer;
  readonly #running = new Set<Run>();
  /** Batches of failed runs: next in line, in this order. */
  #reruns: (readonly Piece[])[] = [];
  #state: QueueSnapshot["state"] = "open";
  #drained: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined;

  constructor(options: SchedulerOptions) {
    const { config, clock } = options;
    this.#plan = compileBatchPlan(options.signature, config);
    this.#config = config;
    this.#clock = clock;
    this.#quota = options.quota;
    this.#tally = new Tally(options.observer ?? silentObserver);
    this.#batcher = new Batcher({
      maxRows: this.#plan.maxRows,
      maxDelayMs: config.maxQueueDelayMs,
      preferredSizes: config.preferredBatchSizes,
      levels: config.priorityLevels,
    });
    this.#pool = new ExecutorPool(options.executors, config.pipelineDepth, clock.nowMs());
    this.#recovery = new Recovery(config);
    this.#jobs = new LiveJobs({
      clock,
      batcher: this.#batcher,
      quarantine: this.#recovery.quarantine,
      tally: this.#tally,
      onAbandoned: () => this.#tidy(),
    });
    this.#admission = new Admission({
      config,
      batcher: this.#batcher,
      pool: this.#pool,
      estimate: this.#estimate,
      jobs: this.#jobs,
      random: options.random ?? Math.random,
    });
    this.#timer = new WakeTimer(clock, () => this.#dispatch(this.#clock.nowMs()));
  }

  submit(request: InferRequest, options?: SubmitOptions): Promise<Answer> {
    const nowMs = this.#clock.nowMs();
    let job: Job;
    try {
      job = makeJob(this.#plan, this.#config, { request, tenant: options?.tenant ?? "", nowMs });
    } catch (thrown) {
      return Promise.reject(ServeError.from(thrown));
    }
    const rejection = this.#refuse(job, nowMs);
    if (rejection !== undefined) {
      this.#tally.requestRejected(rejection.reason, 0);
      return Promise.reject(rejection);
    }
    return new Promise((resolve, reject) => {
      job.resolve = resolve;
      job.reject = reject;
      this.#admission.setDue(job, nowMs);
      this.#jobs.add(job);
      this.#dispatch(nowMs);
    });
  }

  executorsChanged(): void {
    const nowMs = this.#clock.nowMs();
    this.#pool.refresh(nowMs);
    if (this.#pool.isGone) this.#rejectWaiting(noInstance());
    this.#dispatch(nowMs);
  }

  snapshot(): QueueSnapshot {
    const nowMs = this.#clock.nowMs();
    let runningRows = 0;
    for (const run of this.#running) runningRows += run.rows;
    return {
      state: this.#state,
      waitingRequests: this.#jobs.waiting,
      waitingRows: this.#batcher.rows,
      waitingBytes: this.#batcher.bytes,
      retryingRuns: this.#reruns.length,
      runningRuns: this.#running.size,
      runningRows,
      liveRequests: this.#jobs.size,
      readyExecutors: this.#pool.readyCount,
      deadlines: this.#jobs.deadlines.size,
      suspects: this.#recovery.quarantine.size,
      ...this.#tally.counts(),
      drainPerSecond: this.#estimate.drainPerMs(nowMs) * 1000,
      serviceP95Ms: this.#estimate.p95Ms(nowMs),
    };
  }

  close(): Promise<void> {
    if (this.#state === "open") this.#state = "draining";
    if (this.#drained === undefined) {
      let resolve = () => {};
      const promise = new Promise<void>((done) => {
        resolve = done;
      });
      this.#drained = { promise, resolve };
    }
    this.#tidy();
    return this.#drained.promise;
  }

  destroy(reason: string): void {
    this.#state = "closed";
    this.#rejectWaiting(shutDown(reason));
    for (const run of this.#running) {
      for (const piece of run.pieces) this.#jobs.reject(piece.job, shutDown(reason));
    }
    this.#running.clear();
    this.#timer.stop();
    this.#tidy();
  }

  #refuse(job: Job, nowMs: number): Rejection | undefined {
    if (this.#state !== "open") return draining();
    if (job.request.signal.aborted) return abandoned(job, nowMs);
    if (nowMs >= job.expiresMs) return expired();
    if (this.#pool.isGone) return noInstance();
    const verdict = this.#recovery.quarantine.judge(job, nowMs);
    if (verdict === "quarantined") return quarantined();
    if (verdict === "suspect") job.shapeKey = `alone ${job.fingerprint}`;
    const quotaWaitMs = this.#quota?.take(job.tenant, nowMs) ?? 0;
    if (quotaWaitMs > 0) return quotaExceeded(Math.ceil(quotaWaitMs));
    return this.#admission.refuse(job, nowMs);
  }

  /** Gives every free executor what is due, and sleeps until something may change by itself. */
  #dispatch(nowMs: number): void {
    this.#jobs.expire(nowMs);
    let slot = this.#pool.free();
    while (slot !== undefined) {
      const pieces = this.#nextBatch(nowMs);
      if (pieces === undefined) break;
      if (pieces.length > 0) this.#launch(slot, pieces);
      slot = this.#pool.free();
    }
    const batchMs = slot === undefined ? Number.POSITIVE_INFINITY : this.#batcher.nextWakeAt();
    const expiryMs = this.#jobs.deadlines.peek()?.expiresMs ?? Number.POSITIVE_INFINITY;
    this.#timer.wakeAt(Math.min(batchMs, expiryMs), nowMs);
    this.#tidy();
  }

  /** Undefined: nothing is due. Empty: all of the batch was dropped on the way. */
  #nextBatch(nowMs: number): readonly Piece[] | undefined {
    const rerun = this.#reruns.shift();
    if (rerun !== undefined) return rerun.filter((piece) => this.#mayRerun(piece, nowMs));
    const batch = this.#batcher.take(nowMs);
    if (batch === undefined) return undefined;
    let hasLate = false;
    for (let i = 0; i < batch.length; i++) {
      const piece = batch[i]!;
      this.#jobs.leftQueue(piece);
      if (!this.#admission.isTooLate(piece, nowMs)) continue;
      hasLate = true;
      this.#jobs.reject(piece.job, unreachable());
    }
    return hasLate ? batch.filter((piece) => !piece.job.isSettled) : batch;
  }

  #mayRerun(piece: Piece, nowMs: number): boolean {
    if (piece.job.isSettled) return false;
    if (piece.deaths === 0 || this.#recovery.quarantine.judge(piece.job, nowMs) !== "quarantined")
      return true;
    this.#jobs.reject(piece.job, quarantined());
    return false;
  }

  #launch(slot: Slot, pieces: readonly Piece[]): void {
    let rows = 0;
    for (let i = 0; i < pieces.length; i++) rows += pieces[i]!.rows;
    const request = joinPieces(this.#plan, pieces);
    const dispatchedMs = this.#clock.nowMs();
    for (let i = 0; i < pieces.length; i++) stampDispatch(pieces[i]!, slot.freeSinceMs, dispatchedMs);
    this.#pool.claim(slot);
    this.#recovery.noteRun(dispatchedMs);
    const run: Run = { slot, pieces, rows, dispatchedMs };
    this.#running.add(run);
    slot.executor.run(request).then(
      (result) => this.#runAnswered(run, result),
      (thrown: unknown) => this.#runFailed(run, ServeError.from(thrown)),
    );
  }

  #runAnswered(run: Run, result: RunResult): void {
    if (!this.#running.has(run)) return;
    const bad = findBadOutput(this.#plan, result, run.rows);
    if (bad !== undefined) {
      this.#runFailed(run, bad);
      return;
    }
    const nowMs = this.#endRun(run);
    const requests = run.pieces.length;
    const { rows, dispatchedMs } = run;
    this.#estimate.observe(nowMs - dispatchedMs, requests, nowMs);
    this.#tally.runFinished({ rows, requests, dispatchedMs, answeredMs: nowMs, computeMs: result.computeMs });
    // The executor goes on first; the answers are cut while it works.
    this.#dispatch(nowMs);
    const outputs = cutOutputs(this.#plan, result, run.pieces);
    for (let i = 0; i < requests; i++) {
      const piece = run.pieces[i]!;
      if (piece.job.isSettled) continue;
      stampAnswer(piece, nowMs, result.computeMs);
      this.#jobs.finish(piece, outputs[i]!, rows);
    }
    this.#tidy();
  }

  #runFailed(run: Run, error: ServeError): void {
    if (!this.#running.has(run)) return;
    const nowMs = this.#endRun(run);
    const plan = this.#recovery.plan(
      {
        pieces: run.pieces.filter((piece) => !piece.job.isSettled),
        isAlone: run.pieces.length === 1,
        dispatchedMs: run.dispatchedMs,
      },
      error,
      nowMs,
    );
    for (const failure of plan.failures) this.#jobs.fail(failure.piece.job, failure.error);
    const retried = plan.reruns.reduce((sum, group) => sum + group.length, 0);
    if (retried > 0) this.#tally.requestsRetried(plan.kind, retried);
    this.#reruns.unshift(...plan.reruns);
    if (this.#pool.isGone) this.#rejectWaiting(noInstance());
    this.#dispatch(nowMs);
  }

  #endRun(run: Run): number {
    const nowMs = this.#clock.nowMs();
    this.#running.delete(run);
    this.#pool.release(run.slot, nowMs);
    return nowMs;
  }

  #rejectWaiting(rejection: Rejection): void {
    for (const piece of this.#batcher.all()) this.#jobs.reject(piece.job, rejection);
    for (const group of this.#reruns.splice(0)) {
      for (const piece of group) this.#jobs.reject(piece.job, rejection);
    }
  }

  /** Lets go of re-runs that nobody waits for, and ends the drain when nothing is left. */
  #tidy(): void {
    if (this.#reruns.length > 0) {
      const isWanted = (piece: Piece) => !piece.job.isSettled;
      this.#reruns = this.#reruns.filter((group) => group.some(isWanted));
    }
    if (this.#drained === undefined || this.#jobs.size > 0 || this.#running.size > 0) return;
    this.#state = "closed";
    this.#timer.stop();
    this.#drained.resolve();
  }
}
