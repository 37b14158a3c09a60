import { type AbortListener, CallSignal, type CancelSignal } from "../../base/call-signal.ts";
import type { Clock } from "../../base/clock.ts";
import { ServeError } from "../../base/errors.ts";
import type { InferRequest, InferResponse } from "../../base/infer-request.ts";
import type { ResultReceiver } from "../../base/result-receiver.ts";
import type { NamedTensor } from "../../base/tensor.ts";
import { type StepTimes, Timeline } from "../../base/timeline.ts";
import type { ServedModelHandle } from "../../models/served-model-handle.ts";
import type { CheckedSubmit } from "../checked-submit.ts";
import { holdAll } from "./hold-all.ts";
import type { PipelinePlan, PlannedStep } from "./pipeline-plan.ts";
import type { TensorLedger } from "./step-models.ts";
import { type StepRecord, stampPath } from "./step-path.ts";

/** The models of a pipeline's steps. */
export interface RunModels {
  /** Undefined: it is not in memory. */
  find(step: number): ServedModelHandle | undefined;
  /** Waits for a model that loads on first use, then `find` is to be asked again. Rejects with ServeError. */
  waitForLoad(step: number, signal: CancelSignal): Promise<void>;
}

export interface PipelineRunParts {
  readonly plan: PipelinePlan;
  readonly models: RunModels;
  readonly submit: CheckedSubmit;
  readonly clock: Clock;
  readonly ledger: TensorLedger;
}

/** What a run gives: the outputs that were asked for, and the most rows that shared a run of a step. */
export type PipelineResult = Pick<InferResponse, "outputs" | "batchRows">;

/**
 * One request on its way through a pipeline. A step is submitted to its model's own queue as soon as its tensors are there, steps that do not
 * need each other side by side; only those run that the outputs need. The versions that are in memory at its start are held until it ends.
 * The first failure ends it, and cancels what still runs for it.
 */
export class PipelineRun implements AbortListener {
  readonly #parts: PipelineRunParts;
  readonly #request: InferRequest;
  readonly #receiver: ResultReceiver<PipelineResult>;
  readonly #signal = new CallSignal();
  /** By place. */
  readonly #tensors: (NamedTensor | undefined)[];
  /** Steps that will still take the tensor at each place. */
  readonly #uses: number[];
  /** Undefined: all of them. */
  readonly #needed: ReadonlySet<number> | undefined;
  /** How many steps each one waits for. */
  readonly #waits: number[];
  /** Of the steps that are needed, in their order; undefined: some were not in memory, and each is asked for when its turn comes. */
  #held: readonly ServedModelHandle[] | undefined;
  /** The steps that are needed. */
  readonly #running: readonly number[];
  readonly #records: (StepRecord | undefined)[];
  readonly #times: StepTimes[] = [];
  #ready: number[] = [];
  #stepsLeft: number;
  #bytes = 0;
  #batchRows = 0;
  #isCharged: boolean;
  #isSettled = false;

  constructor(parts: PipelineRunParts, request: InferRequest, receiver: ResultReceiver<PipelineResult>) {
    const { plan, models } = parts;
    this.#parts = parts;
    this.#request = request;
    this.#receiver = receiver;
    this.#isCharged = request.isCharged === true;
    this.#tensors = [...request.inputs];
    this.#uses = [...plan.uses];
    for (const place of plan.outputPlaces) this.#uses[place]! += 1;
    this.#needed = neededSteps(plan, request.outputs);
    this.#stepsLeft = this.#needed?.size ?? plan.steps.length;
    this.#waits = plan.steps.map(({ before }) => before.length);
    this.#records = new Array<undefined>(plan.steps.length).fill(undefined);
    this.#running = plan.steps.map((_, i) => i).filter((i) => this.#isNeeded(i));
    this.#held = holdAll(this.#running.map((i) => models.find(i)));
  }

