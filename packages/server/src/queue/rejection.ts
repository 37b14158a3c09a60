import { type ErrorCode, type ReasonOf, ServeError } from "../base/errors.ts";
import type { RejectReason } from "../base/reject-reasons.ts";
import type { QueuedRequest } from "./queued-request.ts";

/** A rejection by the scheduler: `reason` is one of its own closed set. */
export type Rejection = ServeError & { readonly reason: RejectReason };

function reject<C extends ErrorCode>(
  code: C,
  reason: RejectReason & ReasonOf<C>,
  message: string,
  retryAfterMs?: number,
): Rejection {
  const options = retryAfterMs === undefined ? { reason } : { reason, retryAfterMs };
  // The constructor keeps `reason` as it is given.
  return ServeError.of(code, message, options) as Rejection;
}

export function queueFull(waiting: number, retryAfterMs: number): Rejection {
  const message = `the model's queue is full (${waiting} requests wait); try again later`;
  return reject("unavailable", "queue_full", message, retryAfterMs);
}

export function displaced(retryAfterMs: number): Rejection {
  const message = "the model's queue is full and this request was displaced by another; try again later";
  return reject("unavailable", "queue_full", message, retryAfterMs);
}

export function draining(): Rejection {
  return reject("unavailable", "draining", "the model is being unloaded and takes no new requests");
}

export function noInstance(): Rejection {
  return reject("unavailable", "no_instance", "all instances of the model have failed; it must be reloaded");
}

export function shutDown(why: string): Rejection {
  return reject("unavailable", "shut_down", `the model was stopped: ${why}`);
}

export function expired(): Rejection {
  return reject("deadline_exceeded", "deadline_exceeded", "the deadline passed before the model answered");
}

/** The queue's own timeout, when the request's deadline is later or absent. */
export function waitedTooLong(timeoutMs: number): Rejection {
  return reject(
    "deadline_exceeded",
    "deadline_exceeded",
    `the request waited longer than the queue's timeout of ${timeoutMs} ms`,
  );
}

export function unreachable(): Rejection {
  const message =
    "the deadline cannot be met: the wait and the model's usual time exceed it; allow more time or try later";
  return reject("deadline_exceeded", "deadline_unreachable", message);
}

export function quotaExceeded(retryAfterMs: number): Rejection {
  return reject(
    "resource_exhausted",
    "quota_exceeded",
    "the quota of this key is used up; slow down",
    retryAfterMs,
  );
}

/**
 * A 4xx on purpose: sending the same bytes again cannot help and costs everybody a worker, so no client or proxy should retry,
 * as it would after `unavailable`.
 */
export function quarantined(): Rejection {
  const message =
    "this input ended or hung two workers in a row and is rejected for some minutes; change the input, or the model";
  return reject("failed_precondition", "quarantined", message);
}

/** The same where the input did not end workers but took too long: that may be the option's fault as well as the input's. */
export function tooSlow(error: ServeError): Rejection {
  const message = `${error.message}. This input did so twice, and is not run again for some minutes`;
  return reject("deadline_exceeded", "execution_timeout", message);
}

/** The request's signal fired: because its deadline passed (a timer may be a little early), or because the client left. */
export function expiredOrCancelled(
  { deadlineMs, request }: Pick<QueuedRequest, "deadlineMs" | "request">,
  nowMs: number,
): Rejection {
  const { reason } = request.signal;
  const isExpired = reason instanceof ServeError && reason.code === "deadline_exceeded";
  return isExpired || nowMs >= deadlineMs
    ? expired()
    : reject("cancelled", "cancelled", "the request was cancelled");
}
