import type { Clock } from "../../base/clock.ts";
import { ServeError } from "../../base/errors.ts";
import type { InferRequest, InferResponse } from "../../base/infer-request.ts";
import type { Logger } from "../../base/logger.ts";
import { type ResultReceiver, submitTo } from "../../base/result-receiver.ts";
import { untilAborted } from "../../models/load-limit.ts";
import { DurationSum, type ModelStatistics } from "../../models/model-statistics.ts";
import type { ServedModelHandle } from "../../models/served-model-handle.ts";
import { ModelAround } from "../model-around.ts";
import { cacheKey, isCacheable, type KeyedModel } from "./cache-key.ts";
import type { CachedResponse, ResponseCache } from "./response-cache.ts";

export interface CachedModelOptions {
  readonly cache: ResponseCache;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Stands in keys for what the model's files hold; default: the digest of its description. */
  readonly digest?: string;
  /** Told of every look-up: metrics. */
  onLookup?(found: boolean): void;
}

/** How a leader's run ended, for those who wait for it. */
type Outcome =
  | { readonly kind: "answered"; readonly answer: CachedResponse; readonly batchRows: number }
  /** The model's own verdict on these inputs. */
  | { readonly kind: "refused"; readonly error: ServeError }
  /** Nothing about the inputs: the leader left, was too late, or found no room. */
  | { readonly kind: "gaveUp" };

/** A model whose equal requests share one run, and whose answers are repeated for a while. Owns `inner`. */
export function createCachedModel(inner: ServedModelHandle, options: CachedModelOptions): ServedModelHandle {
  return new CachedModel(inner, options);
}

class CachedModel extends ModelAround {
  readonly #options: CachedModelOptions;
  readonly #keyed: KeyedModel;
  /** The run under way for each key. */
  readonly #flights = new Map<string, Promise<Outcome>>();
  readonly #hits = new DurationSum();
  readonly #misses = new DurationSum();

  constructor(inner: ServedModelHandle, options: CachedModelOptions) {
    super(inner, { settings: { ...inner.settings, cached: true } });
    this.#options = options;
    const { name, version, description } = inner;
    this.#keyed = { name, version, digest: options.digest ?? description.digest };
  }

  submit(request: InferRequest, receiver: ResultReceiver<InferResponse>): void {
    this.#submit(request).then(
      (response) => receiver.resolve(response),
      (error: unknown) => receiver.reject(ServeError.from(error)),
    );
  }

  async #submit(request: InferRequest): Promise<InferResponse> {
    this.requireOpen();
    this.taken.begin();
    try {
      if (!isCacheable(request)) return await submitTo(this.inner, request);
      return await this.#answer(cacheKey(this.#keyed, request), request);
    } finally {
      this.taken.end();
    }
  }

  /** What the queue has no room for, the cache may answer: only the body tells. */
  override rejectEarly(): undefined {
    return undefined;
  }

  override statistics(): ModelStatistics {
    const inner = this.inner.statistics();
    const cacheHit = this.#hits.read();
    const { count, ns } = inner.success;
    const success = { count: count + cacheHit.count, ns: ns + cacheHit.ns };
    return { ...inner, success, cacheHit, cacheMiss: this.#misses.read() };
  }

  async #answer(key: string, request: InferRequest): Promise<InferResponse> {
    for (;;) {
      const flight = this.#flights.get(key);
      if (flight === undefined) return this.#lead(key, request);
      const outcome = await untilAborted(flight, request.signal);
      if (outcome.kind === "answered") return this.#repeat(request, outcome.answer, outcome.batchRows);
      if (outcome.kind === "refused") throw outcome.error;
    }
  }

  /** Runs with its own deadline and signal; what happens to it others learn through the flight. */
  async #lead(key: string, request: InferRequest): Promise<InferResponse> {
    let land!: (outcome: Outcome) => void;
    const flight = new Promise<Outcome>((resolve) => {
      land = resolve;
    });
    this.#flights.set(key, flight);
    let outcome: Outcome = { kind: "gaveUp" };
    try {
      const found = await this.#find(key, request);
      if (found !== undefined) {
        outcome = { kind: "answered", answer: found, batchRows: 0 };
        return this.#repeat(request, found, 0);
      }
      const response = await this.#run(key, request);
      outcome = { kind: "answered", answer: response, batchRows: response.batchRows };
      this.#keep(key, response);
      return response;
    } catch (thrown) {
      const error = ServeError.from(thrown);
      if (isVerdict(error)) outcome = { kind: "refused", error };
      throw error;
    } finally {
      this.#flights.delete(key);
      land(outcome);
    }
  }

  async #run(key: string, request: InferRequest): Promise<InferResponse> {
    try {
      return await submitTo(this.inner, request);
    } catch (error) {
      this.#options.cache.abandon?.(key);
      throw error;
    }
  }

  async #find(key: string, request: InferRequest): Promise<CachedResponse | undefined> {
    const { cache, clock, onLookup } = this.#options;
    const startMs = clock.nowMs();
    let found: CachedResponse | undefined;
    try {
      const answer = cache.get(key, request);
      found = answer instanceof Promise ? await answer : answer;
    } catch (error) {
      this.#complain(error);
    }
    (found === undefined ? this.#misses : this.#hits).add(clock.nowMs() - startMs);
    onLookup?.(found !== undefined);
    return found;
  }

  #keep(key: string, { outputs, parameters }: InferResponse): void {
    try {
      const kept = this.#options.cache.set(key, { outputs, parameters });
      if (kept instanceof Promise) kept.catch((error: unknown) => this.#complain(error));
    } catch (error) {
      this.#complain(error);
    }
  }

  #complain(error: unknown): void {
    const { name: model, version } = this;
    this.#options.logger.warn({ model, version, err: error }, "the response cache failed; the model answers");
  }

  /** Another's answer as this request's own. All of its time was waiting; none of it was spent in the model. */
  #repeat(request: InferRequest, answer: CachedResponse, batchRows: number): InferResponse {
    const nowMs = this.#options.clock.nowMs();
    const { timeline, id } = request;
    timeline.claimedMs = nowMs;
    timeline.dispatchedMs = nowMs;
    timeline.answeredMs = nowMs;
    timeline.computeMs = 0;
    const { name: model, version } = this;
    const { outputs, parameters } = answer;
    return { model, version, id, outputs, parameters, batchRows };
  }
}

/** Whether an error says something about the inputs, so that equal requests need not try again. */
function isVerdict(error: ServeError): boolean {
  return error.code === "invalid_argument" || error.code === "internal" || error.code === "out_of_range";
}
