import type { Clock } from "../base/clock.ts";
import { type Deferred, deferred } from "../base/deferred.ts";
import { ServeError } from "../base/errors.ts";
import type { InferRequest } from "../base/infer-request.ts";
import type { Instance } from "../base/instance.ts";
import type { RequestHead } from "../base/request-head.ts";
import type { TraceRun } from "../base/request-trace.ts";
import type { ResultReceiver } from "../base/result-receiver.ts";
import type { Signature } from "../base/signature.ts";
import { Admission } from "./admission.ts";
import { type BatchPlan, compileBatchPlan } from "./batch-plan.ts";
import { Batcher } from "./batcher.ts";
import { Dispatcher } from "./dispatcher.ts";
import { InstancePool } from "./instance-pool.ts";
import { LiveRequests } from "./live-requests.ts";
import { Quarantine } from "./quarantine.ts";
import type { QueueConfig } from "./queue-config.ts";
import { type QueueObserver, silentObserver } from "./queue-observer.ts";
import { QueuedRequest, type RequestResult } from "./queued-request.ts";
import type { Quota } from "./quota.ts";
import { Recovery } from "./recovery.ts";
import {
  draining,
  expired,
  expiredOrCancelled,
  noInstance,
  quotaExceeded,
  type Rejection,
  shutDown,
} from "./rejection.ts";
import { ServiceEstimate } from "./service-estimate.ts";

export interface SchedulerOptions {
  readonly signature: Signature;
  readonly config: QueueConfig;
  /** May change while the scheduler lives; `instancesChanged` tells. */
  readonly instances: readonly Instance[];
  readonly clock: Clock;
  /** Time without what this process slept through: how long runs really take. Default: the clock. */
  readonly activeClock?: Clock;
  /** In [0, 1), for jitter. Default `Math.random`. */
  readonly random?: () => number;
  readonly observer?: QueueObserver;
  /** Told of runs whose requests are traced. Default: nobody is. */
  readonly traceRun?: TraceRun | undefined;
  /**
   * Calls back once the events at hand are handled (`setImmediate`), so that requests which arrived together run together instead of
   * the first one alone. Default: at once.
   */
  readonly defer?: (callback: () => void) => void;
  /** Requests per tenant. Shared between schedulers when the quota spans models. */
  readonly quota?: Quota;
}

/** A queue at one moment. */
export interface QueueGauges {
  /** Requests that wait, wholly or in part, and the input bytes of theirs that wait. */
  readonly waitingRequests: number;
  readonly waitingBytes: number;
  /** Requests that run, or are about to run again. */
  readonly runningRequests: number;
  readonly readyInstances: number;
  readonly instances: number;
}

/** Decides when and with whom the requests of one model run. */
export interface Scheduler {
  /**
   * Queues a request whose inputs were checked against the signature; the receiver gets the outputs it asked for. The request's
   * bytes must stay unchanged until then. Its tenant is an opaque key: tenants take turns, have quotas, and cannot harm each other
   * by quarantine. Errors are ServeErrors, reasons as in `REJECT_REASONS` or the instance's own. A receiver must not submit another
   * request before it returns.
   */
  submit(request: InferRequest, receiver: ResultReceiver<RequestResult>): void;
  /**
   * Rejects a request whose body is still unread, and counts it, when `submit` would reject it for want of room whatever that body
   * says; undefined: `submit` decides. A body's own deadline is not known yet, so that a request which `submit` would call hopeless
   * may be told that the queue is full.
   */
  rejectEarly(head: RequestHead): ServeError | undefined;
  /** An instance became ready, died, failed for good, came or went. */
  instancesChanged(): void;
  gauges(): QueueGauges;
  /** Takes no new requests and resolves when the last run has ended. Idempotent. It waits for instances that restart. */
  close(): Promise<void>;
  /** Rejects everything at once with `unavailable`. Runs that are under way are forgotten. */
  destroy(reason: string): void;
}

/** Throws `invalid_argument` when the padding asked for does not fit the signature. */
export function createScheduler(options: SchedulerOptions): Scheduler {
  return new QueueScheduler(options);
}

class QueueScheduler implements Scheduler {
  readonly #options: SchedulerOptions;
  readonly #observer: QueueObserver;
  readonly #plan: BatchPlan;
  #submitted = 0;
  readonly #batcher: Batcher;
  readonly #quarantine: Quarantine;
  readonly #instances: InstancePool;
  readonly #requests: LiveRequests;
  readonly #admission: Admission;
  readonly #dispatcher: Dispatcher;
  readonly #dispatchGathered: () => void;
  #isGathering = false;
  #isOpen = true;
  #drained: Deferred<void> | undefined;

