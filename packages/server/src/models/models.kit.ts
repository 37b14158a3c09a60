// What the tests of this folder share: a clock in hand, a log that keeps quiet, models without a runtime.
import type { Clock } from "../base/clock.ts";
import { ServeError } from "../base/errors.ts";
import type { InferRequest, InferResponse } from "../base/infer-request.ts";
import { NO_PARAMETERS } from "../base/infer-request.ts";
import type { Logger } from "../base/logger.ts";
import type { ModelDescription } from "../base/model-description.ts";
import type { ResultReceiver } from "../base/result-receiver.ts";
import type { RunSettings } from "../base/run-settings.ts";
import type { Signature } from "../base/signature.ts";
import { Timeline } from "../base/timeline.ts";
import type { ModelCandidate, ScanResult } from "./model-candidate.ts";
import { type ModelStatistics, StatisticsCounters } from "./model-statistics.ts";
import type { ModelWorkers } from "./registry.ts";
import type { ModelGauges, ServedModelHandle } from "./served-model-handle.ts";

/** Time that stands still until a test moves it. */
export class ManualClock implements Clock {
  #now = 0;
  #timers: { readonly atMs: number; readonly callback: () => void }[] = [];

  nowMs(): number {
    return this.#now;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { atMs: this.#now + delayMs, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Moves time and calls what is due, in order, letting promises settle between the calls. */
  async advance(ms: number): Promise<void> {
    const target = this.#now + ms;
    await turns();
    for (;;) {
      const due = this.#timers.filter((timer) => timer.atMs <= target).sort((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((other) => other !== due);
      this.#now = Math.max(this.#now, due.atMs);
      due.callback();
      await turns();
    }
    this.#now = target;
  }
}

/** Lets everything that only waits for promises run. */
export async function turns(): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve));
}

export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
};

export const ROW_SIGNATURE: Signature = {
  inputs: [{ name: "x", datatype: "FP32", dims: [{ symbol: "batch", min: 1, max: undefined }, 1] }],
  outputs: [
    { name: "y", datatype: "FP32", dims: [{ symbol: "batch", min: 1, max: undefined }, 1] },
    { name: "z", datatype: "FP32", dims: [{ symbol: "batch", min: 1, max: undefined }, 1] },
  ],
  batching: { kind: "on", symbol: "batch", maxRows: undefined },
};

export function describe(digest: string, signature: Signature = ROW_SIGNATURE): ModelDescription {
  return {
    signature,
    platform: "onnx",
    runtime: "onnx",
    runtimeReason: "it is ONNX",
    parameterCount: 1,
    weightBytes: 4,
    digest,
    warnings: [],
    loadMs: {},
  };
}

export const SETTINGS: RunSettings = {
  maxBatchSize: 32,
  maxQueueDelayMs: 0,
  preferredBatchSizes: [],
  priorityLevels: 1,
  defaultPriority: 1,
  instances: 1,
  executionTimeoutMs: 30_000,
  loadTimeoutMs: 120_000,
  maxQueueSize: 64,
  cached: false,
};

/** A model in memory whose answers the test gives: y carries the fingerprint it was loaded from. */
export class StubModel implements ServedModelHandle {
  readonly name: string;
  readonly version: string;
  readonly fingerprint: string;
  readonly candidate: ModelCandidate;
  readonly description: ModelDescription;
  readonly settings: RunSettings = SETTINGS;
  readonly memoryBytes: number;
  closed = false;
  destroyed = false;
  submitted = 0;
  /** What requests are refused with before their body is read. */
  refusal: ServeError | undefined;
  readonly #open = new Set<OpenRequest>();
  readonly #health = new Set<() => void>();
  readonly #idle = new Set<() => void>();
  #failure: string | undefined;
  #isOutdated = false;
  #closing: PromiseWithResolvers | undefined;

  constructor(candidate: ModelCandidate) {
    this.name = candidate.name;
    this.version = candidate.version;
    this.fingerprint = candidate.fingerprint;
    this.candidate = candidate;
    this.description = describe(candidate.fingerprint);
    this.memoryBytes = candidate.bytes;
  }

