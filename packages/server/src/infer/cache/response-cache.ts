import type { Parameters } from "../../base/infer-request.ts";
import type { NamedTensor } from "../../base/tensor.ts";

/** An answer without what belongs to one request alone. Nobody may write to the bytes. */
export interface CachedResponse {
  readonly outputs: readonly NamedTensor[];
  readonly parameters: Parameters;
}

/**
 * Where answers are kept. A store in this process answers at once, one elsewhere with a promise, which it must settle within a time
 * of its own (a few milliseconds): requests wait for it. A store that rejects counts as one that has nothing.
 */
export interface ResponseCache {
  get(key: string): CachedResponse | undefined | Promise<CachedResponse | undefined>;
  /** Takes the answer over. What it cannot keep it drops. */
  set(key: string, answer: CachedResponse): void | Promise<void>;
}
