import { ServeError } from "../base/errors.ts";
import type { RunRequest, RunResult } from "../base/run.ts";
import { cutOutputs, findBadOutput } from "./cut.ts";
import type { Executor } from "./executor.ts";
import type { Slot } from "./executor-pool.ts";
import type { Piece } from "./job.ts";
import { joinPieces } from "./join.ts";
import { noInstance, quarantined, type Rejection, unreachable } from "./rejection.ts";
import { RerunLine } from "./rerun-line.ts";
import type { SchedulerParts } from "./scheduler-parts.ts";
import { stampAnswer, stampDispatch } from "./stamp.ts";
import { WakeTimer } from "./wake-timer.ts";

interface Run {
  readonly slot: Slot;
  readonly pieces: readonly Piece[];
  readonly rows: number;
  readonly dispatchedMs: number;
  /** The same on the clock that stands still while this process does. */
  readonly awakeMs: number;
}

/** Brings what waits to the executors, and what they answer back to the requests. */
export class Dispatcher {
  readonly #parts: SchedulerParts;
  readonly #timer: WakeTimer;
  readonly #reruns = new RerunLine();
  readonly #running = new Set<Run>();
  readonly #onProgress: () => void;

  /** `onProgress` is called whenever a request or a run may have been the last one. */
  constructor(parts: SchedulerParts, onProgress: () => void) {
    this.#parts = parts;
    this.#onProgress = onProgress;
    this.#timer = new WakeTimer(parts.clock, () => this.dispatch(parts.clock.nowMs()));
    parts.jobs.onAbandoned = () => this.#tidy();
  }

  get runningRuns(): number {
    return this.#running.size;
  }

