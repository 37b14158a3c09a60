import type { ServeError } from "../base/errors.ts";
import { type InferRequest, type InferResponse, NO_PARAMETERS } from "../base/infer-request.ts";
import type { Instance } from "../base/instance.ts";
import type { Logger } from "../base/logger.ts";
import type { ModelDescription } from "../base/model-description.ts";
import type { RequestHead } from "../base/request-head.ts";
import type { ResultReceiver } from "../base/result-receiver.ts";
import type { RunSettings } from "../base/run-settings.ts";
import type { Signature } from "../base/signature.ts";
import type { QueueObserver } from "../queue/queue-observer.ts";
import type { RequestResult } from "../queue/queued-request.ts";
import type { Scheduler } from "../queue/scheduler.ts";
import type { LoadedModel } from "../runtime/runtime.ts";
import { InFlight } from "./in-flight.ts";
import { type ModelStatistics, StatisticsCounters } from "./model-statistics.ts";
import type { ModelWorkers } from "./registry.ts";
import type { ModelGauges, ServedModelHandle } from "./served-model-handle.ts";

/** What a queue is made from; the rest (settings, clock) the composition root knows. */
export interface QueueParts {
  readonly signature: Signature;
  readonly instances: readonly Instance[];
  readonly observer: QueueObserver;
}

export interface ServedModelOptions {
  readonly name: string;
  readonly version: string;
  /** Owned by the served model from now on. */
  readonly loaded: LoadedModel;
  readonly logger: Logger;
  /** What the queue was set to, for those who ask. */
  readonly settings: RunSettings;
  createQueue(parts: QueueParts): Scheduler;
  /** Milliseconds since 1970, for the statistics document. */
  readonly wallNowMs: () => number;
  /** Told the same as the statistics: metrics. */
  readonly observer?: QueueObserver;
  /** Told when an instance lost its worker and gets another one. Default: nobody is. */
  readonly onRestart?: () => void;
  /** Default: the weights, once per instance. */
  readonly memoryBytes?: number;
}

/** Puts a queue in front of a loaded model. */
export function createServedModel(options: ServedModelOptions): ServedModelHandle {
  return new LiveModel(options);
}

