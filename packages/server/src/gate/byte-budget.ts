import { ServeError } from "../base/errors.ts";

export interface ByteBudgetOptions {
  /** Bytes that all requests in flight may hold together: received bodies, whatever the protocol. */
  readonly maxBytes: number;
  /** Requests in flight, however small. */
  readonly maxRequests: number;
}

/**
 * What requests in flight may cost this process, shared by all edges. Asked with the announced size when a request's headers are
 * here, so that a refused request costs no memory. Whoever entered with n bytes and grew by m leaves with n + m, once.
 */
export interface ByteBudget {
  /** Throws `unavailable` when full now, `resource_exhausted`/`body_too_large` when this size could never fit. */
  enter(bytes: number): void;
  /** Takes more for a request that already entered: a chunked or compressed body as it is read. Throws like `enter`. */
  grow(bytes: number): void;
  leave(bytes: number): void;
  readonly bytes: number;
  readonly requests: number;
}

const RETRY_AFTER_MS = 1000;

export function createByteBudget({ maxBytes, maxRequests }: ByteBudgetOptions): ByteBudget {
  let bytes = 0;
  let requests = 0;
  const take = (more: number): void => {
    if (more > maxBytes) {
      throw new ServeError(
        "resource_exhausted",
        `the body of ${more} bytes is larger than this server accepts at all (${maxBytes} bytes)`,
        { reason: "body_too_large" },
      );
    }
    if (bytes + more > maxBytes) {
      throw new ServeError(
        "unavailable",
        "the requests in flight use all the memory set aside for them; try again shortly",
        {
          reason: "memory_budget",
          retryAfterMs: RETRY_AFTER_MS,
        },
      );
    }
    bytes += more;
  };
  return {
    enter(size) {
      if (requests >= maxRequests) {
        throw new ServeError(
          "unavailable",
          `${maxRequests} requests are in flight, the most this server takes; try again shortly`,
          {
            reason: "too_many_requests_in_flight",
            retryAfterMs: RETRY_AFTER_MS,
          },
        );
      }
      take(size);
      requests++;
    },
    grow: take,
    leave(size) {
      bytes -= size;
      requests--;
    },
    get bytes() {
      return bytes;
    },
    get requests() {
      return requests;
    },
  };
}
