import { CallSignal } from "../../base/call-signal.ts";
import type { Clock } from "../../base/clock.ts";
import { type Difference, TensorComparison } from "../../base/compare-tensors.ts";
import {
  type InferRequest,
  type InferResponse,
  NO_PARAMETERS,
  outputBytes,
} from "../../base/infer-request.ts";
import type { Logger } from "../../base/logger.ts";
import { submitTo } from "../../base/result-receiver.ts";
import type { Signature } from "../../base/signature.ts";
import type { NamedTensor } from "../../base/tensor.ts";
import { Timeline } from "../../base/timeline.ts";
import type { ServedModelHandle } from "../../models/served-model-handle.ts";

/** How a comparison ended; `dropped`: too many waited already. */
export const SHADOW_RESULTS = ["equal", "differing", "failed", "dropped"] as const;
export type ShadowResult = (typeof SHADOW_RESULTS)[number];

/** Who is asked again what was answered. Its ports stand in the order of the model's, or have the same names. */
export type ShadowReference = Pick<
  ServedModelHandle,
  "name" | "version" | "description" | "submit" | "gauges" | "destroy"
>;

export interface ShadowComparisonsOptions {
  /** Of the model whose answers are compared. */
  readonly signature: Signature;
  /** Whose answers they are compared with, for the log: `PyTorch's`. */
  readonly whose: string;
  readonly tolerance: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Calls back once whoever waits for the event loop had a turn. */
  readonly defer: (callback: () => void) => void;
  onEnd(result: ShadowResult): void;
  /** Told of every difference that is larger than all before it. */
  onLargest(difference: number): void;
}

/** Answered requests that wait to be compared. */
const MAX_WAITING = 32;
/** Bytes of their inputs and outputs; what is larger alone is never compared. */
export const MAX_WAITING_BYTES: number = 16 * 2 ** 20;
/** Elements that are compared in one turn of the event loop: some 0.2 ms. */
const TURN_ELEMENTS = 16_384;
const LOG_INTERVAL_MS = 60_000;

interface Answered {
  readonly id: string | undefined;
  readonly inputs: readonly NamedTensor[];
  readonly outputs: readonly NamedTensor[];
  readonly bytes: number;
}

/**
 * Asks a reference model what answered requests were answered, one request after the other, and compares. What goes wrong with the reference
 * is counted and logged, and concerns nobody else.
 */
