import type { RequestHead } from "../base/request-head.ts";
import type { Batcher } from "./batcher.ts";
import type { ExecutorPool } from "./executor-pool.ts";
import type { Job, Piece } from "./job.ts";
import type { LiveJobs } from "./live-jobs.ts";
import type { QueueConfig } from "./queue-config.ts";
import { gaveWay, queueFull, type Rejection, unreachable } from "./rejection.ts";
import type { ServiceEstimate } from "./service-estimate.ts";

const LEAST_RETRY_MS = 50;
const MOST_RETRY_MS = 30_000;
const UNKNOWN_RETRY_MS = 1_000;
/** Level of the highest priority. */
const HIGHEST = 0;

/** What admission looks at, and where it drops requests that wait. */
export interface AdmissionView {
  readonly config: QueueConfig;
  readonly batcher: Batcher;
  readonly pool: ExecutorPool;
  readonly estimate: ServiceEstimate;
  readonly jobs: LiveJobs;
  /** In [0, 1). */
  readonly random: () => number;
}

/**
 * Decides at the door whether a request may wait. When the queue is full it makes room in this order: expired and cancelled requests
 * (they have left already), those whose deadline cannot be met, those of the lowest priority, those of the tenant with the most waiting.
 */
export class Admission {
  readonly #view: AdmissionView;
  #lastScanMs = Number.NEGATIVE_INFINITY;

  constructor(view: AdmissionView) {
    this.#view = view;
  }

  /** False: a request may wait, as far as its body does not speak against it. Cheap enough to ask for every request. */
  get isFull(): boolean {
    return this.#isQueueFull;
  }

  /** Why this request must not wait; undefined: it may, and room was made for it. */
  refuse(job: Job, nowMs: number): Rejection | undefined {
    const { batcher, jobs } = this.#view;
    if (this.#isIdle) return undefined;
    if (this.#isUnreachable(job.deadlineMs, batcher.rowsAhead(job.level), nowMs)) return unreachable();
    if (this.#fits(job)) return undefined;
    this.#shedUnreachable(nowMs);
    while (!this.#fits(job)) {
      const victim = batcher.victim(job.level, job.tenant);
      if (victim === undefined) return queueFull(jobs.waiting, this.retryAfterMs(nowMs));
      jobs.reject(victim.job, gaveWay(this.retryAfterMs(nowMs)));
    }
    return undefined;
  }

  /**
   * Why a request must not wait whatever its body says: the same as `refuse` says of one that has no bytes and the highest priority.
   * Undefined: the body decides.
   */
  refuseUnread(
    { tenant = "", deadlineMs = Number.POSITIVE_INFINITY }: RequestHead,
    nowMs: number,
  ): Rejection | undefined {
    const { batcher, jobs } = this.#view;
    if (this.#isIdle) return undefined;
    if (!this.#isQueueFull) return undefined;
    if (this.#isUnreachable(deadlineMs, batcher.rowsAhead(HIGHEST), nowMs)) return unreachable();
    this.#shedUnreachable(nowMs);
    // Whom a request of the highest priority cannot push out, none can.
    if (!this.#isQueueFull || batcher.victim(HIGHEST, tenant) !== undefined) return undefined;
    return queueFull(jobs.waiting, this.retryAfterMs(nowMs));
  }

  /** Sets until when its pieces may wait for mates: the queue's delay, or less when its deadline is near. */
  setDue(job: Job, nowMs: number): void {
    let dueMs = nowMs + this.#view.config.maxQueueDelayMs;
    if (job.expiresMs !== Number.POSITIVE_INFINITY)
      dueMs = Math.min(dueMs, job.expiresMs - this.#reserveMs(job, nowMs));
    for (let piece = job.first; piece !== undefined; piece = piece.sibling) piece.dueMs = dueMs;
  }

  /** True when a piece that has waited cannot be answered in time even if it ran right now. */
  isTooLate(piece: Piece, nowMs: number): boolean {
    const deadlineMs = piece.job.deadlineMs;
    if (deadlineMs === Number.POSITIVE_INFINITY || nowMs <= piece.job.queuedMs) return false;
    const p95Ms = this.#view.estimate.p95Ms(nowMs);
    return p95Ms !== undefined && nowMs + p95Ms > deadlineMs;
  }

  /** When the queue should be half empty at the present pace, give or take half, so that clients do not come back all at once. */
  retryAfterMs(nowMs: number): number {
    const perMs = this.#view.estimate.drainPerMs(nowMs);
    const waitMs = perMs > 0 ? this.#view.jobs.waiting / 2 / perMs : UNKNOWN_RETRY_MS;
    const jittered = waitMs * (0.5 + this.#view.random());
    return Math.round(Math.min(MOST_RETRY_MS, Math.max(LEAST_RETRY_MS, jittered)));
  }

  /** What is kept of the time left for the run itself; half, while its usual time is not known. */
  #reserveMs(job: Job, nowMs: number): number {
    return Math.min(
      (job.expiresMs - nowMs) / 2,
      this.#view.estimate.p95Ms(nowMs) ?? Number.POSITIVE_INFINITY,
    );
  }

  get #isIdle(): boolean {
    const { batcher, pool } = this.#view;
    return batcher.size === 0 && pool.free() !== undefined;
  }

  get #isQueueFull(): boolean {
    const { config, jobs } = this.#view;
    return jobs.waiting >= config.maxQueueSize;
  }

  #fits(job: Job): boolean {
    const { config, batcher } = this.#view;
    if (this.#isQueueFull) return false;
    return batcher.size === 0 || batcher.bytes + job.bytes <= config.maxQueueBytes;
  }

  /** `rowsAhead` run first, in full batches, shared by all ready executors; half a run is still going on. */
  #isUnreachable(deadlineMs: number, rowsAhead: number, nowMs: number): boolean {
    if (deadlineMs === Number.POSITIVE_INFINITY) return false;
    const { estimate, pool, config } = this.#view;
    const p95Ms = estimate.p95Ms(nowMs);
    const meanMs = estimate.meanMs(nowMs);
    if (p95Ms === undefined || meanMs === undefined) return false;
    const runsAhead = Math.floor(rowsAhead / config.maxBatchSize) + 0.5;
    const waitMs = (runsAhead * meanMs) / Math.max(1, pool.readyCount);
    return nowMs + waitMs + p95Ms > deadlineMs;
  }

  /** At most once per millisecond: under a flood of refusals it must not cost more than it saves. */
  #shedUnreachable(nowMs: number): void {
    if (this.#view.jobs.deadlines.size === 0 || nowMs - this.#lastScanMs < 1) return;
    this.#lastScanMs = nowMs;
    let rowsAhead = 0;
    for (const piece of this.#view.batcher.all()) {
      if (piece.job.isSettled) continue;
      if (this.#isUnreachable(piece.job.deadlineMs, rowsAhead, nowMs))
        this.#view.jobs.reject(piece.job, unreachable());
      else rowsAhead += piece.rows;
    }
  }
}
