import type { Clock } from "../../base/clock.ts";
import type { DeclaredPorts } from "../../base/declared-ports.ts";
import { ServeError } from "../../base/errors.ts";
import { type InferRequest, type InferResponse, NO_PARAMETERS } from "../../base/infer-request.ts";
import type { Logger } from "../../base/logger.ts";
import type { ModelDescription } from "../../base/model-description.ts";
import type { RequestHead } from "../../base/request-head.ts";
import type { ResultReceiver } from "../../base/result-receiver.ts";
import type { RunSettings } from "../../base/run-settings.ts";
import type { Signature } from "../../base/signature.ts";
import type { Timeline } from "../../base/timeline.ts";
import { InFlight } from "../../models/in-flight.ts";
import type { ModelStatistics } from "../../models/model-statistics.ts";
import type { ModelWorkers } from "../../models/registry.ts";
import type { ModelGauges, ServedModelHandle } from "../../models/served-model-handle.ts";
import type { CheckedSubmit } from "../checked-submit.ts";
import { holdAll } from "./hold-all.ts";
import { type OwnFacts, pipelineLabels, pipelineSettings, type StepFacts } from "./pipeline-facts.ts";
import { compilePipeline, type PipelinePlan } from "./pipeline-plan.ts";
import { type PipelineResult, PipelineRun, type RunModels } from "./pipeline-run.ts";
import type { StepModels, TensorLedger } from "./step-models.ts";

/** Told how each request of a pipeline ended: statistics and metrics. */
export interface PipelineObserver {
  answered(timeline: Timeline, rows: number): void;
  failed(error: ServeError, waitedMs: number): void;
  read(model: Pick<ServedModelHandle, "name" | "version" | "memoryBytes">): ModelStatistics;
}

export interface PipelineModelOptions extends OwnFacts {
  readonly name: string;
  readonly version: string;
  /** What the settings of another server say of its inputs and outputs. */
  readonly ports: DeclaredPorts | undefined;
  readonly models: StepModels;
  /** What is known of each step's model; undefined: nothing. */
  readonly facts: readonly (StepFacts | undefined)[];
  readonly submit: CheckedSubmit;
  readonly ledger: TensorLedger;
  readonly observer: PipelineObserver;
  /** The names of classes that its own files say. Throws when they do not fit. */
  labelsOf(signature: Signature): RunSettings["labels"];
  readonly clock: Clock;
  readonly logger: Logger;
  /** Milliseconds since 1970. */
  readonly wallNowMs: () => number;
}

/** A pipeline, and what does not fit together in it; undefined: nothing that is known. */
export interface OpenedPipeline {
  readonly handle: ServedModelHandle;
  readonly problem: ServeError | undefined;
}

/**
 * Models that run one after another, and side by side, as one model that has no worker of its own. It is as well as the models of its steps:
 * while one of them does not answer, nor does it, and it follows them when they are loaded again. Owns none of them.
 */
export function openPipeline(options: PipelineModelOptions): OpenedPipeline {
  const model = new PipelineModel(options);
  return { handle: model, problem: model.problem };
}

/** Said of a pipeline whose models were never all in memory. */
const NOTHING: Signature = {
  inputs: [],
  outputs: [],
  batching: { kind: "off", reason: "the models of its steps are not loaded" },
};

