import { ServeError } from "../../base/errors.ts";
import type { InferRequest, InferResponse } from "../../base/infer-request.ts";
import type { KeptState } from "../../base/kept-state.ts";
import type { ResultReceiver } from "../../base/result-receiver.ts";
import type { NamedTensor } from "../../base/tensor.ts";
import type { ServedModelHandle, StatelessModel } from "../../models/served-model-handle.ts";
import { compileInputCheck, type InputCheck } from "../input-check.ts";
import { type ClaimCheck, compileClaimCheck } from "../size-claims.ts";
import type { LiveSequencesOptions } from "./live-sequences.ts";
import { ModelWithSequences } from "./model-with-sequences.ts";
import { Sequence, type SequenceKey, SequenceStep, type StepListener } from "./sequence.ts";
import { type ControlPlan, controlTensors } from "./sequence-controls.ts";
import { idText, type SequenceFlags, sequenceFlags } from "./sequence-parameters.ts";
import { initialBytes, initialState, type StatePlan, withState } from "./state-plan.ts";

export interface SequencedModelOptions extends LiveSequencesOptions {
  /** Inputs beside the plan's that say where in its sequence a request stands; undefined: none. */
  readonly controls?: ControlPlan | undefined;
  /** What the plan was made of. Default: nobody else is to keep it. */
  readonly kept?: KeptState | undefined;
}

export interface SequencedHandle extends ServedModelHandle {
  /** Ends all of them, and nothing else. */
  endSequences(): void;
}

/** Requests of one sequence that may wait for the one before. */
const MAX_WAITING = 64;

/**
 * A model whose state the server keeps between the requests of a sequence, and which clients see without it. The requests of one
 * sequence run one after another, those of different sequences share runs as any others do. A request that fails leaves the state as it was.
 * Owns `inner`.
 */
export function createSequencedModel(
  inner: ServedModelHandle,
  plan: StatePlan,
  options: SequencedModelOptions,
): SequencedHandle {
  return new SequencedModel(inner, plan, options);
}

class SequencedModel extends ModelWithSequences implements StepListener {
  readonly #plan: StatePlan;
  readonly #options: SequencedModelOptions;
  readonly #check: InputCheck;
  readonly #controls: ControlPlan | undefined;
  readonly #claims: ClaimCheck | undefined;
  readonly #allOutputs: readonly string[];
  readonly #stateOutputs: readonly string[];

  constructor(inner: ServedModelHandle, plan: StatePlan, options: SequencedModelOptions) {
    super(
      inner,
      {
        description: { ...inner.description, signature: plan.outer },
        settings: { ...inner.settings, sequences: { idleMs: options.idleMs } },
      },
      options,
    );
    this.#plan = plan;
    this.#options = options;
    const { signature } = inner.description;
    this.#controls = options.controls;
    this.#check = compileInputCheck(signature);
    this.#claims = compileClaimCheck(signature);
    this.#stateOutputs = plan.slots.map(({ output }) => output);
    this.#allOutputs = [...plan.outer.outputs.map(({ name }) => name), ...this.#stateOutputs];
  }

  submit(request: InferRequest, receiver: ResultReceiver<InferResponse>): void {
    try {
      this.requireOpen();
      const flags = sequenceFlags(request.parameters);
      const sequence = this.#sequenceOf(request, flags);
      if (sequence.running !== undefined && sequence.waiting.length >= MAX_WAITING) throw waitingFull(flags);
      this.take(new SequenceStep(this, sequence, { request, receiver, flags }));
    } catch (error) {
      receiver.reject(ServeError.from(error));
    }
  }

  override holdsSequence(request: InferRequest): boolean {
    const key = keyOf(request, sequenceFlags(request.parameters));
    return key !== undefined && this.sequences.get(key) !== undefined;
  }

  override get stateless(): StatelessModel | undefined {
    const { kept, idleMs, maxSequences, maxBytes } = this.#options;
    return kept && { model: this.inner, kept, limits: { idleMs, maxSequences, maxBytes } };
  }

  stepAnswered(step: SequenceStep, response: InferResponse): void {
    const { sequence, flags } = step;
    const { key } = sequence;
    if (flags.isEnd) this.sequences.clear(sequence);
    else if (!sequence.isGone && !this.#keepState(sequence, response)) {
      this.stepFailed(step, this.#noRoom());
      return;
    }
    if (typeof key === "object") {
      if (flags.isEnd) key.begun.delete(this.name);
      else key.begun.add(this.name);
    }
    const outputs = response.outputs.slice(0, response.outputs.length - this.#stateOutputs.length);
    step.receiver.resolve({ ...response, outputs });
    this.finish(step);
  }

  stepFailed(step: SequenceStep, error: Error): void {
    const { waiting } = step.sequence;
    if (step.isWaiting) {
      const place = waiting.indexOf(step);
      waiting.splice(place, 1);
      step.endWait();
      const behind = takeInterrupted(waiting, place);
      step.receiver.reject(error);
      this.#interrupt(behind);
      this.taken.end();
    } else {
      const behind = takeInterrupted(waiting, 0);
      step.receiver.reject(error);
      this.#interrupt(behind);
      this.finish(step);
    }
  }

  #interrupt(steps: readonly SequenceStep[]): void {
    for (const step of steps) {
      this.taken.end();
      step.receiver.reject(interrupted(step.flags));
    }
  }

  #sequenceOf(request: InferRequest, flags: SequenceFlags): Sequence {
    const key = keyOf(request, flags);
    if (key === undefined) {
      if (flags.isStart && flags.isEnd) return new Sequence(undefined);
      throw new ServeError(
        "invalid_argument",
        `the model "${this.name}" keeps a state for each sequence: name one in the parameter sequence_id, and begin it with sequence_start; a request that is a whole sequence has sequence_start and sequence_end`,
        { reason: "no_sequence" },
      );
    }
    const known = this.sequences.get(key);
    if (known !== undefined) return known;
    if (!this.#begins(key, flags) || (typeof key === "object" && key.isClosed)) throw this.#notLive(flags);
    if (this.sequences.isFull) throw this.#tooMany();
    return this.sequences.begin(key);
  }

  /** Whether a request of this key begins anew when there is no state. */
  #begins(key: SequenceKey | undefined, flags: SequenceFlags): boolean {
    return flags.isStart || (typeof key === "object" && !key.begun.has(this.name));
  }

