import type { Timing } from "./timing.ts";

/** Consecutive failures after which an endpoint is left alone. */
const FAILURES = 3;
const FIRST_EJECTION_MS = 1_000;
const LONGEST_EJECTION_MS = 30_000;

type Health =
  | { readonly kind: "good"; readonly failures: number }
  /** Left alone until then; after it the next call tries it, and one failure ejects it again, for twice as long. */
  | { readonly kind: "ejected"; readonly untilMs: number; readonly forMs: number };

/** A server's address, and what calls found out about it. */
export interface Endpoint {
  /** Without a slash at its end. */
  readonly url: string;
  inFlight: number;
  health: Health;
}

/**
 * The servers that a client may ask: of two that are drawn at random the one with fewer calls in flight (the "power of two choices"), leaving out
 * those that failed several times in a row. When all are left out, the one whose time is up first is asked all the same.
 */
export class EndpointPool {
  readonly #endpoints: readonly Endpoint[];
  readonly #timing: Timing;

  constructor(urls: readonly string[], timing: Timing) {
    this.#endpoints = urls.map((url) => ({ url, inFlight: 0, health: { kind: "good", failures: 0 } }));
    this.#timing = timing;
  }

  get size(): number {
    return this.#endpoints.length;
  }

  /** One to ask, if possible none of those that this call `tried`. */
  pick(tried: ReadonlySet<Endpoint>): Endpoint {
    const nowMs = this.#timing.nowMs();
    const isOpen = ({ health }: Endpoint): boolean => health.kind === "good" || health.untilMs <= nowMs;
    const open = this.#endpoints.filter(isOpen);
    const fresh = open.filter((endpoint) => !tried.has(endpoint));
    if (fresh.length > 0) return this.#lessBusy(fresh);
    if (open.length > 0) return this.#lessBusy(open);
    return this.#endpoints.reduce((soonest, endpoint) =>
      untilMs(endpoint) < untilMs(soonest) ? endpoint : soonest,
    );
  }

  succeeded(endpoint: Endpoint): void {
    endpoint.health = { kind: "good", failures: 0 };
  }

  /** An endpoint that could not be reached, or that cannot answer now. */
  failed(endpoint: Endpoint): void {
    const { health } = endpoint;
    if (health.kind === "good" && health.failures + 1 < FAILURES) {
      endpoint.health = { kind: "good", failures: health.failures + 1 };
      return;
    }
    const nowMs = this.#timing.nowMs();
    // Calls that were on their way when it was ejected say nothing new.
    if (health.kind === "ejected" && health.untilMs > nowMs) return;
    const forMs =
      health.kind === "ejected" ? Math.min(LONGEST_EJECTION_MS, health.forMs * 2) : FIRST_EJECTION_MS;
    endpoint.health = { kind: "ejected", forMs, untilMs: nowMs + forMs };
  }

  #lessBusy(endpoints: readonly Endpoint[]): Endpoint {
    const draw = (count: number): number => Math.floor(this.#timing.random() * count);
    const first = draw(endpoints.length);
    if (endpoints.length === 1) return endpoints[first]!;
    const second = (first + 1 + draw(endpoints.length - 1)) % endpoints.length;
    const [a, b] = [endpoints[first]!, endpoints[second]!];
    return b.inFlight < a.inFlight ? b : a;
  }
}

function untilMs({ health }: Endpoint): number {
  return health.kind === "ejected" ? health.untilMs : 0;
}
