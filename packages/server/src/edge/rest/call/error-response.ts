import type { ServeError } from "../../../base/errors.ts";
import { retryHintMs } from "../../retry-hint.ts";
import { statusOf } from "./status.ts";

export interface ErrorResponse {
  readonly status: number;
  readonly body: Buffer;
  /** Whole seconds; only for 429 and 503. */
  readonly retryAfter: number | undefined;
}

/** The response to a failed request: `{"error", "reason"}`. `random` jitters `Retry-After` by ±25 %. */
export function errorResponse(error: ServeError, random: () => number): ErrorResponse {
  const status = statusOf(error);
  const body = Buffer.from(JSON.stringify({ error: error.message, reason: error.reason }));
  const hintMs = retryHintMs(error);
  if (hintMs === undefined || (status !== 429 && status !== 503))
    return { status, body, retryAfter: undefined };
  const waitMs = hintMs * (0.75 + random() / 2);
  return { status, body, retryAfter: Math.max(1, Math.ceil(waitMs / 1000)) };
}
