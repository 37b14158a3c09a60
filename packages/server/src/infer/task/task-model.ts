import type { Clock } from "../../base/clock.ts";
import { type InferRequest, type InferResponse, NO_PARAMETERS } from "../../base/infer-request.ts";
import { type ResultReceiver, submitTo } from "../../base/result-receiver.ts";
import type { Signature } from "../../base/signature.ts";
import type { Task, TaskRequest, TaskResponse, TaskStages } from "../../base/task.ts";
import type { NamedTensor } from "../../base/tensor.ts";
import { Timeline } from "../../base/timeline.ts";
import type { ModelGauges, ServedModelHandle } from "../../models/served-model-handle.ts";
import { compileInputCheck, type InputCheck } from "../input-check.ts";
import { ModelAround } from "../model-around.ts";

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

class TaskModel extends ModelAround {
  readonly task: Task;
  readonly #stages: TaskStages;
  readonly #clock: Clock;
  #check: InputCheck;
  #checked: Signature;

  constructor(inner: ServedModelHandle, { name, stages, clock }: TaskModelOptions) {
    super(inner);
    this.task = { name, run: (request) => this.#runTask(request) };
    this.#stages = stages;
    this.#clock = clock;
    this.#checked = inner.description.signature;
    this.#check = compileInputCheck(this.#checked);
  }

  submit(request: InferRequest, receiver: ResultReceiver<InferResponse>): void {
    this.inner.submit(request, receiver);
  }

  override async gauges(): Promise<ModelGauges> {
    const [inner, own] = await Promise.all([this.inner.gauges(), this.#stages.residentBytes()]);
    return { ...inner, residentBytes: [...inner.residentBytes, ...own] };
  }

  override inFlight(): number {
    return this.inner.inFlight() + this.taken.count;
  }

  override failure(): string | undefined {
    return this.inner.failure() ?? this.#stages.failure();
  }

  override isOutdated(): boolean {
    return this.inner.isOutdated() || this.#stages.isOutdated();
  }

  override onHealthChange(listener: () => void): () => void {
    const stops = [this.inner.onHealthChange(listener), this.#stages.onStateChange(listener)];
    return () => {
      for (const stop of stops) stop();
    };
  }

  override onIdle(listener: () => void): () => void {
    return this.onBothIdle(listener);
  }

  override destroy(reason: string): void {
    super.destroy(reason);
    this.#stages.destroy(reason);
  }

  protected override async drain(): Promise<void> {
    await super.drain();
    await this.#stages.close();
  }

  async #runTask(request: TaskRequest): Promise<TaskResponse> {
    this.requireOpen();
    this.taken.begin();
    try {
      const { parts, signal, timeline } = request;
      const { runs, state } = await this.#stages.prepare(parts, signal);
      timeline.preparedMs = this.#clock.nowMs();
      const outputs = await this.#runAll(request, runs);
      const body = await this.#stages.finish(state, outputs, signal);
      timeline.finishedMs = this.#clock.nowMs();
      return { model: this.name, version: this.version, body };
    } finally {
      this.taken.end();
    }
  }

  /** All runs of a request. One alone must not fill the queue: beyond half of it, each waits here for one before it. */
  async #runAll(
    request: TaskRequest,
    runs: readonly (readonly NamedTensor[])[],
  ): Promise<readonly (readonly NamedTensor[])[]> {
    const outputs = new Array<readonly NamedTensor[]>(runs.length);
    let next = 0;
    const lane = async (): Promise<void> => {
      try {
        for (let i = next++; i < runs.length; i = next++)
          outputs[i] = await this.#runModel(request, runs[i]!, i === 0);
      } catch (error) {
        // Of an answer that is lost nothing more is run.
        next = runs.length;
        throw error;
      }
    };
    const most = Math.max(1, Math.floor(this.settings.maxQueueSize / 2));
    await Promise.all(Array.from({ length: Math.min(most, runs.length) }, lane));
    return outputs;
  }

  /** One of a request's runs. The first one's time is the request's; the others run beside it. */
  async #runModel(
    { priority, deadlineMs, signal, tenant, timeline }: TaskRequest,
    given: readonly NamedTensor[],
    isFirst: boolean,
  ): Promise<readonly NamedTensor[]> {
    const { signature } = this.description;
    if (signature !== this.#checked) {
      this.#checked = signature;
      this.#check = compileInputCheck(signature);
    }
    const inputs = this.#check(given);
    const own = isFirst ? timeline : new Timeline(timeline.receivedMs);
    own.trace = timeline.trace;
    own.enqueuedMs = this.#clock.nowMs();
    const { outputs } = await submitTo<InferRequest, InferResponse>(this.inner, {
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
