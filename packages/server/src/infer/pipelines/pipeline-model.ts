import type { Clock } from "../../base/clock.ts";
import { ServeError } from "../../base/errors.ts";
import type { InferRequest, InferResponse } from "../../base/infer-request.ts";
import type { Logger } from "../../base/logger.ts";
import type { ModelDescription } from "../../base/model-description.ts";
import type { RequestHead } from "../../base/request-head.ts";
import type { ResultReceiver } from "../../base/result-receiver.ts";
import type { RunSettings } from "../../base/run-settings.ts";
import type { Batching, Signature } from "../../base/signature.ts";
import type { Timeline } from "../../base/timeline.ts";
import { InFlight } from "../../models/in-flight.ts";
import type { ModelStatistics } from "../../models/model-statistics.ts";
import type { ModelWorkers } from "../../models/registry.ts";
import type { ModelGauges, ServedModelHandle } from "../../models/served-model-handle.ts";
import type { CheckedSubmit } from "../checked-submit.ts";
import { FollowedSteps, type FollowedStepsOptions } from "./followed-steps.ts";
import { holdAll } from "./hold-all.ts";
import { PipelineCall } from "./pipeline-call.ts";
import { describePipeline } from "./pipeline-facts.ts";
import type { PipelinePlan } from "./pipeline-plan.ts";
import { PipelineRun, type RunModels } from "./pipeline-run.ts";
import type { PipelineState } from "./pipeline-state.ts";
import type { StatefulHandle } from "./pipeline-with-sequences.ts";
import type { TensorLedger } from "./step-models.ts";

/** Told how each request of a pipeline ended: statistics and metrics. */
export interface PipelineObserver {
  answered(timeline: Timeline, rows: number): void;
  failed(error: ServeError, waitedMs: number): void;
  read(model: Pick<ServedModelHandle, "name" | "version" | "memoryBytes">): ModelStatistics;
}

export interface PipelineModelOptions extends FollowedStepsOptions {
  readonly name: string;
  readonly version: string;
  readonly submit: CheckedSubmit;
  readonly ledger: TensorLedger;
  readonly observer: PipelineObserver;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Milliseconds since 1970. */
  readonly wallNowMs: () => number;
}

/** Said of a pipeline whose models were never all in memory. */
const NOTHING: Signature = {
  inputs: [],
  outputs: [],
  batching: { kind: "off", reason: "the models of its steps are not loaded" },
};

/**
 * Models that run one after another, and side by side, as one model that has no worker of its own. It is as well as the models of its steps:
 * while one of them does not answer, nor does it, and it follows them when they are loaded again. States of its steps are inputs and outputs of it. Owns none of the models.
 */
export class PipelineModel implements StatefulHandle {
  readonly name: string;
  readonly version: string;
  readonly memoryBytes = 0;
  description: ModelDescription = describePipeline(NOTHING, []);
  settings: RunSettings = NO_SETTINGS;
  readonly #options: PipelineModelOptions;
  readonly #taken = new InFlight();
  readonly #holds = new InFlight();
  readonly #health = new Set<() => void>();
  readonly #stopListening: () => void;
  readonly #steps: RunModels;
  readonly #loadedAtMs: number;
  readonly #followed: FollowedSteps;
  #isGone = false;
  /** By step, while somebody holds this pipeline. */
  #kept: readonly ServedModelHandle[] = [];
  #closing: Promise<void> | undefined;

