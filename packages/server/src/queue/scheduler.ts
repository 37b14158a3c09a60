import { ServeError } from "../base/errors.ts";
import type { InferRequest } from "../base/infer-request.ts";
import type { RequestHead } from "../base/request-head.ts";
import { Dispatcher } from "./dispatcher.ts";
import { Drain } from "./drain.ts";
import type { Answer, Job } from "./job.ts";
import { makeJob } from "./make-job.ts";
import type { Quota } from "./quota.ts";
import {
  abandoned,
  draining,
  expired,
  noInstance,
  quarantined,
  quotaExceeded,
  type Rejection,
  shutDown,
} from "./rejection.ts";
import { makeParts, type SchedulerOptions, type SchedulerParts } from "./scheduler-parts.ts";
import type { QueueSnapshot } from "./snapshot.ts";

export interface SubmitOptions {
  /** Whose request it is (an opaque key): tenants take turns, have quotas, and cannot harm each other by quarantine. */
  readonly tenant?: string | undefined;
}

/** Decides when and with whom the requests of one model run. */
export interface Scheduler {
  /**
   * Queues a request whose inputs were checked against the signature, and answers it with the outputs it asked for. The request's
   * bytes must stay unchanged until then. Rejects with ServeError, reasons as in `REJECT_REASONS` or the executor's own.
   */
  submit(request: InferRequest, options?: SubmitOptions): Promise<Answer>;
  /**
   * Refuses a request whose body is still unread, and counts it, when `submit` would refuse it for want of room whatever that body
   * says; undefined: `submit` decides. A body's own deadline is not known yet, so that a request which `submit` would call hopeless
   * may be told that the queue is full.
   */
  refuseUnread(head: RequestHead): ServeError | undefined;
  /** An executor became ready, died, failed for good, came or went. */
  executorsChanged(): void;
  snapshot(): QueueSnapshot;
  /** Takes no new requests and resolves when the last run has ended. Idempotent. It waits for executors that restart. */
  close(): Promise<void>;
  /** Rejects everything at once with `unavailable`. Runs that are under way are forgotten. */
  destroy(reason: string): void;
}

/** Throws `invalid_argument` when the padding asked for does not fit the signature. */
export function createScheduler(options: SchedulerOptions): Scheduler {
  return new QueueScheduler(options);
}

class QueueScheduler implements Scheduler {
  readonly #parts: SchedulerParts;
  readonly #quota: Quota | undefined;
  readonly #dispatcher: Dispatcher;
  readonly #drain = new Drain();
  readonly #defer: ((callback: () => void) => void) | undefined;
  readonly #dispatchGathered: () => void;
  #isGathering = false;
  #state: QueueSnapshot["state"] = "open";

  constructor(options: SchedulerOptions) {
    this.#parts = makeParts(options);
    this.#quota = options.quota;
    this.#dispatcher = new Dispatcher(this.#parts, () => this.#endDrain());
    this.#defer = options.defer;
    this.#dispatchGathered = () => {
      this.#isGathering = false;
      this.#dispatcher.dispatch(this.#parts.clock.nowMs());
    };
  }

  submit(request: InferRequest, options?: SubmitOptions): Promise<Answer> {
    const { plan, config, clock, tally, jobs, admission } = this.#parts;
    const nowMs = clock.nowMs();
    let job: Job;
    try {
      job = makeJob(plan, config, { request, tenant: options?.tenant ?? "", nowMs });
    } catch (thrown) {
      return Promise.reject(ServeError.from(thrown));
    }
    const rejection = this.#refuse(job, nowMs);
    if (rejection !== undefined) {
      tally.requestRejected(rejection.reason, 0);
      return Promise.reject(rejection);
    }
    return new Promise((resolve, reject) => {
      job.resolve = resolve;
      job.reject = reject;
      admission.setDue(job, nowMs);
      jobs.add(job);
      this.#dispatchSoon(nowMs);
    });
  }

  refuseUnread(head: RequestHead): ServeError | undefined {
    const { clock, pool, recovery, admission, tally } = this.#parts;
    if (!admission.isFull) return undefined;
    // What `submit` asks before it asks for room, and needs the body for.
    if (this.#state !== "open" || pool.isGone || recovery.quarantine.size > 0) return undefined;
    const nowMs = clock.nowMs();
    const full = admission.refuseUnread(head, nowMs);
    if (full === undefined) return undefined;
    const rejection = this.#overQuota(head.tenant ?? "", nowMs) ?? full;
    tally.requestRejected(rejection.reason, 0);
    return rejection;
  }

  executorsChanged(): void {
    const { clock, pool } = this.#parts;
    const nowMs = clock.nowMs();
    pool.refresh(nowMs);
    if (pool.isGone) this.#dispatcher.rejectWaiting(noInstance());
    this.#dispatcher.dispatch(nowMs);
  }

  snapshot(): QueueSnapshot {
    const { clock, jobs, batcher, pool, recovery, tally, estimate } = this.#parts;
    const nowMs = clock.nowMs();
    return {
      state: this.#state,
      waitingRequests: jobs.waiting,
      waitingRows: batcher.rows,
      waitingBytes: batcher.bytes,
      retryingRuns: this.#dispatcher.retryingRuns,
      runningRuns: this.#dispatcher.runningRuns,
      runningRows: this.#dispatcher.runningRows,
      liveRequests: jobs.size,
      readyExecutors: pool.readyCount,
      deadlines: jobs.deadlines.size,
      suspects: recovery.quarantine.size,
      ...tally.counts(),
      drainPerSecond: estimate.drainPerMs(nowMs) * 1000,
      serviceP95Ms: estimate.p95Ms(nowMs),
    };
  }

  close(): Promise<void> {
    if (this.#state === "open") this.#state = "draining";
    const drained = this.#drain.want();
    this.#endDrain();
    return drained;
  }

  destroy(reason: string): void {
    this.#state = "closed";
    this.#dispatcher.abort(shutDown(reason));
    this.#endDrain();
  }

  #dispatchSoon(nowMs: number): void {
    if (this.#defer === undefined) this.#dispatcher.dispatch(nowMs);
    else if (!this.#isGathering) {
      this.#isGathering = true;
      this.#defer(this.#dispatchGathered);
    }
  }

  #refuse(job: Job, nowMs: number): Rejection | undefined {
    const { pool, recovery, admission } = this.#parts;
    if (this.#state !== "open") return draining();
    if (job.request.signal.aborted) return abandoned(job, nowMs);
    if (nowMs >= job.expiresMs) return expired();
    if (pool.isGone) return noInstance();
    const verdict = recovery.quarantine.judge(job, nowMs);
    if (verdict === "quarantined") return quarantined();
    if (verdict === "suspect") job.shapeKey = `alone ${job.fingerprint}`;
    return this.#overQuota(job.tenant, nowMs) ?? admission.refuse(job, nowMs);
  }

  /** Uses up one request of the tenant's quota. */
  #overQuota(tenant: string, nowMs: number): Rejection | undefined {
    const waitMs = this.#quota?.take(tenant, nowMs) ?? 0;
    return waitMs > 0 ? quotaExceeded(Math.ceil(waitMs)) : undefined;
  }

  #endDrain(): void {
    if (!this.#drain.isWanted || this.#parts.jobs.size > 0 || this.#dispatcher.runningRuns > 0) return;
    this.#state = "closed";
    this.#dispatcher.stop();
    this.#drain.done();
  }
}
