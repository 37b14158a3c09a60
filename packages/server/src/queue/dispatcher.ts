import type { Clock } from "../base/clock.ts";
import { ServeError } from "../base/errors.ts";
import type { Instance } from "../base/instance.ts";
import type { TraceRun } from "../base/request-trace.ts";
import type { RunRequest, RunResult } from "../base/run.ts";
import type { RequestTrace } from "../base/timeline.ts";
import type { BatchPlan } from "./batch-plan.ts";
import { findBadOutput, gatherInputs, paddingOf, sliceOutputs } from "./batch-rows.ts";
import type { InstancePool, PooledInstance } from "./instance-pool.ts";
import type { LiveRequests } from "./live-requests.ts";
import type { QueueObserver } from "./queue-observer.ts";
import type { BatchItem } from "./queued-request.ts";
import { type Recovery, RetryQueue } from "./recovery.ts";
import { noInstance, type Rejection } from "./rejection.ts";
import type { ServiceEstimate } from "./service-estimate.ts";

interface Run {
  readonly pooled: PooledInstance;
  readonly items: readonly BatchItem[];
  readonly rows: number;
  readonly dispatchedMs: number;
  /** The same on the clock that stands still while this process does. */
  readonly activeMs: number;
}

/** Where batches come from, where they run, and who is told. */
export interface DispatcherParts {
  readonly clock: Clock;
  /** Time without what this process slept through. */
  readonly activeClock: Clock;
  readonly requests: LiveRequests;
  readonly instances: InstancePool;
  readonly recovery: Recovery;
  readonly estimate: ServiceEstimate;
  readonly observer: QueueObserver;
  /** Undefined: nothing is traced. */
  readonly traceRun: TraceRun | undefined;
  /** Called whenever a request or a run may have been the last one. */
  onProgress(): void;
}

/** Brings what waits to the instances, and their results back to the requests. */
export class Dispatcher {
  readonly #parts: DispatcherParts;
  readonly #timer: WakeTimer;
  readonly #retries = new RetryQueue();
  readonly #running = new Set<Run>();

  constructor(parts: DispatcherParts) {
    this.#parts = parts;
    this.#timer = new WakeTimer(parts.clock, () => this.dispatch(parts.clock.nowMs()));
  }

  /** Nothing runs. */
  get isIdle(): boolean {
    return this.#running.size === 0;
  }

  /** Gives every free instance what is due, and sleeps until something may change by itself. */
  dispatch(nowMs: number): void {
    const { requests, instances } = this.#parts;
    requests.expire(nowMs);
    let pooled = instances.free();
    while (pooled !== undefined) {
      const items = this.#nextBatch(nowMs);
      if (items === undefined) break;
      if (items.length > 0) this.#launch(pooled, items);
      pooled = instances.free();
    }
    const batchMs = pooled === undefined ? Number.POSITIVE_INFINITY : requests.nextBatchMs;
    this.#timer.wakeAt(Math.min(batchMs, requests.nextExpiryMs), nowMs);
    this.tidy();
  }

  /** Rejects everything that does not run. */
  rejectWaiting(rejection: Rejection): void {
    this.#parts.requests.rejectWaiting(rejection);
    this.#rejectItems(this.#retries.takeAll(), rejection);
  }

  /** Rejects everything that runs, too; what the instances still return is dropped. */
  abort(rejection: Rejection): void {
    this.rejectWaiting(rejection);
    for (const run of this.#running) this.#rejectItems(run.items, rejection);
    this.#running.clear();
    this.stop();
  }

  /** Lets go of the timer. */
  stop(): void {
    this.#timer.stop();
  }

  /** Drops what no request needs any more. */
  tidy(): void {
    this.#retries.tidy();
    this.#parts.onProgress();
  }

  #rejectItems(items: readonly BatchItem[], rejection: Rejection): void {
    for (const item of items) this.#parts.requests.reject(item.request, rejection);
  }

  /** Undefined: nothing is due. Empty: all of the batch was dropped on the way. */
  #nextBatch(nowMs: number): readonly BatchItem[] | undefined {
    const retry = this.#retries.next();
    if (retry === undefined) return this.#parts.requests.takeBatch(nowMs);
    return retry.filter((item) => this.#mayRetry(item, nowMs));
  }

