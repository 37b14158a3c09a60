import type { CancelSignal } from "../base/call-signal.ts";
import { ServeError } from "../base/errors.ts";

/** Something to do for a worker. What the method, the header and the payload mean is between the runtime and its worker entry. */
export interface Call {
  readonly method: number;
  readonly header: Uint8Array;
  /** The payload in pieces; they must stay unchanged until the call settles. */
  readonly chunks: readonly Uint8Array[];
  /** From the moment the worker may have begun it. When it passes, the worker is killed. */
  readonly timeoutMs: number;
  /** The worker may begin it while it still works on those before it, and answer it before them. Default: it does not. */
  readonly mayOvertake?: boolean;
  /** Of a call that may overtake: fires when nobody wants the result any more. The worker is told, and answers with what it has. */
  readonly signal?: CancelSignal | undefined;
  /** Receives what the worker tells while it works on the call. */
  readonly onNote?: ((text: string) => void) | undefined;
  /** In place of `onNote`, for notes that are no text. The two are views on one block that the receiver owns. */
  readonly onBytes?: ((header: Uint8Array, payload: Uint8Array) => void) | undefined;
}

/** The result to a call; both are views on one block that the caller now owns. */
export interface CallResult {
  readonly header: Uint8Array;
  readonly payload: Uint8Array;
}

/** How a worker ended. */
export interface WorkerEnd {
  /** In words: "it was killed by SIGSEGV", "it exited with code 1". */
  readonly reason: string;
  /** Nothing was asked of it when it ended: no call can be to blame. */
  readonly wasIdle: boolean;
}

/** A place of execution: a process or a thread. Calls are executed one at a time in the order given. */
export interface Worker {
  readonly id: string;
  /** Operating system's process id; undefined for a thread. For the log only. */
  readonly pid: number | undefined;
  /** Resolves when the worker can take calls; rejects when it ended before. */
  readonly ready: Promise<void>;
  /** Resolves once, when the worker is gone; never rejects. Calls in flight are rejected right after. */
  readonly ended: Promise<WorkerEnd>;
  /** Calls answered so far. */
  readonly finishedCalls: number;
  /** Calls that are not answered yet. */
  readonly pendingCalls: number;
  /**
   * Rejects with ServeError: what the worker threw; `deadline_exceeded`/`execution_timeout`; `unavailable`/`worker_died` when it ended and
   * this call may have been executing; `unavailable`/`worker_died_waiting` when it ended and this call had not begun.
   */
  call(call: Call): Promise<CallResult>;
  /** Lets it finish what it has, then ends it. Idempotent. */
  close(): Promise<void>;
  /** Ends it now. */
  destroy(reason: string): void;
}

/** For the calls of a worker that ended: the one that may have been executing, and those that had not begun. */
export function workerDiedError(reason: string, role: "executing" | "waiting"): ServeError {
  const when = role === "executing" ? "while it ran this request" : "before it began this request";
  return new ServeError("unavailable", `the model's worker ended ${when}: ${reason}`, {
    reason: role === "executing" ? "worker_died" : "worker_died_waiting",
    cause: reason,
  });
}

/** The same for a call that was executed beside others: any of them may be to blame. */
export function workerDiedAmongError(reason: string): ServeError {
  return new ServeError(
    "unavailable",
    `the model's worker ended while it ran this request beside others: ${reason}`,
    { reason: "worker_died_among", cause: reason },
  );
}

/** The system did not start a worker: it has no descriptors, processes or memory left. It is not a model's fault, and it may pass. */
export function notStartedError(cause: string): ServeError {
  return new ServeError("unavailable", `a worker process could not be started: ${cause}`, {
    reason: "worker_not_started",
  });
}

/** Why a worker could not be made ready: its end in words when it died, else what it threw. */
export function failureReason(thrown: unknown): string {
  const { reason, cause, message } = ServeError.from(thrown);
  return reason.startsWith("worker_died") && typeof cause === "string" ? cause : message;
}

/** For the run that did not come back in time. */
export function timeoutError(seconds: number): ServeError {
  return new ServeError(
    "deadline_exceeded",
    `the run took longer than execution_timeout (${seconds} s) and was stopped: send less at once, or raise execution_timeout`,
    {
      reason: "execution_timeout",
    },
  );
}