  get runningRows(): number {
    let rows = 0;
    for (const run of this.#running) rows += run.rows;
    return rows;
  }

  get retryingRuns(): number {
    return this.#reruns.length;
  }

  /** Gives every free executor what is due, and sleeps until something may change by itself. */
  dispatch(nowMs: number): void {
    const { jobs, pool, batcher } = this.#parts;
    jobs.expire(nowMs);
    let slot = pool.free();
    while (slot !== undefined) {
      const pieces = this.#nextBatch(nowMs);
      if (pieces === undefined) break;
      if (pieces.length > 0) this.#launch(slot, pieces);
      slot = pool.free();
    }
    const batchMs = slot === undefined ? Number.POSITIVE_INFINITY : batcher.nextWakeAt();
    const expiryMs = jobs.deadlines.peek()?.expiresMs ?? Number.POSITIVE_INFINITY;
    this.#timer.wakeAt(Math.min(batchMs, expiryMs), nowMs);
    this.#tidy();
  }

  /** Rejects everything that does not run. */
  rejectWaiting(rejection: Rejection): void {
    for (const piece of this.#parts.batcher.all()) this.#parts.jobs.reject(piece.job, rejection);
    for (const piece of this.#reruns.takeAll()) this.#parts.jobs.reject(piece.job, rejection);
  }

  /** Rejects everything that runs, too; what the executors still answer is dropped. */
  abort(rejection: Rejection): void {
    this.rejectWaiting(rejection);
    for (const run of this.#running) {
      for (const piece of run.pieces) this.#parts.jobs.reject(piece.job, rejection);
    }
    this.#running.clear();
    this.stop();
  }

  /** Lets go of the timer. */
  stop(): void {
    this.#timer.stop();
  }

  /** Undefined: nothing is due. Empty: all of the batch was dropped on the way. */
  #nextBatch(nowMs: number): readonly Piece[] | undefined {
    const rerun = this.#reruns.next();
    if (rerun !== undefined) return rerun.filter((piece) => this.#mayRerun(piece, nowMs));
    const { batcher, jobs, admission } = this.#parts;
    const batch = batcher.take(nowMs);
    if (batch === undefined) return undefined;
    let hasLate = false;
    for (let i = 0; i < batch.length; i++) {
      const piece = batch[i]!;
      jobs.leftQueue(piece);
      if (!admission.isTooLate(piece, nowMs)) continue;
      hasLate = true;
      jobs.reject(piece.job, unreachable());
    }
    return hasLate ? batch.filter((piece) => !piece.job.isSettled) : batch;
  }

  #mayRerun(piece: Piece, nowMs: number): boolean {
    const { recovery, jobs } = this.#parts;
    if (piece.job.isSettled) return false;
    if (piece.deaths === 0 || recovery.quarantine.judge(piece.job, nowMs) !== "quarantined") return true;
    jobs.reject(piece.job, quarantined());
    return false;
  }

  #launch(slot: Slot, pieces: readonly Piece[]): void {
    const { plan, clock, awake, pool, recovery } = this.#parts;
    let rows = 0;
    for (let i = 0; i < pieces.length; i++) rows += pieces[i]!.rows;
    const request = joinPieces(plan, pieces);
    const dispatchedMs = clock.nowMs();
    for (let i = 0; i < pieces.length; i++) stampDispatch(pieces[i]!, slot.freeSinceMs, dispatchedMs);
    pool.claim(slot);
    recovery.noteRun(dispatchedMs);
    const run: Run = { slot, pieces, rows, dispatchedMs, awakeMs: awake.nowMs() };
    this.#running.add(run);
    start(slot.executor, request).then(
      (result) => this.#answered(run, result),
      (thrown: unknown) => this.#failed(run, ServeError.from(thrown)),
    );
  }

  #answered(run: Run, result: RunResult): void {
    if (!this.#running.has(run)) return;
    const { plan, estimate, tally, jobs, awake } = this.#parts;
    const bad = findBadOutput(plan, result, run.rows);
    if (bad !== undefined) {
      this.#failed(run, bad);
      return;
    }
    const nowMs = this.#end(run);
    const requests = run.pieces.length;
    const { rows, dispatchedMs } = run;
    // A run that was slept through says nothing of those to come.
    const serviceMs = awake.nowMs() - run.awakeMs;
    estimate.observe(serviceMs, requests, nowMs);
    tally.runFinished({ rows, requests, dispatchedMs, answeredMs: nowMs, computeMs: result.computeMs });
    // The executor goes on first; the answers are cut while it works.
    this.dispatch(nowMs);
    const outputs = cutOutputs(plan, result, run.pieces);
    for (let i = 0; i < requests; i++) {
      const piece = run.pieces[i]!;
      if (piece.job.isSettled) continue;
      stampAnswer(piece, nowMs, result.computeMs);
      jobs.finish(piece, outputs[i]!, rows);
    }
    this.#tidy();
  }

  #failed(run: Run, error: ServeError): void {
    if (!this.#running.has(run)) return;
    const { recovery, jobs, tally, pool } = this.#parts;
    const nowMs = this.#end(run);
    const plan = recovery.plan(
      {
        pieces: run.pieces.filter((piece) => !piece.job.isSettled),
        isAlone: run.pieces.length === 1,
        dispatchedMs: run.dispatchedMs,
      },
      error,
      nowMs,
    );
    for (const failure of plan.failures) jobs.fail(failure.piece.job, failure.error);
    const retried = plan.reruns.reduce((sum, group) => sum + group.length, 0);
    if (retried > 0) tally.requestsRetried(plan.kind, retried);
    this.#reruns.addFirst(plan.reruns);
    if (pool.isGone) this.rejectWaiting(noInstance());
    this.dispatch(nowMs);
  }

  #end(run: Run): number {
    const nowMs = this.#parts.clock.nowMs();
    this.#running.delete(run);
    this.#parts.pool.release(run.slot, nowMs);
    return nowMs;
  }

  #tidy(): void {
    this.#reruns.tidy();
    this.#onProgress();
  }
}

/** An executor that throws instead of rejecting must not break the queue. */
function start(executor: Executor, request: RunRequest): Promise<RunResult> {
  try {
    return executor.run(request);
  } catch (thrown) {
    return Promise.reject(thrown);
  }
}