  protected override run(step: SequenceStep): void {
    const { sequence, request } = step;
    sequence.running = step;
    this.sequences.wake(sequence);
    try {
      // Between its turn and now it may have become worthless.
      if (step.abortError !== undefined) throw step.abortError;
      const inputs = this.#check(this.#inputsOf(step));
      const isAlone = request.isAlone === true || this.#claims?.(inputs) !== undefined;
      const outputs =
        request.outputs === undefined ? this.#allOutputs : [...request.outputs, ...this.#stateOutputs];
      this.inner.submit({ ...request, inputs, outputs, isAlone }, step);
    } catch (error) {
      step.reject(ServeError.from(error));
    }
  }

  /** The model's inputs: the client's, the state, and what it is told of the sequence. */
  #inputsOf(step: SequenceStep): readonly NamedTensor[] {
    const { request, sequence, flags } = step;
    const inputs = withState(this.#plan, request.inputs, this.#stateBefore(step));
    if (this.#controls === undefined) return inputs;
    const isStart = flags.isStart || sequence.state === undefined;
    return [...inputs, ...controlTensors(this.#controls, inputs, { flags, isStart })];
  }

  #stateBefore({ sequence, request, flags }: SequenceStep): readonly NamedTensor[] {
    if (!flags.isStart && sequence.state !== undefined) return sequence.state;
    if (sequence.isGone || !this.#begins(sequence.key, flags)) throw this.#notLive(flags);
    if (!this.sequences.hasRoom(initialBytes(this.#plan, request.inputs))) throw this.#noRoom();
    return initialState(this.#plan, request.inputs);
  }

  protected override endsWith({ sequence }: SequenceStep): boolean {
    return sequence.state === undefined;
  }

  /** False when there is no room for it. Outputs are views on the block of a whole run, which must not live as long as a sequence. */
  #keepState(sequence: Sequence, { outputs }: InferResponse): boolean {
    const { slots } = this.#plan;
    const first = outputs.length - slots.length;
    let bytes = 0;
    for (let i = first; i < outputs.length; i++) bytes += outputs[i]!.bytes.length;
    if (!this.sequences.hasRoom(bytes - sequence.bytes)) return false;
    const state = slots.map(({ spec: { name } }, i): NamedTensor => {
      const { datatype, shape, bytes: view } = outputs[first + i]!;
      return { name, datatype, shape, bytes: new Uint8Array(view) };
    });
    this.sequences.keep(sequence, state, bytes);
    return true;
  }

  protected override async drain(): Promise<void> {
    await this.taken.idle();
    this.sequences.endAll();
    await this.inner.close();
  }

  #notLive({ id }: SequenceFlags): ServeError {
    const which = id === undefined ? "the sequence of this stream" : `the sequence ${idText(id)}`;
    return new ServeError(
      "failed_precondition",
      `${which} of the model "${this.name}" is not live: it was not begun, has ended, was idle for ${this.#options.idleMs / 1000} s, or the model was loaded again; begin it with sequence_start`,
      { reason: "sequence_not_live" },
    );
  }

  #tooMany(): ServeError {
    const { maxSequences, idleMs } = this.#options;
    return new ServeError(
      "resource_exhausted",
      `the model "${this.name}" has ${maxSequences} live sequences (max_sequences); end some with sequence_end, or wait until idle ones end after ${idleMs / 1000} s`,
      { reason: "too_many_sequences" },
    );
  }

  #noRoom(): ServeError {
    return new ServeError(
      "resource_exhausted",
      `the states of the model "${this.name}" would take more than ${this.#options.maxBytes} bytes (max_state); end sequences, or raise the limit`,
      { reason: "state_memory" },
    );
  }
}

/** Takes those out that were sent after a request that failed: they would find another state than their client thinks. */
function takeInterrupted(waiting: SequenceStep[], from: number): SequenceStep[] {
  const next = waiting.findIndex((step, at) => at >= from && step.flags.isStart);
  const taken = waiting.splice(from, (next < 0 ? waiting.length : next) - from);
  for (const step of taken) step.endWait();
  return taken;
}

/** No tenant can name another's sequence. */
function keyOf({ tenant = "", stream }: InferRequest, { id }: SequenceFlags): SequenceKey | undefined {
  return id === undefined ? stream : `${tenant}\n${id}`;
}

function waitingFull(flags: SequenceFlags): ServeError {
  const which = flags.id === undefined ? "of this stream" : `of the sequence ${idText(flags.id)}`;
  return new ServeError(
    "unavailable",
    `${MAX_WAITING} requests ${which} wait for the one before; wait for responses before you send more`,
    { reason: "queue_full" },
  );
}

function interrupted({ id }: SequenceFlags): ServeError {
  const which = id === undefined ? "of this stream" : `of the sequence ${idText(id)}`;
  return new ServeError(
    "aborted",
    `a request ${which} before this one failed, so that this one was not run; the state is the one before both: send both again`,
    { reason: "sequence_interrupted" },
  );
}
