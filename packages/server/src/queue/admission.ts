import type { RequestHead } from "../base/request-head.ts";
import type { Batcher } from "./batcher.ts";
import type { InstancePool } from "./instance-pool.ts";
import type { LiveRequests } from "./live-requests.ts";
import type { QueueConfig } from "./queue-config.ts";
import type { BatchItem, QueuedRequest } from "./queued-request.ts";
import { displaced, queueFull, type Rejection, unreachable } from "./rejection.ts";
import type { ServiceEstimate } from "./service-estimate.ts";

const LEAST_RETRY_MS = 50;
const MOST_RETRY_MS = 30_000;
const UNKNOWN_RETRY_MS = 1_000;
/** Level of the highest priority. */
const HIGHEST = 0;

/** What admission looks at, and where it rejects requests that wait. */
export interface AdmissionParts {
  readonly config: QueueConfig;
  readonly batcher: Batcher;
  readonly instances: InstancePool;
  readonly estimate: ServiceEstimate;
  readonly requests: LiveRequests;
  /** In [0, 1). */
  readonly random: () => number;
}

/**
 * Decides whether a request may wait. When the queue is full it makes room in this order: expired and cancelled requests
 * (they have left already), those whose deadline cannot be met, those of the lowest priority, those of the tenant with the most waiting.
 */
export class Admission {
  readonly #parts: AdmissionParts;
  #lastScanMs = Number.NEGATIVE_INFINITY;

  constructor(parts: AdmissionParts) {
    this.#parts = parts;
  }

  /** False: a request may wait, unless its body speaks against it. Cheap enough to ask for every request. */
  get isFull(): boolean {
    const { config, requests } = this.#parts;
    return requests.waiting >= config.maxQueueSize;
  }

  /** Why this request must not wait; undefined: it may, room was made for it, and its items know how long they may wait for more. */
  admit(request: QueuedRequest, nowMs: number): Rejection | undefined {
    const rejection = this.#isIdle ? undefined : this.#makeRoom(request, nowMs);
    if (rejection === undefined) this.#setDue(request, nowMs);
    return rejection;
  }

  /**
   * Why a request must not wait whatever its body says: the same as `admit` says of one that has no bytes and the highest priority.
   * Undefined: the body decides.
   */
  rejectEarly(
    { tenant = "", deadlineMs = Number.POSITIVE_INFINITY }: RequestHead,
    nowMs: number,
  ): Rejection | undefined {
    const { batcher, requests } = this.#parts;
    if (this.#isIdle || !this.isFull) return undefined;
    if (this.#isUnreachable(deadlineMs, batcher.rowsAhead(HIGHEST), nowMs)) return unreachable();
    this.#rejectUnreachable(nowMs);
    // Whom a request of the highest priority cannot displace, none can.
    if (!this.isFull || batcher.victim(HIGHEST, tenant) !== undefined) return undefined;
    return queueFull(requests.waiting, this.#retryAfterMs(nowMs));
  }

  #makeRoom(request: QueuedRequest, nowMs: number): Rejection | undefined {
    const { batcher, requests } = this.#parts;
    if (this.#isUnreachable(request.deadlineMs, batcher.rowsAhead(request.level), nowMs))
      return unreachable();
    if (this.#fits(request)) return undefined;
    this.#rejectUnreachable(nowMs);
    while (!this.#fits(request)) {
      const victim = batcher.victim(request.level, request.tenant);
      if (victim === undefined) return queueFull(requests.waiting, this.#retryAfterMs(nowMs));
      requests.reject(victim.request, displaced(this.#retryAfterMs(nowMs)));
    }
    return undefined;
  }

  /** Sets until when its items may wait for more: the queue's delay, or less when its deadline is near. */
  #setDue(request: QueuedRequest, nowMs: number): void {
    let dueMs = nowMs + this.#parts.config.maxQueueDelayMs;
    if (request.expiresMs !== Number.POSITIVE_INFINITY)
      dueMs = Math.min(dueMs, request.expiresMs - this.#reserveMs(request, nowMs));
    for (let item: BatchItem | undefined = request.first; item !== undefined; item = item.sibling)
      item.dueMs = dueMs;
  }

  /** When the queue should be half empty at the present pace, give or take half, so that clients do not come back all at once. */
  #retryAfterMs(nowMs: number): number {
    const perMs = this.#parts.estimate.drainPerMs(nowMs);
    const waitMs = perMs > 0 ? this.#parts.requests.waiting / 2 / perMs : UNKNOWN_RETRY_MS;
    const jittered = waitMs * (0.5 + this.#parts.random());
    return Math.round(Math.min(MOST_RETRY_MS, Math.max(LEAST_RETRY_MS, jittered)));
  }

  /** What is kept of the time left for the run itself; half, while its usual time is not known. */
  #reserveMs(request: QueuedRequest, nowMs: number): number {
    return Math.min(
      (request.expiresMs - nowMs) / 2,
      this.#parts.estimate.p95Ms(nowMs) ?? Number.POSITIVE_INFINITY,
    );
  }

  get #isIdle(): boolean {
    const { batcher, instances } = this.#parts;
    return batcher.size === 0 && instances.free() !== undefined;
  }

  #fits(request: QueuedRequest): boolean {
    const { config, batcher } = this.#parts;
    if (this.isFull) return false;
    return batcher.size === 0 || batcher.bytes + request.bytes <= config.maxQueueBytes;
  }

  /** `rowsAhead` run first, in full batches, shared by all ready instances; half a run is still going on. */
  #isUnreachable(deadlineMs: number, rowsAhead: number, nowMs: number): boolean {
    if (deadlineMs === Number.POSITIVE_INFINITY) return false;
    const { estimate, instances, config } = this.#parts;
    const p95Ms = estimate.p95Ms(nowMs);
    const meanMs = estimate.meanMs(nowMs);
    if (p95Ms === undefined || meanMs === undefined) return false;
    const runsAhead = Math.floor(rowsAhead / config.maxBatchSize) + 0.5;
    const waitMs = (runsAhead * meanMs) / Math.max(1, instances.readyCount);
    return nowMs + waitMs + p95Ms > deadlineMs;
  }

  /** At most once per millisecond: under a flood of rejections it must not cost more than it saves. */
  #rejectUnreachable(nowMs: number): void {
    if (!this.#parts.requests.haveDeadlines || nowMs - this.#lastScanMs < 1) return;
    this.#lastScanMs = nowMs;
    let rowsAhead = 0;
    for (const item of this.#parts.batcher.all()) {
      if (item.request.isSettled) continue;
      if (this.#isUnreachable(item.request.deadlineMs, rowsAhead, nowMs))
        this.#parts.requests.reject(item.request, unreachable());
      else rowsAhead += item.rows;
    }
  }
}
