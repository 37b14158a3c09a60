import type { ServeError } from "../../base/errors.ts";
import { statusOf } from "./status.ts";

export interface ErrorAnswer {
  readonly status: number;
  readonly body: Buffer;
  /** Whole seconds; only for 429 and 503. */
  readonly retryAfter: number | undefined;
}

const DEFAULT_RETRY_AFTER_MS = 1000;

/** The answer to a failed request: `{"error", "reason"}`. `random` jitters `Retry-After` by ±25 %. */
export function errorAnswer(error: ServeError, random: () => number): ErrorAnswer {
  const status = statusOf(error);
  const body = Buffer.from(JSON.stringify({ error: error.message, reason: error.reason }));
  if (status !== 429 && status !== 503) return { status, body, retryAfter: undefined };
  const waitMs = (error.retryAfterMs ?? DEFAULT_RETRY_AFTER_MS) * (0.75 + random() / 2);
  return { status, body, retryAfter: Math.max(1, Math.ceil(waitMs / 1000)) };
}
