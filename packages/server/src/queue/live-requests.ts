import type { Clock } from "../base/clock.ts";
import { ServeError } from "../base/errors.ts";
import type { NamedTensor } from "../base/tensor.ts";
import type { Batcher } from "./batcher.ts";
import { joinParts } from "./join-parts.ts";
import type { Quarantine } from "./quarantine.ts";
import type { QueueObserver } from "./queue-observer.ts";
import type { BatchItem, QueuedRequest, SignalListener } from "./queued-request.ts";
import { expired, expiredOrCancelled, type Rejection, unreachable, waitedTooLong } from "./rejection.ts";
import type { ServiceEstimate } from "./service-estimate.ts";

/** What the live requests are made of. */
export interface LiveRequestsParts {
  readonly clock: Clock;
  /** Where they wait. Only this class puts items in and takes them out. */
  readonly batcher: Batcher;
  readonly quarantine: Quarantine;
  readonly estimate: ServiceEstimate;
  readonly observer: QueueObserver;
  /** Called after a request's signal has fired and it is gone. */
  onSignalled(): void;
}

/**
 * The requests without a result. Every way for a request to end leads through here and happens once: it leaves the queue, the
 * deadlines and its signal, is counted, and its promise settles.
 */
export class LiveRequests implements SignalListener {
  readonly #parts: LiveRequestsParts;
  readonly #deadlines = new DeadlineHeap();
  #size = 0;
  #waiting = 0;

  constructor(parts: LiveRequestsParts) {
    this.#parts = parts;
  }

  /** Requests without a result. */
  get size(): number {
    return this.#size;
  }

  /** Requests that wait, wholly or in part. */
  get waiting(): number {
    return this.#waiting;
  }

  get haveDeadlines(): boolean {
    return this.#deadlines.size > 0;
  }

  /** When the next of them expires; Infinity: none will. */
  get nextExpiryMs(): number {
    return this.#deadlines.peek()?.expiresMs ?? Number.POSITIVE_INFINITY;
  }

  /** When a batch that is not due yet will be; Infinity: only after more came. */
  get nextBatchMs(): number {
    return this.#parts.batcher.nextWakeAt();
  }

  /** Puts all items of a request into the queue. */
  add(request: QueuedRequest): void {
    this.#size += 1;
    this.#waiting += 1;
    for (let item: BatchItem | undefined = request.first; item !== undefined; item = item.sibling) {
      this.#parts.batcher.push(item);
      request.waitingItems += 1;
    }
    if (request.expiresMs !== Number.POSITIVE_INFINITY) this.#deadlines.add(request);
    request.watchSignal(this);
  }