  start(): void {
    const { signal } = this.#request;
    if (signal.aborted) this.handleEvent();
    else signal.addEventListener("abort", this);
    for (const i of this.#running) if (this.#waits[i] === 0) this.#begin(i);
  }

  /** The client left, or the deadline passed: the queues end what waits and runs, and the first to say so ends the request. */
  handleEvent(): void {
    this.#signal.abort(ServeError.from(this.#request.signal.reason));
  }

  stepAnswered(index: number, record: StepRecord, { outputs, batchRows }: InferResponse): void {
    if (this.#isSettled) return;
    const { name, places } = this.#step(index);
    const { startedMs, endedMs, timeline } = record;
    this.#records[index] = record;
    this.#times.push({ name, totalMs: endedMs - startedMs, computeMs: timeline.computeMs, endedMs });
    this.#batchRows = Math.max(this.#batchRows, batchRows);
    try {
      this.#take(outputs, places);
    } catch (error) {
      this.stepFailed(index, ServeError.from(error));
      return;
    }
    this.#dropInputs(index);
    this.#stepsLeft -= 1;
    if (this.#stepsLeft === 0) this.#finish();
    else this.#wake(index);
  }

  stepFailed(index: number, error: Error): void {
    if (this.#isSettled) return;
    this.#settle();
    this.#receiver.reject(inStep(this.#step(index).name, ServeError.from(error)));
    // Whoever tells of a failure must not be asked to cancel another request before it is done.
    queueMicrotask(() =>
      this.#signal.abort(new ServeError("cancelled", "another step of the pipeline failed")),
    );
  }

  #step(index: number): PlannedStep {
    return this.#parts.plan.steps[index]!;
  }

  #isNeeded(index: number): boolean {
    return this.#needed === undefined || this.#needed.has(index);
  }

  #begin(index: number): void {
    if (this.#isSettled) return;
    const handle = this.#held?.[this.#running.indexOf(index)];
    if (handle === undefined) void this.#load(index);
    else this.#submit(index, handle);
  }

  #submit(index: number, handle: ServedModelHandle): void {
    const { clock, submit } = this.#parts;
    const { id, parameters, priority, deadlineMs, tenant, stream, timeline } = this.#request;
    const { inputs, outputs } = this.#step(index);
    const own = new Timeline(timeline.receivedMs);
    own.trace = timeline.trace;
    const call = new StepCall(this, index, { clock, timeline: own });
    const isCharged = this.#isCharged;
    this.#isCharged = true;
    try {
      submit(
        // The plan has its state among the tensors.
        handle.stateless?.model ?? handle,
        {
          model: handle.name,
          version: handle.version,
          id,
          inputs: inputs.map(({ name, place }) => ({ ...this.#tensors[place]!, name })),
          outputs,
          parameters,
          priority,
          deadlineMs,
          signal: this.#signal,
          tenant,
          isCharged,
          stream,
          timeline: own,
        },
        call,
      );
    } catch (error) {
      call.reject(ServeError.from(error));
    }
  }

  /** Of a model that loads on first use. */
  async #load(index: number): Promise<void> {
    const { models } = this.#parts;
    try {
      let handle = models.find(index);
      while (handle === undefined) {
        await models.waitForLoad(index, this.#signal);
        handle = models.find(index);
      }
      if (!this.#isSettled) this.#submit(index, handle);
    } catch (error) {
      this.stepFailed(index, ServeError.from(error));
    }
  }

  /** Puts a step's outputs in their places. */
  #take(outputs: readonly NamedTensor[], places: readonly number[]): void {
    let bytes = 0;
    for (const output of outputs) bytes += output.bytes.length;
    this.#parts.ledger.grow(bytes, this.#bytes);
    this.#bytes += bytes;
    for (const [i, place] of places.entries()) this.#tensors[place] = outputs[i];
  }

  /** Lets go of the tensors that no other step will take. */
  #dropInputs(index: number): void {
    const { plan, ledger } = this.#parts;
    for (const place of new Set(this.#step(index).inputs.map((input) => input.place))) {
      this.#uses[place]! -= 1;
      if (this.#uses[place]! > 0) continue;
      const bytes = this.#tensors[place]?.bytes.length ?? 0;
      this.#tensors[place] = undefined;
      // What came with the request its call gives back.
      if (place < plan.signature.inputs.length) continue;
      this.#bytes -= bytes;
      ledger.shrink(bytes);
    }
  }

  /** Begins the steps that waited for this one alone, in a turn of their own: a receiver must not submit before it returns. */
  #wake(index: number): void {
    const wasEmpty = this.#ready.length === 0;
    for (const next of this.#step(index).next) {
      this.#waits[next]! -= 1;
      if (this.#waits[next] === 0 && this.#isNeeded(next)) this.#ready.push(next);
    }
    if (!wasEmpty || this.#ready.length === 0) return;
    queueMicrotask(() => {
      const ready = this.#ready;
      this.#ready = [];
      for (const next of ready) this.#begin(next);
    });
  }

  #finish(): void {
    const { plan } = this.#parts;
    const { timeline, outputs: asked } = this.#request;
    const names = asked ?? plan.signature.outputs.map(({ name }) => name);
    const outputs = names.map((name) => ({ ...this.#tensors[plan.outputPlaceOf.get(name)!]!, name }));
    stampPath(timeline, plan.steps, this.#records);
    timeline.steps = this.#times;
    this.#settle();
    this.#receiver.resolve({ outputs, batchRows: this.#batchRows });
  }

  #settle(): void {
    this.#isSettled = true;
    this.#request.signal.removeEventListener("abort", this);
    this.#parts.ledger.shrink(this.#bytes);
    this.#bytes = 0;
    for (const handle of this.#held ?? []) handle.release();
    this.#held = undefined;
    this.#tensors.fill(undefined);
  }
}

/** One step of one request. */
class StepCall implements ResultReceiver<InferResponse> {
  readonly #run: PipelineRun;
  readonly #index: number;
  readonly #clock: Clock;
  readonly #timeline: Timeline;
  readonly #startedMs: number;

  constructor(
    run: PipelineRun,
    index: number,
    { clock, timeline }: { readonly clock: Clock; readonly timeline: Timeline },
  ) {
    this.#run = run;
    this.#index = index;
    this.#clock = clock;
    this.#timeline = timeline;
    this.#startedMs = clock.nowMs();
  }

  resolve(response: InferResponse): void {
    const [startedMs, timeline] = [this.#startedMs, this.#timeline];
    this.#run.stepAnswered(this.#index, { startedMs, endedMs: this.#clock.nowMs(), timeline }, response);
  }

  reject(error: Error): void {
    this.#run.stepFailed(this.#index, error);
  }
}

/** Undefined: all steps. */
function neededSteps(
  { needs, signature, steps }: PipelinePlan,
  asked: readonly string[] | undefined,
): ReadonlySet<number> | undefined {
  const names = asked ?? signature.outputs.map(({ name }) => name);
  const needed = new Set<number>();
  for (const name of names) for (const step of needs.get(name)!) needed.add(step);
  return needed.size === steps.length ? undefined : needed;
}

function inStep(name: string, error: ServeError): ServeError {
  const { code, message, reason, retryAfterMs } = error;
  const options = { reason, cause: error, ...(retryAfterMs !== undefined && { retryAfterMs }) };
  return ServeError.of(code, `step "${name}": ${message}`, options);
}
