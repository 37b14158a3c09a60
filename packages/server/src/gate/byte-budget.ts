import { ServeError } from "../base/errors.ts";

export interface ByteBudgetOptions {
  /** Bytes that all requests in flight may hold together: bodies received, and responses that their clients have not taken. */
  readonly maxBytes: number;
  /** Requests in flight, however small. */
  readonly maxRequests: number;
  /** Asked to free bytes that are held without need, before a request is rejected. */
  reclaim?(bytes: number): void;
}

/**
 * What requests in flight may cost this process, shared by all edges. Asked with the announced size when a request's headers are
 * here, so that a rejected request costs no memory. A request that entered with n bytes and grew by m leaves with n + m, once. The last eighth is
 * for small requests: a few large ones whose clients take their time must not shut out everybody else.
 */
export interface ByteBudget {
  /** Throws `unavailable` when full now, `resource_exhausted`/`body_too_large` when this size could never fit. */
  enter(bytes: number): void;
  /** Takes more for a request that holds `held` already: a chunked body as it is read, a response. Throws like `enter`. */
  grow(bytes: number, held: number): void;
  /** Gives back a part. */
  shrink(bytes: number): void;
  leave(bytes: number): void;
  readonly maxBytes: number;
  readonly bytes: number;
  readonly requests: number;
}

/** Up to this size a request, or a response, is small. */
export const SMALL_BYTES: number = 64 * 1024;

export const SMALL_SHARE: number = 1 / 8;
const RETRY_AFTER_MS = 1000;

export function createByteBudget({ maxBytes, maxRequests, reclaim }: ByteBudgetOptions): ByteBudget {
  const maxLargeBytes = maxBytes - Math.floor(maxBytes * SMALL_SHARE);
  let bytes = 0;
  let requests = 0;
  /** How many bytes too many it would be. One that is alone may have all. */
  const excess = (more: number, held: number): number =>
    bytes + more - (more + held <= SMALL_BYTES || bytes === held ? maxBytes : maxLargeBytes);
  const take = (more: number, held: number): void => {
    if (more > maxBytes) throw neverFits(more, maxBytes);
    const tooMany = excess(more, held);
    if (tooMany > 0) {
      reclaim?.(tooMany);
      if (excess(more, held) > 0) throw budgetFull();
    }
    bytes += more;
  };
  return {
    enter(size) {
      if (requests >= maxRequests) throw tooManyRequests(maxRequests);
      take(size, 0);
      requests++;
    },
    grow: take,
    shrink(size) {
      bytes -= size;
    },
    leave(size) {
      bytes -= size;
      requests--;
    },
    maxBytes,
    get bytes() {
      return bytes;
    },
    get requests() {
      return requests;
    },
  };
}

export function tooManyRequests(maxRequests: number): ServeError {
  return new ServeError(
    "unavailable",
    `${maxRequests} requests are in flight, the most this server takes; try again shortly`,
    {
      reason: "too_many_requests_in_flight",
      retryAfterMs: RETRY_AFTER_MS,
    },
  );
}

export function neverFits(bytes: number, maxBytes: number): ServeError {
  return new ServeError(
    "resource_exhausted",
    `the body of ${bytes} bytes is larger than this server accepts at all (${maxBytes} bytes)`,
    { reason: "body_too_large" },
  );
}

export function budgetFull(): ServeError {
  return new ServeError(
    "unavailable",
    "the requests in flight use all the memory set aside for them; try again shortly",
    {
      reason: "memory_budget",
      retryAfterMs: RETRY_AFTER_MS,
    },
  );
}