  submit(request: InferRequest, receiver: ResultReceiver<InferResponse>): void {
    if (this.#closing !== undefined || this.closed) {
      receiver.reject(new ServeError("unavailable", "draining"));
      return;
    }
    this.submitted += 1;
    this.#open.add({ request, receiver });
  }

  rejectEarly(): ServeError | undefined {
    return this.refusal;
  }

  /** Answers what is in flight: all of it, or the oldest `most`. */
  answer(most: number = Number.POSITIVE_INFINITY): void {
    const { name: model, version } = this;
    const answered = [...this.#open].slice(0, most);
    for (const open of answered) this.#open.delete(open);
    for (const { request, receiver } of answered) {
      const outputs = (request.outputs ?? ["y", "z"]).map((name) => ({ name, ...ZERO }));
      receiver.resolve({
        model,
        version,
        id: this.fingerprint,
        outputs,
        parameters: NO_PARAMETERS,
        batchRows: 1,
      });
    }
    this.#settle();
  }

  hold(): boolean {
    return true;
  }

  release(): void {}

  async workers(): Promise<ModelWorkers> {
    return { loadedAtMs: 0, workers: [], waitingRequests: 0 };
  }

  async gauges(): Promise<ModelGauges> {
    const { size: runningRequests } = this.#open;
    const instances = 1;
    return {
      waitingRequests: 0,
      waitingBytes: 0,
      runningRequests,
      readyInstances: 1,
      instances,
      residentBytes: [],
    };
  }

  statistics(): ModelStatistics {
    return new StatisticsCounters(() => 0).read(this);
  }

  inFlight(): number {
    return this.#open.size;
  }

  failure(): string | undefined {
    return this.#failure;
  }

  isOutdated(): boolean {
    return this.#isOutdated;
  }

  fail(reason: string | undefined, { isOutdated = false }: { readonly isOutdated?: boolean } = {}): void {
    this.#failure = reason;
    this.#isOutdated = isOutdated;
    for (const listener of this.#health) listener();
  }

  onHealthChange(listener: () => void): () => void {
    this.#health.add(listener);
    return () => this.#health.delete(listener);
  }

  onIdle(listener: () => void): () => void {
    this.#idle.add(listener);
    return () => this.#idle.delete(listener);
  }

  close(): Promise<void> {
    this.#closing ??= withResolvers();
    this.#settle();
    return this.#closing.promise;
  }

  destroy(reason: string): void {
    this.destroyed = true;
    for (const { receiver } of this.#open) receiver.reject(new ServeError("unavailable", reason));
    this.#open.clear();
    this.#settle();
  }

  #settle(): void {
    if (this.#open.size > 0) return;
    if (this.#closing !== undefined) {
      this.closed = true;
      this.#closing.resolve();
    }
    for (const listener of this.#idle) listener();
  }
}

interface OpenRequest {
  readonly request: InferRequest;
  readonly receiver: ResultReceiver<InferResponse>;
}

const ZERO = { datatype: "FP32", shape: [1, 1], bytes: new Uint8Array(4) } as const;

interface PromiseWithResolvers {
  readonly promise: Promise<void>;
  resolve(): void;
}

function withResolvers(): PromiseWithResolvers {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

export function candidateOf(name: string, overrides: Partial<ModelCandidate> = {}): ModelCandidate {
  return {
    name,
    version: "1",
    file: `/models/${name}.pt2`,
    root: "/models",
    format: "pt2",
    configFile: undefined,
    foreignFile: undefined,
    labelsFile: undefined,
    settings: undefined,
    otherFiles: [],
    codeFile: undefined,
    problem: undefined,
    remark: "",
    unreadable: false,
    looksLikeModel: true,
    bytes: 1,
    fingerprint: "a",
    ...overrides,
  };
}

export function scanOf(...candidates: readonly ModelCandidate[]): ScanResult {
  return { candidates, problems: [], complete: true };
}

export function requestOf(model: string, overrides: Partial<InferRequest> = {}): InferRequest {
  return {
    model,
    version: undefined,
    id: undefined,
    inputs: [{ name: "x", datatype: "FP32", shape: [1, 1], bytes: new Uint8Array(4) }],
    outputs: undefined,
    parameters: NO_PARAMETERS,
    priority: 0,
    deadlineMs: undefined,
    signal: new AbortController().signal,
    timeline: new Timeline(0),
    ...overrides,
  };
}