export class ShadowComparisons {
  readonly #options: ShadowComparisonsOptions;
  readonly #waiting: Answered[] = [];
  #waitingBytes = 0;
  #isRunning = false;
  #isClosed = false;
  #reference: ShadowReference | undefined;
  #largest = 0;
  readonly #said: Record<"differing" | "failed", { atMs: number; since: number }> = {
    differing: { atMs: Number.NEGATIVE_INFINITY, since: 0 },
    failed: { atMs: Number.NEGATIVE_INFINITY, since: 0 },
  };

  constructor(options: ShadowComparisonsOptions) {
    this.#options = options;
  }

  /** Whether there is something to compare with. */
  get isOpen(): boolean {
    return this.#reference !== undefined;
  }

  /** Compares with this model from now on, and owns it. */
  open(reference: ShadowReference): void {
    if (this.#isClosed) reference.destroy("the model that it shadows is gone");
    else this.#reference = reference;
  }

  /** Of the reference's worker; undefined where it is not known. */
  async residentBytes(): Promise<number | undefined> {
    return (await this.#reference?.gauges())?.residentBytes[0];
  }

  /** Takes note of an answer that was given. Never throws. */
  offer(request: Pick<InferRequest, "id" | "inputs">, response: Pick<InferResponse, "outputs">): void {
    const bytes = outputBytes({ outputs: request.inputs }) + outputBytes(response);
    if (this.#isClosed) return;
    if (this.#waiting.length >= MAX_WAITING || this.#waitingBytes + bytes > MAX_WAITING_BYTES) {
      this.#options.onEnd("dropped");
      return;
    }
    const { id } = request;
    this.#waitingBytes += bytes;
    this.#waiting.push({ id, inputs: owned(request.inputs), outputs: owned(response.outputs), bytes });
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#options.defer(() => void this.#run());
  }

  /** Forgets what waits, and ends the reference. */
  close(): void {
    this.#isClosed = true;
    this.#waiting.length = 0;
    this.#reference?.destroy("the model that it shadows is gone");
    this.#reference = undefined;
  }

  async #run(): Promise<void> {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      await this.#compare(next);
      this.#waitingBytes -= next.bytes;
    }
    this.#isRunning = false;
  }

  async #compare(answered: Answered): Promise<void> {
    const { tolerance, whose, onEnd, onLargest } = this.#options;
    let worst: Difference | undefined;
    try {
      worst = await this.#worst(answered);
    } catch (error) {
      if (this.#isClosed) return;
      onEnd("failed");
      this.#say("failed", { err: error, requestId: answered.id }, `${whose} own answer could not be had`);
      return;
    }
    if (worst !== undefined && worst.error > this.#largest) {
      this.#largest = worst.error;
      onLargest(worst.error);
    }
    const isEqual = worst === undefined || worst.error <= tolerance;
    onEnd(isEqual ? "equal" : "differing");
    if (isEqual) return;
    const { output, error: difference, words } = worst!;
    const fields = { requestId: answered.id, output, difference, tolerance };
    this.#say("differing", fields, `an answer differs from ${whose}: ${output} ${words}`);
  }

  /** The output that is furthest from the reference's. Throws what the reference says. */
  async #worst({ id, inputs, outputs }: Answered): Promise<Difference | undefined> {
    const reference = this.#reference;
    if (reference === undefined) throw new Error("there is no reference");
    const { signature, whose } = this.#options;
    const { inputs: taken, outputs: given } = reference.description.signature;
    const renamed = inputs.map((tensor) => ({ ...tensor, name: nameIn(taken, tensor, signature.inputs) }));
    const answer = await submitTo(reference, requestOf(reference, { id, inputs: renamed }));
    let worst: Difference | undefined;
    for (const got of outputs) {
      const wanted = nameIn(given, got, signature.outputs);
      const want = answer.outputs.find(({ name }) => name === wanted);
      if (want === undefined) throw new Error(`${whose} answer has no output ${got.name}`);
      const difference = await this.#difference(got, { ...want, name: got.name });
      if (worst === undefined || difference.error > worst.error) worst = difference;
    }
    return worst;
  }

  async #difference(got: NamedTensor, want: NamedTensor): Promise<Difference> {
    const comparison = new TensorComparison(got, want);
    while (!comparison.advance(TURN_ELEMENTS)) await new Promise<void>(this.#options.defer);
    return comparison.difference();
  }

  /** The first of its kind, then one a minute with how many there were. */
  #say(kind: "differing" | "failed", fields: Readonly<Record<string, unknown>>, message: string): void {
    const said = this.#said[kind];
    said.since += 1;
    const nowMs = this.#options.clock.nowMs();
    if (nowMs - said.atMs < LOG_INTERVAL_MS) return;
    this.#options.logger.warn({ ...fields, times: said.since }, message);
    said.atMs = nowMs;
    said.since = 0;
  }
}

/** What the reference calls a tensor of the model. Where both read the same file, they may have other names for what is in it. */
function nameIn(theirs: Signature["inputs"], { name }: NamedTensor, own: Signature["inputs"]): string {
  if (theirs.some((spec) => spec.name === name)) return name;
  return theirs[own.findIndex((spec) => spec.name === name)]?.name ?? name;
}

/** Small views do not keep large blocks. */
function owned(tensors: readonly NamedTensor[]): readonly NamedTensor[] {
  return tensors.map((tensor) => {
    const { bytes } = tensor;
    return bytes.buffer.byteLength > 2 * bytes.length ? { ...tensor, bytes: bytes.slice() } : tensor;
  });
}

function requestOf(
  { name: model, version }: ShadowReference,
  { id, inputs }: Pick<InferRequest, "id" | "inputs">,
): InferRequest {
  return {
    model,
    version,
    id,
    inputs,
    outputs: undefined,
    parameters: NO_PARAMETERS,
    priority: 0,
    deadlineMs: undefined,
    signal: new CallSignal(),
    timeline: new Timeline(0),
  };
}
