import type { AbortListener } from "../../base/call-signal.ts";
import { ServeError } from "../../base/errors.ts";
import type { InferRequest, InferResponse } from "../../base/infer-request.ts";
import type { RequestStream } from "../../base/request-stream.ts";
import type { ResultReceiver } from "../../base/result-receiver.ts";
import type { NamedTensor } from "../../base/tensor.ts";
import type { SequenceFlags } from "./sequence-parameters.ts";

/** An id of one tenant, or a stream. */
export type SequenceKey = string | RequestStream;

/** Requests that share a state, one after another. */
export class Sequence {
  /** Undefined: it is one request long, and nobody can ask for it again. */
  readonly key: SequenceKey | undefined;
  /** What its next request begins with; undefined before the first was answered. The bytes are its own. */
  state: readonly NamedTensor[] | undefined = undefined;
  bytes = 0;
  running: SequenceStep | undefined = undefined;
  readonly waiting: SequenceStep[] = [];
  /** It ended while a request of it ran: what that leaves is nobody's. */
  isGone = false;
  /** When it ends unless a request comes. */
  dueMs = 0;
  /** Stops listening to its stream. */
  leaveStream: () => void = () => {};

  constructor(key: SequenceKey | undefined) {
    this.key = key;
  }
}

/** Told how a step of a sequence ended; the model with the state. */
export interface StepListener {
  stepAnswered(step: SequenceStep, response: InferResponse): void;
  stepFailed(step: SequenceStep, error: Error): void;
}

/** One request of a sequence, from its arrival until it is answered. It listens to its signal while it waits for the one before. */
export class SequenceStep implements ResultReceiver<InferResponse>, AbortListener {
  readonly sequence: Sequence;
  readonly request: InferRequest;
  readonly receiver: ResultReceiver<InferResponse>;
  readonly flags: SequenceFlags;
  /** Another request of its sequence runs. */
  isWaiting = false;
  readonly #listener: StepListener;

  constructor(
    listener: StepListener,
    sequence: Sequence,
    parts: Pick<SequenceStep, "request" | "receiver" | "flags">,
  ) {
    this.#listener = listener;
    this.sequence = sequence;
    this.request = parts.request;
    this.receiver = parts.receiver;
    this.flags = parts.flags;
  }

  wait(): void {
    this.isWaiting = true;
    this.sequence.waiting.push(this);
    this.request.signal.addEventListener("abort", this);
  }

  endWait(): void {
    this.isWaiting = false;
    this.request.signal.removeEventListener("abort", this);
  }

  /** Why it need not be run any more: its client left, or its deadline passed. Undefined: it is still wanted. */
  get abortError(): ServeError | undefined {
    const { aborted, reason } = this.request.signal;
    if (!aborted) return undefined;
    return reason instanceof ServeError
      ? reason
      : new ServeError("cancelled", "the request was cancelled", { reason: "cancelled" });
  }

  /** The signal fired while it waited. */
  handleEvent(): void {
    // A signal tells all who listened when it fired, even those that have left since.
    if (this.isWaiting) this.#listener.stepFailed(this, this.abortError!);
  }

  resolve(response: InferResponse): void {
    this.#listener.stepAnswered(this, response);
  }

  reject(error: Error): void {
    this.#listener.stepFailed(this, error);
  }
}