class PipelineModel implements ServedModelHandle {
  readonly name: string;
  readonly version: string;
  readonly memoryBytes = 0;
  /** What does not fit, as far as the models that are in memory say it. */
  problem: ServeError | undefined;
  description: ModelDescription = describe(NOTHING, []);
  settings: RunSettings;
  readonly #options: PipelineModelOptions;
  readonly #taken = new InFlight();
  readonly #holds = new InFlight();
  readonly #health = new Set<() => void>();
  readonly #stopListening: () => void;
  readonly #steps: RunModels;
  readonly #loadedAtMs: number;
  /** Of each step's model, when it was last in memory. */
  readonly #facts: (StepFacts | undefined)[];
  #plan: PipelinePlan | undefined;
  #failure: string | undefined;
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
    this.#facts = pipeline.steps.map((_, i) => factsOf(options.facts[i]));
    this.settings = NO_SETTINGS;
    this.#refresh();
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
    const plan = this.#plan;
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
    else observer.answered(request.timeline, rowsOf(this.description.signature, request));
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
    return this.#failure;
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
    if (this.#plan !== undefined && this.#failure === undefined) return this.#plan;
    throw new ServeError("unavailable", this.#failure ?? NOTHING_LOADED, { reason: "model_not_ready" });
  }

  /** A model of a step changed. What finishes what it has does not care. */
  #follow(): void {
    if (this.#closing !== undefined) return;
    const before = this.#failure;
    const described = this.description;
    this.#refresh();
    const { name: model, version } = this;
    const { logger } = this.#options;
    const hasFailed = before !== this.#failure;
    // Others that are made of this one have to know what it takes and gives now.
    if (!hasFailed && this.description === described) return;
    if (!hasFailed) logger.info({ model, version }, "a model of the pipeline changed what it takes or gives");
    else if (this.#failure === undefined) logger.info({ model, version }, "the model answers again");
    else logger.warn({ model, version, reason: this.#failure }, "the model cannot answer any more");
    for (const listener of this.#health) listener();
  }

  #refresh(): void {
    const { pipeline, models } = this.#options;
    this.problem = undefined;
    this.#failure = undefined;
    let isChanged = this.#plan === undefined;
    for (const [i, step] of pipeline.steps.entries()) {
      const { model, version, name } = step;
      const handle = models.find(model, version);
      if (handle === undefined) {
        if (this.#facts[i] === undefined || !models.isReady(model, version))
          this.#failure ??= `step "${name}": ${models.whyNot(model, version)}`;
        continue;
      }
      isChanged ||= this.#facts[i]?.description !== handle.description;
      this.#facts[i] = factsOf(handle);
    }
    if (this.#failure !== undefined || !isChanged) return;
    try {
      this.#compile(this.#facts as readonly StepFacts[]); // none is missing, or there would be a failure
    } catch (error) {
      this.problem = ServeError.from(error);
      this.#plan = undefined;
      this.#failure = this.problem.message;
    }
  }

  #compile(facts: readonly StepFacts[]): void {
    const { pipeline, ports, labelsOf } = this.#options;
    const stateful = facts.findIndex(({ settings }) => settings.sequences !== undefined);
    if (stateful >= 0)
      throw new ServeError(
        "invalid_argument",
        `pipeline: step "${pipeline.steps[stateful]!.name}" keeps a state for each sequence, which a pipeline does not carry: call that model by itself`,
        { reason: "invalid_config" },
      );
    const signatures = facts.map(({ description }) => description.signature);
    const plan = compilePipeline(pipeline, signatures, ports);
    const labels = pipelineLabels(plan, facts, labelsOf(plan.signature));
    this.settings = pipelineSettings(this.#options, facts, labels);
    this.description = describe(plan.signature, facts, plan.warnings);
    this.#plan = plan;
  }
}

/** Alone, so that nothing of a model that is gone is kept. */
function factsOf(facts: StepFacts | undefined): StepFacts | undefined {
  if (facts === undefined) return undefined;
  const { version, description, settings } = facts;
  return { version, description, settings };
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

/** Makes what a run gives the pipeline's response. */
class PipelineCall implements ResultReceiver<PipelineResult> {
  readonly #model: PipelineModel;
  readonly #request: InferRequest;
  readonly #receiver: ResultReceiver<InferResponse>;

  constructor(model: PipelineModel, request: InferRequest, receiver: ResultReceiver<InferResponse>) {
    this.#model = model;
    this.#request = request;
    this.#receiver = receiver;
  }

  resolve({ outputs, batchRows }: PipelineResult): void {
    const { name: model, version } = this.#model;
    const { id } = this.#request;
    this.#model.ended(undefined, this.#request);
    this.#receiver.resolve({ model, version, id, outputs, parameters: NO_PARAMETERS, batchRows });
  }

  reject(error: Error): void {
    this.#model.ended(ServeError.from(error), this.#request);
    this.#receiver.reject(error);
  }
}

function describe(
  signature: Signature,
  facts: readonly StepFacts[],
  warnings: readonly string[] = [],
): ModelDescription {
  const names = facts.length === 1 ? "1 step" : `${facts.length} steps`;
  return {
    signature,
    platform: "ensemble",
    runtime: "pipeline",
    runtimeReason: `a pipeline of ${names}, each run by its own model`,
    parameterCount: 0,
    weightBytes: 0,
    digest: facts.map(({ description }) => description.digest).join("+"),
    warnings,
    loadMs: {},
  };
}

/** Rows of a request whose inputs were checked. */
function rowsOf({ batching }: Signature, { inputs }: InferRequest): number {
  return batching.kind === "on" ? (inputs[0]?.shape[0] ?? 1) : 1;
}
