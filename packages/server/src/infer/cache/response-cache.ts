import type { InferRequest, Parameters } from "../../base/infer-request.ts";
import type { NamedTensor } from "../../base/tensor.ts";

/** An answer without what belongs to one request alone. Nobody may write to the bytes. */
export interface CachedResponse {
  readonly outputs: readonly NamedTensor[];
  readonly parameters: Parameters;
}

/** What a request, beside its key, tells a cache. */
export type CacheRequest = Pick<InferRequest, "outputs" | "signal">;

/**
 * Where answers are kept. A store in this process answers at once, one elsewhere with a promise: requests wait for it, so that it must settle
 * within a time of its own (a few milliseconds, or until another server's run of an equal request has ended). A store that rejects counts as one
 * that has nothing.
 */
export interface ResponseCache {
  get(key: string, request: CacheRequest): CachedResponse | undefined | Promise<CachedResponse | undefined>;
  /** Takes the answer over. What it cannot keep it drops. */
  set(key: string, answer: CachedResponse): void | Promise<void>;
  /** After a `get` that had nothing: there is no answer to keep. */
  abandon?(key: string): void;
}