class LiveModel implements ServedModelHandle {
  readonly name: string;
  readonly version: string;
  readonly description: ModelDescription;
  readonly settings: RunSettings;
  readonly memoryBytes: number;
  readonly #loaded: LoadedModel;
  readonly #queue: Scheduler;
  readonly #statistics: StatisticsCounters;
  readonly #logger: Logger;
  readonly #health = new Set<() => void>();
  /** Instances that wait for another worker. */
  readonly #restarting = new Set<Instance>();
  readonly #onRestart: (() => void) | undefined;
  readonly #inFlight = new InFlight();
  readonly #holds = new InFlight();
  readonly #stopWatching: () => void;
  readonly #loadedAtMs: number;
  #failure: string | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: ServedModelOptions) {
    const { name, version, loaded } = options;
    this.name = name;
    this.version = version;
    this.description = loaded.description;
    this.settings = options.settings;
    this.memoryBytes = options.memoryBytes ?? loaded.description.weightBytes * loaded.instances.length;
    this.#loaded = loaded;
    this.#logger = options.logger;
    this.#statistics = new StatisticsCounters(options.wallNowMs);
    this.#queue = options.createQueue({
      signature: loaded.description.signature,
      instances: loaded.instances,
      observer: joinObservers(this.#statistics, options.observer),
    });
    this.#loadedAtMs = options.wallNowMs();
    this.#failure = failureOf(loaded);
    this.#onRestart = options.onRestart;
    this.#stopWatching = loaded.onStateChange(() => this.#onStateChange());
  }

  submit(request: InferRequest, receiver: ResultReceiver<InferResponse>): void {
    this.#inFlight.begin();
    this.#queue.submit(request, new ModelRequest(this, this.#inFlight, { request, receiver }));
  }

  rejectEarly(head: RequestHead): ServeError | undefined {
    return this.#queue.rejectEarly(head);
  }

  inFlight(): number {
    return this.#inFlight.count;
  }

  hold(): boolean {
    this.#holds.begin();
    this.#inFlight.begin();
    return true;
  }

  release(): void {
    this.#holds.end();
    this.#inFlight.end();
  }

  statistics(): ModelStatistics {
    return this.#statistics.read(this);
  }

  async workers(): Promise<ModelWorkers> {
    const workers = this.#loaded.instances.map(async (instance) => ({
      pid: instance.pid,
      residentBytes: await instance.residentBytes(),
      isReady: instance.state.kind === "ready",
    }));
    const { waitingRequests } = this.#queue.gauges();
    return { loadedAtMs: this.#loadedAtMs, workers: await Promise.all(workers), waitingRequests };
  }

  async gauges(): Promise<ModelGauges> {
    const { instances } = this.#loaded;
    const residentBytes = await Promise.all(instances.map((instance) => instance.residentBytes()));
    return { ...this.#queue.gauges(), residentBytes };
  }

  failure(): string | undefined {
    return this.#failure;
  }

  isOutdated(): boolean {
    const { instances } = this.#loaded;
    return (
      this.#failure !== undefined &&
      instances.some(({ state }) => state.kind === "failed" && state.isOutdated === true)
    );
  }

  onHealthChange(listener: () => void): () => void {
    this.#health.add(listener);
    return () => this.#health.delete(listener);
  }

  onIdle(listener: () => void): () => void {
    return this.#inFlight.onIdle(listener);
  }

  close(): Promise<void> {
    this.#closing ??= this.#drain();
    return this.#closing;
  }

  destroy(reason: string): void {
    this.#stopWatching();
    this.#queue.destroy(reason);
    this.#loaded.destroy(reason);
  }

  async #drain(): Promise<void> {
    if (this.#holds.count > 0) await this.#holds.idle();
    await this.#queue.close();
    this.#stopWatching();
    await this.#loaded.close();
  }

  #onStateChange(): void {
    this.#queue.instancesChanged();
    this.#countRestarts();
    const failure = failureOf(this.#loaded);
    if (failure === this.#failure) return;
    this.#failure = failure;
    const { name: model, version } = this;
    if (failure === undefined) this.#logger.info({ model, version }, "the model answers again");
    else this.#logger.error({ model, version, reason: failure }, "the model cannot answer any more");
    for (const listener of this.#health) listener();
  }

  /** Each once, however many tries it takes. */
  #countRestarts(): void {
    for (const instance of this.#loaded.instances) {
      if (instance.state.kind !== "restarting") this.#restarting.delete(instance);
      else if (!this.#restarting.has(instance)) {
        this.#restarting.add(instance);
        this.#onRestart?.();
      }
    }
  }
}

/** Makes a queue's result the model's response. */
class ModelRequest implements ResultReceiver<RequestResult> {
  readonly #model: LiveModel;
  readonly #inFlight: InFlight;
  readonly #id: string | undefined;
  readonly #receiver: ResultReceiver<InferResponse>;

  constructor(
    model: LiveModel,
    inFlight: InFlight,
    {
      request,
      receiver,
    }: { readonly request: InferRequest; readonly receiver: ResultReceiver<InferResponse> },
  ) {
    this.#model = model;
    this.#inFlight = inFlight;
    this.#id = request.id;
    this.#receiver = receiver;
  }

  resolve({ outputs, batchRows }: RequestResult): void {
    const { name: model, version } = this.#model;
    this.#inFlight.end();
    this.#receiver.resolve({ model, version, id: this.#id, outputs, parameters: NO_PARAMETERS, batchRows });
  }

  reject(error: Error): void {
    this.#inFlight.end();
    this.#receiver.reject(error);
  }
}

/** Why none of the instances will answer again, or undefined while one may. */
function failureOf(loaded: LoadedModel): string | undefined {
  let reason: string | undefined;
  for (const { state } of loaded.instances) {
    if (state.kind === "ready" || state.kind === "restarting") return undefined;
    if (state.kind === "failed") reason ??= state.reason;
  }
  return reason ?? "its workers have ended";
}

/** Tells both; the first alone when there is no second. */
function joinObservers(first: QueueObserver, second: QueueObserver | undefined): QueueObserver {
  if (second === undefined) return first;
  return {
    runFinished(report) {
      first.runFinished(report);
      second.runFinished(report);
    },
    requestAnswered(timeline, rows) {
      first.requestAnswered(timeline, rows);
      second.requestAnswered(timeline, rows);
    },
    requestFailed(reason, waitedMs) {
      first.requestFailed(reason, waitedMs);
      second.requestFailed(reason, waitedMs);
    },
    requestRejected(reason, waitedMs) {
      first.requestRejected(reason, waitedMs);
      second.requestRejected(reason, waitedMs);
    },
    requestsRetried(kind, requests) {
      first.requestsRetried(kind, requests);
      second.requestsRetried(kind, requests);
    },
  };
}