  constructor(options: PipelineModelOptions) {
    const { name, version, pipeline, models, wallNowMs } = options;
    this.name = name;
    this.version = version;
    this.#options = options;
    this.#loadedAtMs = wallNowMs();
    this.#followed = new FollowedSteps(options);
    this.#describe();
    this.#steps = {
      find: (step) => {
        const { model, version } = pipeline.steps[step]!;
        return models.find(model, version) ?? this.#kept[step];
      },
      waitForLoad(step, signal) {
        const { model, version } = pipeline.steps[step]!;
        return models.waitForLoad(model, version, signal);
      },
    };
    const names = new Set(pipeline.steps.map(({ model }) => model));
    this.#stopListening = models.onChange((model) => {
      if (names.has(model)) this.#follow();
    });
  }

  /** What does not fit, as far as the models that are in memory say it. */
  get problem(): ServeError | undefined {
    return this.#followed.problem;
  }

  get state(): PipelineState | undefined {
    return this.#followed.compiled?.state;
  }

  submit(request: InferRequest, receiver: ResultReceiver<InferResponse>): void {
    try {
      const plan = this.#requirePlan();
      const { submit, clock, ledger } = this.#options;
      this.#taken.begin();
      const call = new PipelineCall(this, request, receiver);
      new PipelineRun({ plan, models: this.#steps, submit, clock, ledger }, request, call).start();
    } catch (error) {
      receiver.reject(ServeError.from(error));
    }
  }

  /** What the models of the steps that every answer needs, and that wait for nothing, would reject. */
  rejectEarly(head: RequestHead): ServeError | undefined {
    const plan = this.#followed.compiled?.plan;
    if (plan === undefined) return undefined;
    for (const [i, { model, version, before }] of plan.steps.entries()) {
      if (before.length > 0 || [...plan.needs.values()].some((needed) => !needed.has(i))) continue;
      const rejection = this.#options.models.find(model, version)?.rejectEarly(head);
      if (rejection === undefined) continue;
      this.#options.observer.failed(rejection, 0);
      return rejection;
    }
    return undefined;
  }

  ended(error: ServeError | undefined, request: InferRequest): void {
    const { observer, clock } = this.#options;
    this.#taken.end();
    if (error !== undefined) observer.failed(error, clock.nowMs() - request.timeline.enqueuedMs);
    else observer.answered(request.timeline, rowsOf(this.#followed.compiled?.batching, request));
  }

  statistics(): ModelStatistics {
    return this.#options.observer.read(this);
  }

  async workers(): Promise<ModelWorkers> {
    return { loadedAtMs: this.#loadedAtMs, workers: [], waitingRequests: 0 };
  }

  async gauges(): Promise<ModelGauges> {
    return {
      waitingRequests: 0,
      waitingBytes: 0,
      runningRequests: this.#taken.count,
      readyInstances: 0,
      instances: 0,
      residentBytes: [],
    };
  }

  inFlight(): number {
    return this.#taken.count;
  }

  hold(): boolean {
    if (this.#holds.count === 0) {
      const { pipeline, models } = this.#options;
      const kept = holdAll(pipeline.steps.map(({ model, version }) => models.find(model, version)));
      if (kept === undefined) return false;
      this.#kept = kept;
    }
    this.#holds.begin();
    this.#taken.begin();
    return true;
  }

  release(): void {
    this.#holds.end();
    if (this.#holds.count === 0) {
      for (const handle of this.#kept) handle.release();
      this.#kept = [];
    }
    this.#taken.end();
  }

  failure(): string | undefined {
    return this.#followed.failure;
  }

  isOutdated(): boolean {
    return false;
  }

  onHealthChange(listener: () => void): () => void {
    this.#health.add(listener);
    return () => this.#health.delete(listener);
  }

  onIdle(listener: () => void): () => void {
    return this.#taken.onIdle(listener);
  }

  close(): Promise<void> {
    this.#closing ??= this.#taken.idle().then(() => this.#stopListening());
    return this.#closing;
  }

  /** The models of its steps, which others may use, go on; what it has there ends as they say. */
  destroy(): void {
    this.#isGone = true;
    this.#stopListening();
  }

  #requirePlan(): PipelinePlan {
    const isClosed = this.#isGone || (this.#closing !== undefined && this.#holds.count === 0);
    if (isClosed)
      throw new ServeError("unavailable", "the model is being unloaded: try again", { reason: "draining" });
    const { compiled, failure } = this.#followed;
    if (compiled !== undefined && failure === undefined) return compiled.plan;
    throw new ServeError("unavailable", failure ?? NOTHING_LOADED, { reason: "model_not_ready" });
  }

  /** A model of a step changed. What finishes what it has does not care. */
  #follow(): void {
    if (this.#closing !== undefined) return;
    const before = this.failure();
    const described = this.description;
    this.#followed.refresh();
    this.#describe();
    const { name: model, version } = this;
    const { logger } = this.#options;
    const reason = this.failure();
    const hasFailed = before !== reason;
    // Others that are made of this one have to know what it takes and gives now.
    if (!hasFailed && this.description === described) return;
    if (!hasFailed) logger.info({ model, version }, "a model of the pipeline changed what it takes or gives");
    else if (reason === undefined) logger.info({ model, version }, "the model answers again");
    else logger.warn({ model, version, reason }, "the model cannot answer any more");
    for (const listener of this.#health) listener();
  }

  /** What does not fit together is described as it was. */
  #describe(): void {
    const { compiled } = this.#followed;
    if (compiled === undefined) return;
    this.description = compiled.description;
    this.settings = compiled.settings;
  }
}

const NOTHING_LOADED = "the models of its steps are not loaded";

const NO_SETTINGS: RunSettings = {
  maxBatchSize: 1,
  maxQueueDelayMs: 0,
  preferredBatchSizes: [],
  priorityLevels: 1,
  defaultPriority: 1,
  instances: 0,
  executionTimeoutMs: 0,
  loadTimeoutMs: 0,
  maxQueueSize: 0,
  cached: false,
};

/** Rows of a request whose inputs were checked. */
function rowsOf(batching: Batching | undefined, { inputs }: InferRequest): number {
  return batching?.kind === "on" ? (inputs[0]?.shape[0] ?? 1) : 1;
}
