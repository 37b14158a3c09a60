import type { RejectReason } from "../base/reject-reasons.ts";
import { type Stage, stageMs, type Timeline } from "../base/timeline.ts";
import type { QueueObserver, RunReport } from "../queue/queue-observer.ts";

/** How often something happened and how long it took together. */
export interface DurationTotal {
  readonly count: number;
  readonly ns: bigint;
}

const NONE: DurationTotal = { count: 0, ns: 0n };

/** Runs of one batch size. */
export interface BatchTotal {
  readonly batchSize: number;
  readonly computeInput: DurationTotal;
  readonly computeInfer: DurationTotal;
  readonly computeOutput: DurationTotal;
}

/**
 * The v2 statistics document of one model version (Triton's statistics extension), free of its spelling on the wire. `queue` counts
 * from the queue's door to the worker; `computeInput` is the way to the worker and back, which are not told apart; `computeOutput`
 * is therefore always 0.
 */
export interface ModelStatistics {
  readonly name: string;
  readonly version: string;
  /** Milliseconds since 1970 of the last answer; 0 when there was none. */
  readonly lastInferenceMs: number;
  /** Rows that were answered, cached ones left out. */
  readonly inferenceCount: number;
  /** Runs of the model. */
  readonly executionCount: number;
  readonly success: DurationTotal;
  /** Requests that were accepted or refused and not answered; those whose client left are left out. */
  readonly fail: DurationTotal;
  /** How many requests failed, and why in Triton's terms; `cancelled` are left out of `fail`. */
  readonly failures: {
    /** Not accepted, displaced, or expired before the model had them. */
    readonly rejected: number;
    /** Their clients left. */
    readonly cancelled: number;
    /** They failed in the model, or its workers did. */
    readonly backend: number;
  };
  readonly queue: DurationTotal;
  readonly computeInput: DurationTotal;
  readonly computeInfer: DurationTotal;
  readonly computeOutput: DurationTotal;
  /** Look-ups in the response cache, as a cached model adds them. */
  readonly cacheHit: DurationTotal;
  readonly cacheMiss: DurationTotal;
  /** Ascending. */
  readonly batches: readonly BatchTotal[];
  /** What the model holds in memory, as far as known. */
  readonly memoryBytes: number;
}

/** Adds durations up. */
export class DurationSum {
  count = 0;
  #ms = 0;

  add(ms: number): void {
    this.count += 1;
    this.#ms += ms;
  }

  read(): DurationTotal {
    return { count: this.count, ns: BigInt(Math.round(this.#ms * 1e6)) };
  }
}

/** Adds up what the scheduler observes. One per model version in memory; cheap enough for every request. */
export class StatisticsCounters implements QueueObserver {
  readonly #wallNowMs: () => number;
  readonly #success = new DurationSum();
  readonly #fail = new DurationSum();
  readonly #queue = new DurationSum();
  readonly #input = new DurationSum();
  readonly #infer = new DurationSum();
  readonly #batches = new Map<number, { readonly input: DurationSum; readonly infer: DurationSum }>();
  #lastInferenceMs = 0;
  #rows = 0;
  #runs = 0;
  #rejected = 0;
  #cancelled = 0;
  #failed = 0;

  /** `wallNowMs`: milliseconds since 1970, for `lastInferenceMs` alone. */
  constructor(wallNowMs: () => number) {
    this.#wallNowMs = wallNowMs;
  }

  runFinished({ rows, dispatchedMs, answeredMs, computeMs }: RunReport): void {
    this.#runs += 1;
    let batch = this.#batches.get(rows);
    if (batch === undefined) {
      batch = { input: new DurationSum(), infer: new DurationSum() };
      this.#batches.set(rows, batch);
    }
    batch.input.add(Math.max(0, answeredMs - dispatchedMs - computeMs));
    batch.infer.add(computeMs);
  }

  requestAnswered(timeline: Timeline, rows: number): void {
    this.#lastInferenceMs = this.#wallNowMs();
    this.#rows += rows;
    this.#success.add(timeline.answeredMs - timeline.enqueuedMs);
    this.#queue.add(stage(timeline, "queue") + stage(timeline, "batch"));
    this.#input.add(stage(timeline, "transfer"));
    this.#infer.add(stage(timeline, "compute"));
  }

  requestFailed(_reason: string, waitedMs: number): void {
    this.#failed += 1;
    this.#fail.add(waitedMs);
  }

  requestRejected(reason: RejectReason, waitedMs: number): void {
    if (reason === "cancelled") {
      this.#cancelled += 1;
      return;
    }
    this.#rejected += 1;
    this.#fail.add(waitedMs);
  }

  requestsRetried(): void {}

  read(model: {
    readonly name: string;
    readonly version: string;
    readonly memoryBytes: number;
  }): ModelStatistics {
    const batches = [...this.#batches].sort(([a], [b]) => a - b);
    return {
      name: model.name,
      version: model.version,
      lastInferenceMs: Math.round(this.#lastInferenceMs),
      inferenceCount: this.#rows,
      executionCount: this.#runs,
      success: this.#success.read(),
      fail: this.#fail.read(),
      failures: { rejected: this.#rejected, cancelled: this.#cancelled, backend: this.#failed },
      queue: this.#queue.read(),
      computeInput: this.#input.read(),
      computeInfer: this.#infer.read(),
      computeOutput: { count: this.#infer.count, ns: 0n },
      cacheHit: NONE,
      cacheMiss: NONE,
      batches: batches.map(([batchSize, { input, infer }]) => ({
        batchSize,
        computeInput: input.read(),
        computeInfer: infer.read(),
        computeOutput: { count: infer.count, ns: 0n },
      })),
      memoryBytes: model.memoryBytes,
    };
  }
}

/** A stage's time; 0 for a stage that was not stamped. */
function stage(timeline: Timeline, name: Stage): number {
  const ms = stageMs(timeline, name);
  return Number.isNaN(ms) ? 0 : Math.max(0, ms);
}
