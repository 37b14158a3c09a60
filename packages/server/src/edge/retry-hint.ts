import type { ServeError } from "../base/errors.ts";

const DEFAULT_RETRY_AFTER_MS = 1000;

/** How long a client should wait before it tries again; undefined: trying again does not help. Both protocols send it, each its way. */
export function retryHintMs({ code, reason, retryAfterMs }: ServeError): number | undefined {
  if (retryAfterMs !== undefined) return retryAfterMs;
  // What is too large stays too large.
  const mayPass =
    code === "unavailable" || (code === "resource_exhausted" && !/_too_(large|long)$/.test(reason));
  return mayPass ? DEFAULT_RETRY_AFTER_MS : undefined;
}
