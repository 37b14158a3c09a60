import type { Clock } from "../../base/clock.ts";
import { ServeError } from "../../base/errors.ts";
import { type InferRequest, type InferResponse, NO_PARAMETERS } from "../../base/infer-request.ts";
import type { ModelDescription } from "../../base/model-description.ts";
import type { RequestHead } from "../../base/request-head.ts";
import { type ResultReceiver, submitTo } from "../../base/result-receiver.ts";
import type { RunSettings } from "../../base/run-settings.ts";
import type { Task, TaskRequest, TaskResponse, TaskStages } from "../../base/task.ts";
import type { NamedTensor } from "../../base/tensor.ts";
import { Timeline } from "../../base/timeline.ts";
import { InFlight } from "../../models/in-flight.ts";
import type { ModelStatistics } from "../../models/model-statistics.ts";
import type { ModelWorkers } from "../../models/registry.ts";
import type { ModelGauges, ServedModelHandle } from "../../models/served-model-handle.ts";
import { compileInputCheck, type InputCheck } from "../input-check.ts";

export interface TaskModelOptions {
  /** Such as `image-classification`. */
  readonly name: string;
  /** Owned by the model from now on. */
  readonly stages: TaskStages;
  readonly clock: Clock;
}

/** A model with what surrounds it: it takes tensors as before, and tasks as well. Owns `inner`. */
export function createTaskModel(inner: ServedModelHandle, options: TaskModelOptions): ServedModelHandle {
  return new TaskModel(inner, options);
}

class TaskModel implements ServedModelHandle {
  readonly name: string;
  readonly version: string;
  readonly description: ModelDescription;
  readonly settings: RunSettings;
  readonly memoryBytes: number;
  readonly task: Task;
  readonly #inner: ServedModelHandle;
  readonly #stages: TaskStages;
  readonly #clock: Clock;
  readonly #check: InputCheck;
  readonly #inFlight = new InFlight();
  #closing: Promise<void> | undefined;

  constructor(inner: ServedModelHandle, { name, stages, clock }: TaskModelOptions) {
    this.name = inner.name;
    this.version = inner.version;
    this.description = inner.description;
    this.settings = inner.settings;
    this.memoryBytes = inner.memoryBytes;
    this.task = { name, run: (request) => this.#runTask(request) };
    this.#inner = inner;
    this.#stages = stages;
    this.#clock = clock;
    this.#check = compileInputCheck(inner.description.signature);
  }

  submit(request: InferRequest, receiver: ResultReceiver<InferResponse>): void {
    this.#inner.submit(request, receiver);
  }

  rejectEarly(head: RequestHead): ServeError | undefined {
    return this.#inner.rejectEarly(head);
  }

  statistics(): ModelStatistics {
    return this.#inner.statistics();
  }

  workers(): Promise<ModelWorkers> {
    return this.#inner.workers();
  }

  async gauges(): Promise<ModelGauges> {
    const [inner, own] = await Promise.all([this.#inner.gauges(), this.#stages.residentBytes()]);
    return { ...inner, residentBytes: [...inner.residentBytes, ...own] };
  }

  inFlight(): number {
    return this.#inner.inFlight() + this.#inFlight.count;
  }

  failure(): string | undefined {
    return this.#inner.failure() ?? this.#stages.failure();
  }

  isOutdated(): boolean {
    return this.#inner.isOutdated() || this.#stages.isOutdated();
  }

  onHealthChange(listener: () => void): () => void {
    const stops = [this.#inner.onHealthChange(listener), this.#stages.onStateChange(listener)];
    return () => {
      for (const stop of stops) stop();
    };
  }

  onIdle(listener: () => void): () => void {
    const settled = (): void => {
      if (this.inFlight() === 0) listener();
    };
    const stops = [this.#inner.onIdle(settled), this.#inFlight.onIdle(settled)];
    return () => {
      for (const stop of stops) stop();
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#drain();
    return this.#closing;
  }

  destroy(reason: string): void {
    this.#inner.destroy(reason);
    this.#stages.destroy(reason);
  }

  async #drain(): Promise<void> {
    await this.#inFlight.idle();
    await this.#inner.close();
    await this.#stages.close();
  }

  async #runTask(request: TaskRequest): Promise<TaskResponse> {
    if (this.#closing !== undefined)
      throw new ServeError("unavailable", "the model is being unloaded: try again", { reason: "draining" });
    this.#inFlight.begin();
    try {
      const { parts, signal, timeline } = request;
      const { runs, state } = await this.#stages.prepare(parts, signal);
      timeline.preparedMs = this.#clock.nowMs();
      const outputs = await Promise.all(runs.map((inputs, i) => this.#runModel(request, inputs, i === 0)));
      const body = await this.#stages.finish(state, outputs, signal);
      timeline.finishedMs = this.#clock.nowMs();
      return { model: this.name, version: this.version, body };
    } finally {
      this.#inFlight.end();
    }
  }

  /** One of a request's runs. The first one's time is the request's; the others run beside it. */
  async #runModel(
    { priority, deadlineMs, signal, tenant, timeline }: TaskRequest,
    given: readonly NamedTensor[],
    isFirst: boolean,
  ): Promise<readonly NamedTensor[]> {
    const inputs = this.#check(given);
    const own = isFirst ? timeline : new Timeline(timeline.receivedMs);
    own.enqueuedMs = this.#clock.nowMs();
    const { outputs } = await submitTo<InferRequest, InferResponse>(this.#inner, {
      model: this.name,
      version: this.version,
      id: undefined,
      inputs,
      outputs: undefined,
      parameters: NO_PARAMETERS,
      priority,
      deadlineMs,
      signal,
      tenant,
      timeline: own,
    });
    return outputs;
  }
}
