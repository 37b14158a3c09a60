export type Protocol = "rest" | "grpc" | "grpc-stream";

/** Clients of one kind, whose requests arrive at random (Poisson), however long the answers take. */
export interface LoadStream {
  readonly name: string;
  readonly protocol: Protocol;
  readonly model: string;
  readonly perSecond: number;
  /** Rows of a request; default one. */
  readonly rows?: readonly [least: number, most: number];
  /** Connections that the stream may open. A request waits for a free one (REST), which counts as its latency. */
  readonly connections: number;
  readonly timeoutMs?: readonly [least: number, most: number];
  /** This share of the requests is cancelled by its client, after a time drawn from `cancelAfterMs`. */
  readonly cancelShare?: number;
  readonly cancelAfterMs?: readonly [least: number, most: number];
  readonly tenant?: string;
  /** How often a refused request is sent in all; default once. */
  readonly tries?: number;
  /** Begin and end within the plan; default all of it. */
  readonly fromMs?: number;
  readonly toMs?: number;
  /** Every answer's tag must equal the version that it says it came from. */
  readonly tagIsVersion?: boolean;
}

export interface LoadPlan {
  readonly seed: number;
  /** `http://host:port` */
  readonly url: string;
  readonly durationMs: number;
  /** After that, what is on its way is given up once nothing was answered for this long. */
  readonly graceMs: number;
  readonly streams: readonly LoadStream[];
}

export interface Distribution {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** What happened in a quarter of a second, by the time of the answer. */
export interface Bin {
  okRows: number;
  refused: number;
  p99Ms: number;
}

export const BIN_MS = 250;

/** What became of the requests of one stream. */
export interface StreamResult {
  readonly name: string;
  readonly offered: number;
  /** By outcome: `ok`, `503 queue_full`, `14 draining`, `cancelled`, `broken`… */
  readonly outcomes: Readonly<Record<string, number>>;
  /** Answers that were not those to the question. */
  readonly wrong: number;
  /** Refusals (429, 503, UNAVAILABLE, quota) that do not say when to come back. */
  readonly unhinted: number;
  /** Answers whose rows came from more than one version, or from another one than they say. */
  readonly mixed: number;
  /** Answers of an older version than one seen before on the same connection. */
  readonly backwards: number;
  /** From the time a request was meant to be sent. */
  readonly okMs: Distribution;
  /** From the time it was sent: how fast a refusal is. */
  readonly refusedMs: Distribution;
  /** How late requests were sent: above a few ms the generator itself is overloaded. */
  readonly lagMs: Distribution;
  readonly bins: readonly Bin[];
  /** Rows nobody waited for any more, with the monotonic time from which that held. */
  readonly dead: readonly (readonly [rowId: string, atMs: number])[];
  /** The first failures in words. */
  readonly problems: readonly string[];
}

export interface LoadResult {
  /** Monotonic. */
  readonly startMs: number;
  readonly streams: readonly StreamResult[];
}
