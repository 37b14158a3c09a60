import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";

/** A request that is over, as far as the log goes. */
export interface EndedRequest {
  /** The id that its response has, and that its client may have given; "" when there is none. */
  readonly requestId: string;
  /** Of the trace that it belongs to; undefined: none. */
  readonly traceId?: string | undefined;
  readonly protocol: "rest" | "grpc";
  /** `POST /predict/digits`, or the path of gRPC's method. */
  readonly call: string;
  /** Of HTTP, or gRPC's own. */
  readonly status: number;
  readonly model: string | undefined;
  readonly ms: number;
}

/** What went wrong with one. */
export interface RequestFailure {
  readonly reason: string;
  readonly message: string;
}

/** Writes about requests. */
export interface RequestLog {
  /** Every request is told of, not only those that failed. */
  readonly isComplete: boolean;
  ended(request: EndedRequest, failure?: RequestFailure): void;
}

/** Of requests that failed so many a second are told of: clients must not fill the disk. */
const MOST_FAILURES_A_SECOND = 100;
const LONGEST_CALL = 200;
const LONGEST_MESSAGE = 500;
const SECOND_MS = 1000;

/**
 * A log in which every request that failed can be found by its id, a hundred a second at most, and how many more there were; with `isComplete`
 * every request is, whatever became of it.
 */
export function createRequestLog({
  logger,
  clock,
  isComplete,
}: {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly isComplete: boolean;
}): RequestLog {
  let secondMs = Number.NEGATIVE_INFINITY;
  let told = 0;
  let untold = 0;
  const mayTell = (): boolean => {
    const nowMs = clock.nowMs();
    if (nowMs - secondMs >= SECOND_MS) {
      if (untold > 0) logger.info({ requests: untold }, "more requests failed; --access-log tells of each");
      secondMs = nowMs;
      told = 0;
      untold = 0;
    }
    if (told < MOST_FAILURES_A_SECOND) {
      told++;
      return true;
    }
    untold++;
    return false;
  };
  return {
    isComplete,
    ended(request, failure) {
      const { traceId, ...others } = request;
      const fields = {
        ...others,
        // As OpenTelemetry calls it in logs.
        ...(traceId !== undefined && { trace_id: traceId }),
        call: request.call.slice(0, LONGEST_CALL),
        ms: Math.round(request.ms * 100) / 100,
      };
      if (failure === undefined) {
        if (isComplete) logger.info(fields, "request");
      } else if (isComplete || mayTell()) {
        const { reason, message } = failure;
        logger.info({ ...fields, reason, error: message.slice(0, LONGEST_MESSAGE) }, "request failed");
      }
    },
  };
}
