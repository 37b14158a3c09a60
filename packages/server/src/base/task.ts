import type { CancelSignal } from "./call-signal.ts";
import type { NamedTensor } from "./tensor.ts";
import type { Timeline } from "./timeline.ts";

/** A field of a form, or a body as a whole, which has no name. */
export interface TaskPart {
  readonly name: string;
  /** Media type without parameters, in lower case; "" for none. */
  readonly type: string;
  readonly bytes: Uint8Array;
}

/** A request for what a model is for: not tensors, but what people have. Nobody may write to the bytes. */
export interface TaskRequest {
  readonly parts: readonly TaskPart[];
  readonly priority: number;
  /** Monotonic milliseconds after which the answer is worthless. */
  readonly deadlineMs: number | undefined;
  /** Aborted when the client left or the deadline passed. */
  readonly signal: CancelSignal;
  readonly tenant: string | undefined;
  /** As that of an inference request. */
  readonly routeKey?: string | undefined;
  readonly timeline: Timeline;
}

export interface TaskResponse {
  readonly model: string;
  readonly version: string;
  /** JSON. */
  readonly body: Uint8Array;
}

/** What a model is for, such as `image-classification`. */
export interface Task {
  readonly name: string;
  /** Rejects with ServeError: `invalid_argument` says what is wrong with the request. */
  run(request: TaskRequest): Promise<TaskResponse>;
}

/** A request as tensors: the runs of the model that it takes, and what is to be known once they are done. */
export interface PreparedTask {
  readonly runs: readonly (readonly NamedTensor[])[];
  /** For `finish` alone to read. */
  readonly state: Uint8Array;
}

/** The two stages around a model, which run in a worker of their own. Reject with ServeError. */
export interface TaskStages {
  prepare(parts: readonly TaskPart[], signal: CancelSignal): Promise<PreparedTask>;
  /** `outputs`: of each run. */
  finish(
    state: Uint8Array,
    outputs: readonly (readonly NamedTensor[])[],
    signal: CancelSignal,
  ): Promise<Uint8Array>;
  /** Why they cannot be done any more, or undefined. */
  failure(): string | undefined;
  isOutdated(): boolean;
  onStateChange(listener: () => void): () => void;
  residentBytes(): Promise<readonly (number | undefined)[]>;
  close(): Promise<void>;
  destroy(reason: string): void;
}
