import { askEndpoint, type Fetch, type HttpRequest, type HttpResponse } from "./ask-endpoint.ts";
import { ClientError } from "./client-error.ts";
import { type Endpoint, EndpointPool } from "./endpoint-pool.ts";
import { RetryBudget } from "./retry-budget.ts";
import type { Timing } from "./timing.ts";

/** How calls are made; see ClientOptions. */
export interface CallerOptions {
  readonly fetch: Fetch;
  readonly timing: Timing;
  readonly attempts: number;
  readonly retryShare: number;
  readonly hedgeAfterMs: number | undefined;
}

/** One call's own terms. */
export interface CallTerms {
  /** For the whole call, all attempts together. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  /** False: asking twice is not the same as asking once, so it is asked once. */
  readonly mayRepeat: boolean;
}

const BUDGET = 10;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;
/** A timer that is asked for more fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Makes calls: picks endpoints, asks again where that can help, within a deadline and a budget. */
export class Caller {
  readonly #pool: EndpointPool;
  readonly #budget: RetryBudget;
  readonly #options: CallerOptions;
  readonly #closed = new AbortController();

  constructor(urls: readonly string[], options: CallerOptions) {
    this.#pool = new EndpointPool(urls, options.timing);
    this.#budget = new RetryBudget(options.retryShare, BUDGET);
    this.#options = options;
  }

  /** Throws ClientError, `deadline_exceeded` among them; when `terms.signal` is aborted, its reason. */
  async call(request: HttpRequest, terms: CallTerms): Promise<HttpResponse> {
    const deadline = new AbortController();
    const over = new AbortController();
    const timeoutMs = Math.min(terms.timeoutMs, LONGEST_TIMER_MS);
    this.#options.timing.wait(timeoutMs, over.signal).then(
      () => deadline.abort(),
      () => {},
    );
    const own = terms.signal === undefined ? [] : [terms.signal];
    const signal = AbortSignal.any([deadline.signal, this.#closed.signal, ...own]);
    const tried = new Set<Endpoint>();
    try {
      return await this.#attempts(request, { ...terms, signal, tried });
    } catch (error) {
      terms.signal?.throwIfAborted();
      if (!deadline.signal.aborted || error instanceof ClientError) throw error;
      const endpoint = [...tried].map(({ url }) => url).join(", ");
      throw new ClientError("deadline_exceeded", `${endpoint} did not answer within ${terms.timeoutMs} ms`, {
        trace: { endpoint },
      });
    } finally {
      over.abort();
    }
  }

  /** An endpoint for what is no call: as it would be picked for one. `inFlight` is the caller's to keep. */
  endpoint(): Endpoint {
    return this.#pool.pick(new Set());
  }

  /** Aborted by `close`. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /** Cancels what is in flight; later calls fail. */
  close(): void {
    this.#closed.abort(new Error("the client was closed"));
  }

  async #attempts(request: HttpRequest, call: CallInProgress): Promise<HttpResponse> {
    for (let attempt = 1; ; attempt++) {
      call.signal.throwIfAborted();
      try {
        const answer = await this.#hedged(request, call);
        this.#budget.earn();
        return answer;
      } catch (error) {
        if (!(error instanceof ClientError) || !this.#mayGoOn(error, attempt, call)) throw error;
        await this.#options.timing.wait(this.#pauseMs(error, attempt, call), call.signal).catch(() => {
          // The failure says more than that time ran out while waiting to ask again.
          throw error;
        });
      }
    }
  }

  #mayGoOn(error: ClientError, attempt: number, { mayRepeat }: CallInProgress): boolean {
    return mayRepeat && isPassing(error) && attempt < this.#options.attempts && this.#budget.spend();
  }

  /** None when another endpoint can be asked at once; else what the server asked for, or twice as long each time, spread by chance. */
  #pauseMs(error: ClientError, attempt: number, { tried }: CallInProgress): number {
    if (tried.size < this.#pool.size) return 0;
    const growing = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempt - 1));
    return error.retryAfterMs ?? growing * (0.5 + this.#options.timing.random() / 2);
  }

  /** One attempt, and a second one beside it at another endpoint when it takes long and hedging is on: the first answer counts. */
  async #hedged(request: HttpRequest, call: CallInProgress): Promise<HttpResponse> {
    const { hedgeAfterMs, timing } = this.#options;
    if (hedgeAfterMs === undefined || !call.mayRepeat || this.#pool.size < 2) return this.#ask(request, call);
    const over = new AbortController();
    const both = { ...call, signal: AbortSignal.any([call.signal, over.signal]) };
    try {
      const first = this.#ask(request, both);
      const due = timing.wait(hedgeAfterMs, both.signal).then(
        () => true,
        () => false,
      );
      const isLate = await Promise.race([first.then(NO, NO), due]);
      if (!isLate || !this.#budget.spend()) return await first;
      return await Promise.any([first, this.#ask(request, both)]);
    } catch (error) {
      throw error instanceof AggregateError ? error.errors[0] : error;
    } finally {
      over.abort();
    }
  }

  async #ask(request: HttpRequest, { signal, tried }: CallInProgress): Promise<HttpResponse> {
    const endpoint = this.#pool.pick(tried);
    tried.add(endpoint);
    try {
      const answer = await askEndpoint(endpoint, request, { fetch: this.#options.fetch, signal });
      this.#pool.succeeded(endpoint);
      return answer;
    } catch (error) {
      if (error instanceof ClientError && isDown(error)) this.#pool.failed(endpoint);
      throw error;
    }
  }
}

interface CallInProgress extends CallTerms {
  readonly signal: AbortSignal;
  readonly tried: Set<Endpoint>;
}

/** Whether the same request may be answered a moment later. */
function isPassing({ status }: ClientError): boolean {
  return status === undefined || status === 429 || status === 502 || status === 503;
}

/** Whether the endpoint itself is at fault. A full queue, a quota or a model that loads is no reason to leave it. */
function isDown({ status, reason }: ClientError): boolean {
  return (
    status === undefined ||
    status === 502 ||
    (status === 503 && (reason === "draining" || reason === "unavailable"))
  );
}

const NO = (): boolean => false;