  constructor(options: SchedulerOptions) {
    const { config, clock, activeClock = clock, random = Math.random, observer = silentObserver } = options;
    const plan = compileBatchPlan(options.signature, config);
    const batcher = new Batcher({
      maxRows: plan.maxRows,
      maxDelayMs: config.maxQueueDelayMs,
      preferredSizes: config.preferredBatchSizes,
      levels: config.priorityLevels,
    });
    const quarantine = new Quarantine(config.quarantineMs);
    const estimate = new ServiceEstimate();
    const instances = new InstancePool(options.instances, config.pipelineDepth, clock.nowMs());
    const onSignalled = (): void => this.#dispatcher.tidy();
    const requests = new LiveRequests({ clock, batcher, quarantine, estimate, observer, onSignalled });
    this.#options = options;
    this.#observer = observer;
    this.#plan = plan;
    this.#batcher = batcher;
    this.#quarantine = quarantine;
    this.#instances = instances;
    this.#requests = requests;
    this.#admission = new Admission({ config, batcher, instances, estimate, requests, random });
    this.#dispatcher = new Dispatcher({
      clock,
      activeClock,
      requests,
      instances,
      recovery: new Recovery(config, quarantine),
      estimate,
      observer,
      traceRun: options.traceRun,
      onProgress: () => this.#endDrain(),
    });
    this.#dispatchGathered = () => {
      this.#isGathering = false;
      this.#dispatcher.dispatch(clock.nowMs());
    };
  }

  submit(request: InferRequest, receiver: ResultReceiver<RequestResult>): void {
    const nowMs = this.#options.clock.nowMs();
    let queued: QueuedRequest;
    try {
      queued = new QueuedRequest(this.#plan, this.#options.config, {
        request,
        nowMs,
        number: this.#submitted++,
        receiver,
      });
    } catch (thrown) {
      receiver.reject(ServeError.from(thrown));
      return;
    }
    const rejection = this.#admit(queued, nowMs);
    if (rejection === undefined) {
      this.#requests.add(queued);
      this.#dispatchSoon(nowMs);
    } else {
      this.#observer.requestRejected(rejection.reason, 0);
      receiver.reject(rejection);
    }
  }

  rejectEarly(head: RequestHead): ServeError | undefined {
    if (!this.#admission.isFull) return undefined;
    // What `submit` asks before it asks for room, and needs the body for.
    if (!this.#isOpen || this.#instances.isGone || !this.#quarantine.isEmpty) return undefined;
    const nowMs = this.#options.clock.nowMs();
    const full = this.#admission.rejectEarly(head, nowMs);
    if (full === undefined) return undefined;
    const rejection = this.#overQuota(head.tenant ?? "", nowMs) ?? full;
    this.#observer.requestRejected(rejection.reason, 0);
    return rejection;
  }

  instancesChanged(): void {
    const nowMs = this.#options.clock.nowMs();
    this.#instances.refresh(nowMs);
    if (this.#instances.isGone) this.#dispatcher.rejectWaiting(noInstance());
    this.#dispatcher.dispatch(nowMs);
  }

  gauges(): QueueGauges {
    const { size, waiting } = this.#requests;
    return {
      waitingRequests: waiting,
      waitingBytes: this.#batcher.bytes,
      runningRequests: size - waiting,
      readyInstances: this.#instances.readyCount,
      instances: this.#instances.size,
    };
  }

  close(): Promise<void> {
    this.#isOpen = false;
    this.#drained ??= deferred();
    this.#endDrain();
    return this.#drained.promise;
  }

  destroy(reason: string): void {
    this.#isOpen = false;
    this.#dispatcher.abort(shutDown(reason));
    this.#endDrain();
  }

  #dispatchSoon(nowMs: number): void {
    const { defer } = this.#options;
    if (defer === undefined) this.#dispatcher.dispatch(nowMs);
    else if (!this.#isGathering) {
      this.#isGathering = true;
      defer(this.#dispatchGathered);
    }
  }

  /** Why the request must not wait; undefined: it may. */
  #admit(queued: QueuedRequest, nowMs: number): Rejection | undefined {
    if (!this.#isOpen) return draining();
    if (queued.request.signal.aborted) return expiredOrCancelled(queued, nowMs);
    if (nowMs >= queued.expiresMs) return expired();
    if (this.#instances.isGone) return noInstance();
    const verdict = this.#quarantine.judge(queued, nowMs);
    if (verdict === "quarantined") return this.#quarantine.rejectionOf(queued);
    if (verdict === "suspect") queued.runAlone();
    const isOver = queued.request.isCharged === true ? undefined : this.#overQuota(queued.tenant, nowMs);
    return isOver ?? this.#admission.admit(queued, nowMs);
  }

  /** Uses up one request of the tenant's quota. */
  #overQuota(tenant: string, nowMs: number): Rejection | undefined {
    const waitMs = this.#options.quota?.take(tenant, nowMs) ?? 0;
    return waitMs > 0 ? quotaExceeded(Math.ceil(waitMs)) : undefined;
  }

  #endDrain(): void {
    if (this.#drained === undefined || this.#requests.size > 0 || !this.#dispatcher.isIdle) return;
    this.#dispatcher.stop();
    this.#drained.resolve();
  }
}