  #mayRetry(item: BatchItem, nowMs: number): boolean {
    const { recovery, requests } = this.#parts;
    if (item.request.isSettled) return false;
    if (recovery.mayRetry(item, nowMs)) return true;
    requests.reject(item.request, recovery.rejectionOf(item));
    return false;
  }

  #launch(pooled: PooledInstance, items: readonly BatchItem[]): void {
    const { clock, activeClock, instances, recovery } = this.#parts;
    const { plan } = items[0]!.request;
    let rows = 0;
    for (let i = 0; i < items.length; i++) rows += items[i]!.rows;
    const inputs = gatherInputs(plan, items);
    const takesSignal = pooled.instance.takesSignal === true && items.length === 1;
    const signal = takesSignal ? items[0]!.request.request.signal : undefined;
    const onPiece = wantsPieces(items) ? pieceTeller(items) : undefined;
    const request = onPiece !== undefined || signal !== undefined ? { ...inputs, onPiece, signal } : inputs;
    const dispatchedMs = clock.nowMs();
    for (let i = 0; i < items.length; i++) stampDispatch(items[i]!, pooled.freeSinceMs, dispatchedMs);
    instances.claim(pooled);
    recovery.noteRun(dispatchedMs);
    const run: Run = { pooled, items, rows, dispatchedMs, activeMs: activeClock.nowMs() };
    this.#running.add(run);
    start(pooled.instance, request).then(
      (result) => this.#finished(run, result),
      (thrown: unknown) => this.#failed(run, ServeError.from(thrown)),
    );
  }

  #finished(run: Run, result: RunResult): void {
    if (!this.#running.has(run)) return;
    const { estimate, observer, requests, activeClock } = this.#parts;
    const { plan, bad } = judgeResult(run, result);
    if (bad !== undefined) {
      this.#failed(run, bad);
      return;
    }
    const nowMs = this.#end(run);
    const count = run.items.length;
    const { rows, dispatchedMs } = run;
    const { computeMs } = result;
    // A run that was slept through says nothing of those to come.
    estimate.observe(activeClock.nowMs() - run.activeMs, count, nowMs);
    if (this.#parts.traceRun !== undefined) this.#trace(run, nowMs, { computeMs });
    const padding = paddingOf(plan, run.items);
    observer.runFinished({ rows, requests: count, dispatchedMs, answeredMs: nowMs, computeMs, padding });
    // The instance goes on first; the outputs are sliced while it works.
    this.dispatch(nowMs);
    const outputs = sliceOutputs(plan, result, run.items);
    for (let i = 0; i < count; i++) {
      const item = run.items[i]!;
      if (item.request.isSettled) continue;
      stampResult(item, nowMs, computeMs);
      requests.finish(item, outputs[i]!, rows);
    }
    this.tidy();
  }

  #failed(run: Run, error: ServeError): void {
    if (!this.#running.has(run)) return;
    const { recovery, requests, observer, instances } = this.#parts;
    const nowMs = this.#end(run);
    if (this.#parts.traceRun !== undefined)
      this.#trace(run, nowMs, { computeMs: Number.NaN, failure: error });
    for (const { request } of run.items) if (request.hasPieces) requests.fail(request, error);
    const plan = recovery.plan(
      {
        items: run.items.filter((item) => !item.request.isSettled),
        isAlone: run.items.length === 1,
        dispatchedMs: run.dispatchedMs,
      },
      error,
      nowMs,
    );
    for (const failure of plan.failures) requests.fail(failure.item.request, failure.error);
    const retried = plan.retries.reduce((sum, group) => sum + group.length, 0);
    if (retried > 0) observer.requestsRetried(plan.kind, retried);
    this.#retries.addFirst(plan.retries);
    if (instances.isGone) this.rejectWaiting(noInstance());
    this.dispatch(nowMs);
  }

  /** Before its requests have their results, so that they know of it when they end. */
  #trace(
    { items, rows, dispatchedMs }: Run,
    endedMs: number,
    { computeMs, failure }: { readonly computeMs: number; readonly failure?: ServeError },
  ): void {
    let requests: { readonly trace: RequestTrace; readonly rows: number }[] | undefined;
    for (let i = 0; i < items.length; i++) {
      const { request, rows: own } = items[i]!;
      const { trace } = request.request.timeline;
      if (trace?.isSampled !== true || request.isSettled) continue;
      requests ??= [];
      requests.push({ trace, rows: own });
    }
    if (requests === undefined) return;
    const size = items.length;
    this.#parts.traceRun?.({ requests, rows, size, dispatchedMs, endedMs, computeMs, failure });
  }

  #end(run: Run): number {
    const nowMs = this.#parts.clock.nowMs();
    this.#running.delete(run);
    this.#parts.instances.release(run.pooled, nowMs);
    return nowMs;
  }
}

