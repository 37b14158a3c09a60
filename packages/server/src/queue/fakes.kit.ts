import { ServeError } from "../base/errors.ts";
import { type InferRequest, NO_PARAMETERS, type Parameters } from "../base/infer-request.ts";
import type { Instance, InstanceState } from "../base/instance.ts";
import { ManualClock } from "../base/manual-clock.kit.ts";
import type { RejectReason } from "../base/reject-reasons.ts";
import type { RunRequest, RunResult } from "../base/run.ts";
import type { Signature } from "../base/signature.ts";
import { Timeline } from "../base/timeline.ts";
import { completeQueueConfig, type QueueConfig } from "./queue-config.ts";
import type { QueueObserver, RetryKind } from "./queue-observer.ts";
import { createScheduler, type Scheduler, type SchedulerOptions } from "./scheduler.ts";

/** What a row does to the model: its second number. */
export const KIND = { fine: 0, throws: 1, badShape: 2, kills: 3, hangs: 4 } as const;
export type Kind = (typeof KIND)[keyof typeof KIND];

/** rows INT32 [batch, 2] (id, kind) → doubled INT32 [batch, 3] (2·id+1, id, kind), rank INT32 [batch] (id). */
export const ROWS_SIGNATURE: Signature = {
  inputs: [{ name: "rows", datatype: "INT32", dims: [{ symbol: "n", min: 1, max: undefined }, 2] }],
  outputs: [
    { name: "doubled", datatype: "INT32", dims: [{ symbol: "n", min: 1, max: undefined }, 3] },
    { name: "rank", datatype: "INT32", dims: [{ symbol: "n", min: 1, max: undefined }] },
  ],
  batching: { kind: "on", symbol: "n", maxRows: undefined },
};

interface PendingRun {
  readonly rows: readonly (readonly [number, number])[];
  readonly resolve: (result: RunResult) => void;
  readonly reject: (error: Error) => void;
}

/** Computes on the bytes it is given, when told to: `step` ends its first outstanding run the way its rows say. */
export class FakeInstance implements Instance {
  state: InstanceState = { kind: "ready" };
  deaths = 0;
  /** Ids of every run, in order. */
  readonly runs: number[][] = [];
  readonly shapes: (readonly number[])[] = [];
  readonly id: string;
  #pending: PendingRun[] = [];

  constructor(id = "0") {
    this.id = id;
  }

