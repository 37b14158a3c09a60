import type { ErrorCode } from "./error-code.ts";
import type { ErrorReason, ReasonOf } from "./error-reasons.ts";

/** Codes that say that something of ours is broken: only then does anybody want to know where. */
const FAULTS: ReadonlySet<ErrorCode> = new Set(["unknown", "internal", "data_loss"]);

/** What an error says beside its code and message. */
export interface ServeErrorOptions<R extends ErrorReason = ErrorReason> {
  /** Stable, machine-readable word for the cause, such as `queue_full`; one of the table in error-reasons.ts. Default: the code. */
  readonly reason?: R;
  readonly cause?: unknown;
  /** How long a client should wait before it tries again. Becomes `Retry-After` and `grpc-retry-pushback-ms`. */
  readonly retryAfterMs?: number;
}

/** A reason can only be given with a code that the table lists it under. */
type ServeErrorArguments = {
  [C in ErrorCode]: [code: C, message: string, options?: ServeErrorOptions<ReasonOf<C>>];
}[ErrorCode];

/**
 * The one error type that crosses a folder's border. `message` is written for the caller and says what to change; it never
 * carries paths, pids, host names or stacks. `cause` stays inside the process, for the log. Faults of ours have a stack, answers to
 * callers have none: taking it is a tenth of what rejecting a request costs, and a full server rejects thousands a second.
 */
export class ServeError extends Error {
  override readonly name = "ServeError";
  readonly code: ErrorCode;
  readonly reason: ErrorReason;
  readonly retryAfterMs: number | undefined;

  constructor(...[code, message, options = {}]: ServeErrorArguments) {
    const { stackTraceLimit } = Error;
    if (!FAULTS.has(code)) Error.stackTraceLimit = 0;
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    Error.stackTraceLimit = stackTraceLimit;
    this.code = code;
    this.reason = options.reason ?? code;
    this.retryAfterMs = options.retryAfterMs;
  }

  /** For a code or reason that is known only when it runs: one that a parameter holds, or that a worker sent. */
  static of(code: ErrorCode, message: string, options: ServeErrorOptions): ServeError {
    return new ServeError(...([code, message, options] as ServeErrorArguments));
  }

  /** Turns anything thrown into a ServeError; what is not one already becomes `internal`, its text kept for the log only. */
  static from(thrown: unknown): ServeError {
    if (thrown instanceof ServeError) return thrown;
    if (thrown instanceof Error && thrown.name === "AbortError") {
      return new ServeError("cancelled", "the request was cancelled", { cause: thrown });
    }
    return new ServeError("internal", "an internal error occurred; the server's log has the details", {
      cause: thrown,
    });
  }
}

/** For what cannot happen: a failed invariant is a bug of ours. Throws `internal`. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new ServeError("internal", `invariant: ${message}`, { reason: "invariant" });
}