  /**
   * The batch to run now on a free instance, without requests that cannot be answered in time any more. Undefined: nothing is due;
   * empty: all of it was too late.
   */
  takeBatch(nowMs: number): readonly BatchItem[] | undefined {
    const batch = this.#parts.batcher.take(nowMs);
    if (batch === undefined) return undefined;
    let hasLate = false;
    for (let i = 0; i < batch.length; i++) {
      const { request } = batch[i]!;
      this.#leftQueue(request);
      if (!this.#isTooLate(request, nowMs)) continue;
      hasLate = true;
      this.reject(request, unreachable());
    }
    return hasLate ? batch.filter((item) => !item.request.isSettled) : batch;
  }

  /** An item came back with its outputs; the request gets its result when it was the last. */
  finish(item: BatchItem, outputs: readonly NamedTensor[], batchRows: number): void {
    const { request } = item;
    request.itemsLeft -= 1;
    if (!request.isSplit) {
      this.#answer(request, outputs, batchRows);
      return;
    }
    item.outputs = outputs;
    if (request.itemsLeft > 0) return;
    const joined = joinParts(request);
    if (joined instanceof ServeError) this.fail(request, joined);
    else this.#answer(request, joined, batchRows);
  }

  /** The model could not answer it. */
  fail(request: QueuedRequest, error: ServeError): void {
    if (request.isSettled) return;
    this.#release(request);
    this.#parts.observer.requestFailed(error.reason, this.#parts.clock.nowMs() - request.queuedMs);
    request.receiver.reject(error);
  }

  /** The scheduler ends it. */
  reject(request: QueuedRequest, rejection: Rejection): void {
    if (request.isSettled) return;
    this.#release(request);
    this.#parts.observer.requestRejected(rejection.reason, this.#parts.clock.nowMs() - request.queuedMs);
    request.receiver.reject(rejection);
  }

  /** Ends all that have an item in the queue. */
  rejectWaiting(rejection: Rejection): void {
    for (const item of this.#parts.batcher.all()) this.reject(item.request, rejection);
  }

  signalFired(request: QueuedRequest): void {
    this.reject(request, expiredOrCancelled(request, this.#parts.clock.nowMs()));
    this.#parts.onSignalled();
  }

  /** Rejects what has run out of time. A queue timeout does not concern requests that run already. */
  expire(nowMs: number): void {
    for (
      let request = this.#deadlines.peek();
      request !== undefined && request.expiresMs <= nowMs;
      request = this.#deadlines.peek()
    ) {
      if (nowMs >= request.deadlineMs) this.reject(request, expired());
      else if (request.waitingItems > 0)
        this.reject(request, waitedTooLong(request.expiresMs - request.queuedMs));
      else this.#outwait(request);
    }
  }

  /** It has waited, and even if it ran right now it would be too late. */
  #isTooLate({ deadlineMs, queuedMs }: QueuedRequest, nowMs: number): boolean {
    if (deadlineMs === Number.POSITIVE_INFINITY || nowMs <= queuedMs) return false;
    const p95Ms = this.#parts.estimate.p95Ms(nowMs);
    return p95Ms !== undefined && nowMs + p95Ms > deadlineMs;
  }

  /** It got out of the queue in time; from now on only its own deadline counts. */
  #outwait(request: QueuedRequest): void {
    this.#deadlines.remove(request);
    request.expiresMs = request.deadlineMs;
    if (request.expiresMs !== Number.POSITIVE_INFINITY) this.#deadlines.add(request);
  }

  #answer(request: QueuedRequest, outputs: readonly NamedTensor[], batchRows: number): void {
    this.#release(request);
    this.#parts.quarantine.recordResult(request);
    this.#parts.observer.requestAnswered(request.request.timeline, request.rows);
    request.receiver.resolve({ outputs, batchRows });
  }

  /** One of its items is in the queue no more. */
  #leftQueue(request: QueuedRequest): void {
    request.waitingItems -= 1;
    if (request.waitingItems === 0) this.#waiting -= 1;
  }

  /** Nothing of the request stays behind, except in runs that are under way. */
  #release(request: QueuedRequest): void {
    request.isSettled = true;
    request.unwatchSignal();
    this.#deadlines.remove(request);
    this.#size -= 1;
    if (request.waitingItems === 0) return;
    for (let item: BatchItem | undefined = request.first; item !== undefined; item = item.sibling) {
      if (item.bucket === undefined) continue;
      this.#parts.batcher.remove(item);
      this.#leftQueue(request);
    }
  }
}

/**
 * The requests that expire, earliest first: a binary heap that knows where each request stands, so that a request that ends early
 * leaves at once. A later deadline than all others (the usual case) is added without moving anything.
 */
export class DeadlineHeap {
  readonly #heap: QueuedRequest[] = [];

  get size(): number {
    return this.#heap.length;
  }

  /** The next request to expire. */
  peek(): QueuedRequest | undefined {
    return this.#heap[0];
  }

  add(request: QueuedRequest): void {
    this.#heap.push(request);
    this.#rise(request, this.#heap.length - 1);
  }

  /** Does nothing when the request is not in the heap. */
  remove(request: QueuedRequest): void {
    const index = request.heapIndex;
    if (index < 0) return;
    request.heapIndex = -1;
    const last = this.#heap.pop()!;
    if (last === request) return;
    this.#rise(last, index);
    if (last.heapIndex === index) this.#sink(last, index);
  }

  #rise(request: QueuedRequest, from: number): void {
    let index = from;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = this.#heap[parentIndex]!;
      if (parent.expiresMs <= request.expiresMs) break;
      this.#place(parent, index);
      index = parentIndex;
    }
    this.#place(request, index);
  }

  #sink(request: QueuedRequest, from: number): void {
    let index = from;
    for (;;) {
      let childIndex = 2 * index + 1;
      if (childIndex >= this.#heap.length) break;
      const right = this.#heap[childIndex + 1];
      if (right !== undefined && right.expiresMs < this.#heap[childIndex]!.expiresMs) childIndex += 1;
      const child = this.#heap[childIndex]!;
      if (child.expiresMs >= request.expiresMs) break;
      this.#place(child, index);
      index = childIndex;
    }
    this.#place(request, index);
  }

  #place(request: QueuedRequest, index: number): void {
    this.#heap[index] = request;
    request.heapIndex = index;
  }
}