/** What the model's file claims of rows does not stand against the answer to one whole request: nothing has to be sliced there. */
function judgeResult(
  { items, rows }: Run,
  result: RunResult,
): { readonly plan: BatchPlan; readonly bad: ServeError | undefined } {
  const { plan, isSplit } = items[0]!.request;
  const bad = findBadOutput(plan, result, rows);
  const { alone } = plan;
  const isClaim = plan.areRowsClaimed && plan.padding === undefined && items.length === 1 && !isSplit;
  if (bad === undefined || !isClaim || alone === undefined) return { plan, bad };
  return { plan: alone, bad: findBadOutput(alone, result, rows) };
}

function wantsPieces(items: readonly BatchItem[]): boolean {
  for (let i = 0; i < items.length; i++) if (items[i]!.request.request.onPiece !== undefined) return true;
  return false;
}

/** Gives the pieces of each row to the request that it is of. One that is divided gets none: its parts' pieces have no order. */
function pieceTeller(items: readonly BatchItem[]): NonNullable<RunRequest["onPiece"]> {
  return (row, piece) => {
    let before = 0;
    const item = items.find(({ rows }) => {
      before += rows;
      return row < before;
    });
    if (item === undefined || item.request.isSettled || item.request.isSplit) return;
    item.request.hasPieces = true;
    item.request.request.onPiece?.(piece);
  };
}

/** An instance that throws instead of rejecting must not break the queue. */
function start(instance: Instance, request: RunRequest): Promise<RunResult> {
  try {
    return instance.run(request);
  } catch (thrown) {
    return Promise.reject(thrown);
  }
}

/** Stamps an item's way to an instance that was free since `freeSinceMs`. Of a split request, the first part to leave counts. */
function stampDispatch({ request }: BatchItem, freeSinceMs: number, dispatchedMs: number): void {
  const { timeline } = request.request;
  if (request.isSplit && !Number.isNaN(timeline.dispatchedMs)) return;
  timeline.claimedMs = freeSinceMs;
  timeline.dispatchedMs = dispatchedMs;
}

/** Stamps an item's result. Of a split request, the last part's result is the end, and the parts' compute times add up. */
function stampResult({ request }: BatchItem, answeredMs: number, computeMs: number): void {
  const { timeline } = request.request;
  const before = !request.isSplit || Number.isNaN(timeline.computeMs) ? 0 : timeline.computeMs;
  timeline.computeMs = Math.min(before + computeMs, answeredMs - timeline.dispatchedMs);
  timeline.answeredMs = answeredMs;
}

/**
 * One timer for everything that happens by itself. A wake-up that turned out too early is left to fire and asks again: cheaper than
 * moving a timer with every request.
 */
class WakeTimer {
  readonly #clock: Clock;
  readonly #wake: () => void;
  #atMs = Number.POSITIVE_INFINITY;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, wake: () => void) {
    this.#clock = clock;
    this.#wake = wake;
  }

  /** Wakes at `atMs` at the latest; Infinity asks for nothing. */
  wakeAt(atMs: number, nowMs: number): void {
    if (atMs >= this.#atMs) return;
    this.#cancel?.();
    this.#atMs = atMs;
    this.#cancel = this.#clock.after(Math.max(0, atMs - nowMs), () => {
      this.#atMs = Number.POSITIVE_INFINITY;
      this.#cancel = undefined;
      this.#wake();
    });
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#atMs = Number.POSITIVE_INFINITY;
  }
}