  run(request: RunRequest): Promise<RunResult> {
    const input = request.inputs[0]!;
    const bytes = Buffer.concat(input.chunks);
    const rows: [number, number][] = [];
    for (let at = 0; at < bytes.length; at += 8)
      rows.push([bytes.readInt32LE(at), bytes.readInt32LE(at + 4)]);
    this.runs.push(rows.map(([id]) => id));
    this.shapes.push(input.shape);
    return new Promise((resolve, reject) => this.#pending.push({ rows, resolve, reject }));
  }

  get isReady(): boolean {
    return this.state.kind === "ready";
  }

  revive(): void {
    this.state = { kind: "ready" };
  }

  async residentBytes(): Promise<undefined> {}

  get outstanding(): number {
    return this.#pending.length;
  }

  /** Ends the first outstanding run; false when there is none. A run with a killing row ends the worker (see `revive`). */
  step(): boolean {
    const kinds = this.#pending[0]?.rows.map(([, kind]) => kind);
    if (kinds === undefined) return false;
    if (kinds.includes(KIND.kills)) this.die("worker_died");
    else if (kinds.includes(KIND.hangs)) this.die("execution_timeout");
    else {
      const run = this.#pending.shift()!;
      if (kinds.includes(KIND.throws)) run.reject(modelFailed());
      else run.resolve(compute(run.rows, kinds.includes(KIND.badShape)));
    }
    return true;
  }

  die(reason: "worker_died" | "execution_timeout" = "worker_died"): void {
    this.state = { kind: "restarting", attempt: 1, reason };
    this.deaths += 1;
    for (const [index, run] of this.#pending.splice(0).entries()) {
      run.reject(
        index === 0 && reason === "execution_timeout"
          ? new ServeError("deadline_exceeded", "too long", { reason })
          : ServeError.of("unavailable", "gone", { reason: index === 0 ? reason : "worker_died_waiting" }),
      );
    }
  }
}

export function modelFailed(): ServeError {
  return new ServeError("internal", "the model threw", { reason: "model_failed" });
}

function compute(rows: readonly (readonly [number, number])[], isShort: boolean): RunResult {
  const count = isShort ? rows.length + 1 : rows.length;
  const doubled = Buffer.alloc(count * 12);
  const rank = Buffer.alloc(count * 4);
  rows.forEach(([id, kind], row) => {
    doubled.writeInt32LE(2 * id + 1, row * 12);
    doubled.writeInt32LE(id, row * 12 + 4);
    doubled.writeInt32LE(kind, row * 12 + 8);
    rank.writeInt32LE(id, row * 4);
  });
  return {
    outputs: [
      { datatype: "INT32", shape: [count, 3], bytes: doubled },
      { datatype: "INT32", shape: [count], bytes: rank },
    ],
    computeMs: 1,
  };
}

export interface RequestOptions {
  readonly priority?: number;
  readonly deadlineMs?: number | undefined;
  readonly signal?: AbortSignal;
  readonly outputs?: readonly string[];
  readonly parameters?: Parameters;
  readonly tenant?: string;
}

/** A request of one row per `[id, kind]`. */
export function rowsRequest(
  rows: readonly (readonly [id: number, kind: Kind])[],
  options: RequestOptions = {},
): InferRequest {
  const bytes = Buffer.alloc(rows.length * 8);
  rows.forEach(([id, kind], row) => {
    bytes.writeInt32LE(id, row * 8);
    bytes.writeInt32LE(kind, row * 8 + 4);
  });
  return {
    model: "rows",
    version: undefined,
    id: undefined,
    inputs: [{ name: "rows", datatype: "INT32", shape: [rows.length, 2], bytes }],
    outputs: options.outputs,
    parameters: options.parameters ?? NO_PARAMETERS,
    priority: options.priority ?? 0,
    deadlineMs: options.deadlineMs,
    signal: options.signal ?? new AbortController().signal,
    tenant: options.tenant,
    timeline: new Timeline(0),
  };
}

/** The `doubled` and `rank` values the fake model gives for these ids, as one list of numbers per output. */
export function expectedOutputs(rows: readonly (readonly [id: number, kind: Kind])[]): number[][] {
  return [rows.flatMap(([id, kind]) => [2 * id + 1, id, kind]), rows.map(([id]) => id)];
}

export function int32s(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length / 4 }, (_, i) => view.getInt32(i * 4, true));
}

/** Counts what the scheduler tells. */
export class CountingObserver implements QueueObserver {
  failed = 0;
  readonly rejected: Partial<Record<RejectReason, number>> = {};
  readonly retried: Partial<Record<RetryKind, number>> = {};

  runFinished(): void {}

  requestAnswered(): void {}

  requestFailed(): void {
    this.failed += 1;
  }

  requestRejected(reason: RejectReason): void {
    this.rejected[reason] = (this.rejected[reason] ?? 0) + 1;
  }

  requestsRetried(kind: RetryKind, requests: number): void {
    this.retried[kind] = (this.retried[kind] ?? 0) + requests;
  }
}

export interface SetUp {
  readonly clock: ManualClock;
  readonly counts: CountingObserver;
  readonly instances: FakeInstance[];
  readonly scheduler: Scheduler;
}

export function setUp(
  config: Partial<QueueConfig> = {},
  options: { readonly instances?: number } & Partial<Omit<SchedulerOptions, "instances">> = {},
): SetUp {
  const { instances: count = 1, ...rest } = options;
  const clock = new ManualClock();
  const instances = Array.from({ length: count }, (_, i) => new FakeInstance(String(i)));
  const counts = new CountingObserver();
  const scheduler = createScheduler({
    signature: ROWS_SIGNATURE,
    config: completeQueueConfig(config, rest.signature ?? ROWS_SIGNATURE, count),
    clock,
    random: () => 0.5,
    observer: counts,
    ...rest,
    instances,
  });
  return { clock, counts, instances, scheduler };
}

/** Lets everything that is settled be noticed. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
