import type { Clock } from "../../base/clock.ts";
import { ServeError } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import type { CacheStore, StoreClaim, StoreEntry } from "./cache-store.ts";
import { isRefusal, type StoreConnection, type StoreReply } from "./store-connection.ts";
import type { StoreMetrics } from "./store-metrics.ts";

export interface GuardedStoreOptions {
  /** A new connection, whatever became of those before it; `signal` ends the attempt. */
  connect(signal: AbortSignal): Promise<StoreConnection>;
  readonly clock: Clock;
  /** Calls back once what has arrived was read: `setImmediate`. */
  defer(callback: () => void): void;
  readonly random: () => number;
  readonly logger: Logger;
  readonly metrics: StoreMetrics;
  /** How long requests wait for an answer. */
  readonly timeoutMs: number;
  readonly maxValueBytes: number;
}

/** So many failures in a row open the breaker; those between successes as well, if they are more than one in fifty. */
const MAX_FAILURES = 5;
const FORGIVEN_PER_SUCCESS = 0.02;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5000;
/** Whoever stayed well for so long has no record. */
const STABLE_MS = 10_000;
const CONNECT_LIMIT_MS = 2000;
/** Times the timeout, and at least so long: an answer that has not come whole by then may have no end, and its bytes are in memory. */
const OVERDUE_TIMEOUTS = 20;
const LEAST_OVERDUE_MS = 100;
/** Of questions and values on their way. */
const MAX_PENDING = 1024;
const MAX_PENDING_BYTES = 16 * 1024 * 1024;
const REFUSALS_APART_MS = 60_000;
export const PROBE_KEY = "sconce:probe";
const REFUSED = "failed_precondition";
const NOTHING = new Uint8Array(0);

/** A cache store behind a circuit breaker: it connects by itself, and while it cannot, or the store does not answer in time, nobody waits for it. */
export class GuardedStore implements CacheStore {
  readonly maxValueBytes: number;
  readonly #options: GuardedStoreOptions;
  /** There while the breaker is closed. */
  #connection: StoreConnection | undefined;
  /** Ends what waits for an answer, as if none came. */
  readonly #waiting = new Set<() => void>();
  #pendingBytes = 0;
  #failures = 0;
  #openings = 0;
  #closedAtMs = 0;
  #refusedAtMs = Number.NEGATIVE_INFINITY;
  #cancelRetry: () => void = () => {};
  readonly #writes = new Set<Promise<void>>();
  readonly #ended = new AbortController();

  constructor(options: GuardedStoreOptions) {
    this.#options = options;
    this.maxValueBytes = options.maxValueBytes;
    options.metrics.state("open");
  }

  get isUsable(): boolean {
    return this.#connection !== undefined && this.#waiting.size < MAX_PENDING;
  }

  /** Begins to connect. */
  start(): void {
    void this.#try();
  }

  look(key: string, { bytes: claim, leaseMs }: StoreClaim): Promise<StoreEntry | undefined> | undefined {
    const connection = this.#connection;
    if (connection === undefined) return undefined;
    if (this.#waiting.size >= MAX_PENDING) {
      this.#options.metrics.failed("busy");
      return undefined;
    }
    const { clock, metrics } = this.#options;
    const startMs = clock.nowMs();
    const entry = this.#within(async () => {
      const [value, ttl, claimed] = await Promise.all([
        connection.send(["GETRANGE", key, "0", String(this.maxValueBytes)]),
        connection.send(["PTTL", key]),
        connection.send(["SET", key, asBuffer(claim), "NX", "PX", String(leaseMs)]),
      ]);
      const bytes = bytesOf(value);
      if (isRefusal(claimed)) this.#writeRefused(claimed.message);
      const isClaimed = claimed !== null && !isRefusal(claimed);
      return { bytes, ttlMs: typeof ttl === "number" ? ttl : -1, isClaimed };
    });
    void entry.then(() => metrics.waited(clock.nowMs() - startMs));
    return entry;
  }

  put(key: string, bytes: Uint8Array, ttlMs: number): void {
    if (this.#pendingBytes + bytes.length > MAX_PENDING_BYTES) {
      this.#options.metrics.failed("busy");
      return;
    }
    this.#pendingBytes += bytes.length;
    const command = ["SET", key, asBuffer(bytes), "PX", String(Math.max(1, Math.round(ttlMs)))];
    void this.#write(command).finally(() => {
      this.#pendingBytes -= bytes.length;
    });
  }

  remove(key: string): void {
    void this.#write(["DEL", key]);
  }

  /** Sends what is on its way, for as long as a request would wait, and ends. */
  async close(): Promise<void> {
    this.#cancelRetry();
    const writes = [...this.#writes];
    this.#ended.abort();
    await Promise.all(writes);
    this.#connection?.destroy();
    this.#connection = undefined;
  }

  #write(command: readonly (string | Buffer)[]): Promise<void> {
    const connection = this.#connection;
    if (connection === undefined || !this.isUsable) return Promise.resolve();
    const write = this.#within(async () => {
      const reply = await connection.send(command);
      if (isRefusal(reply)) this.#writeRefused(reply.message);
    }).finally(() => this.#writes.delete(write));
    this.#writes.add(write);
    return write;
  }

  /** Resolves with undefined when it fails, takes too long, or the breaker opens meanwhile. */
  #within<T>(ask: () => Promise<T>): Promise<T | undefined> {
    const { clock, defer, timeoutMs } = this.#options;
    const overdueMs = Math.max(LEAST_OVERDUE_MS, OVERDUE_TIMEOUTS * timeoutMs);
    return new Promise((resolve) => {
      let [isSettled, isOver] = [false, false];
      let cancel: () => void = () => {};
      const connection = this.#connection;
      const settle = (value: T | undefined): void => {
        isSettled = true;
        cancel();
        this.#waiting.delete(giveUp);
        resolve(value);
      };
      const giveUp = (): void => settle(undefined);
      this.#waiting.add(giveUp);
      const late = (): void => {
        if (isSettled) return;
        giveUp();
        this.#failed("timeout", `no answer within ${timeoutMs} ms`);
        clock.after(overdueMs, () => defer(overdue));
      };
      const overdue = (): void => {
        if (isOver || connection === undefined || connection !== this.#connection) return;
        this.#failed("lost", `an answer was not over within ${overdueMs} ms`);
      };
      ask().then(
        (value) => {
          isOver = true;
          if (isSettled) return;
          this.#failures = Math.max(0, this.#failures - FORGIVEN_PER_SUCCESS);
          settle(value);
        },
        (error: unknown) => {
          isOver = true;
          if (isSettled) return;
          giveUp();
          const isRefused = error instanceof ServeError && error.code === REFUSED;
          this.#failed(isRefused ? "refused" : "lost", messageOf(error));
        },
      );
      // The client writes at the end of this turn; an answer that lies in the socket when the time is over was in time.
      defer(() => {
        if (!isSettled) cancel = clock.after(timeoutMs, () => defer(late));
      });
    });
  }

  #failed(kind: "timeout" | "lost" | "refused", reason: string): void {
    this.#options.metrics.failed(kind);
    if (this.#connection === undefined) return;
    this.#failures += 1;
    if (this.#failures >= MAX_FAILURES || kind === "lost") this.#open(reason);
  }

  /** Writing may be forbidden, or there may be no room, where reading works. */
  #writeRefused(message: string): void {
    const { clock, logger, metrics } = this.#options;
    metrics.failed("write_refused");
    if (clock.nowMs() - this.#refusedAtMs < REFUSALS_APART_MS) return;
    this.#refusedAtMs = clock.nowMs();
    logger.warn({ reason: message }, "the cache store takes no new answers; those that it has are used");
  }

  #open(reason: string): void {
    const { logger, clock } = this.#options;
    const connection = this.#connection;
    const isNews = connection !== undefined || this.#openings === 0;
    this.#connection = undefined;
    connection?.destroy();
    for (const giveUp of [...this.#waiting]) giveUp();
    this.#failures = 0;
    if (connection !== undefined && clock.nowMs() - this.#closedAtMs >= STABLE_MS) this.#openings = 0;
    this.#openings += 1;
    this.#options.metrics.state("open");
    if (this.#ended.signal.aborted) return;
    if (isNews) logger.warn({ reason }, "the cache store is left alone: requests go on without it");
    this.#cancelRetry = clock.after(this.#pauseMs(), () => void this.#try());
  }

  #pauseMs(): number {
    const ms = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(16, this.#openings - 1));
    return ms * (0.5 + this.#options.random() / 2);
  }

  async #try(): Promise<void> {
    const { metrics, clock, logger, connect } = this.#options;
    metrics.state("half_open");
    const attempt = new AbortController();
    const abort = (): void => attempt.abort();
    this.#ended.signal.addEventListener("abort", abort);
    const cancel = clock.after(CONNECT_LIMIT_MS, abort);
    let connection: StoreConnection | undefined;
    try {
      connection = await connect(attempt.signal);
      await this.#probe(connection);
      if (this.#ended.signal.aborted) throw new ServeError("cancelled", "the server stops");
      this.#close(connection);
      logger.info({}, "the cache store is used");
    } catch (error) {
      connection?.destroy();
      const reason = attempt.signal.aborted
        ? `no connection within ${CONNECT_LIMIT_MS} ms`
        : messageOf(error);
      metrics.failed("probe");
      this.#open(reason);
    } finally {
      cancel();
      this.#ended.signal.removeEventListener("abort", abort);
    }
  }

  #close(connection: StoreConnection): void {
    this.#connection = connection;
    this.#closedAtMs = this.#options.clock.nowMs();
    connection.onEnd((reason) => {
      if (connection === this.#connection) this.#failed("lost", reason);
    });
    this.#options.metrics.state("closed");
  }

  /** Nobody waits for this one. */
  #probe(connection: StoreConnection): Promise<void> {
    const { clock, defer, timeoutMs } = this.#options;
    return new Promise((resolve, reject) => {
      let cancel: () => void = () => {};
      const late = (): void =>
        reject(new ServeError("deadline_exceeded", `no answer within ${timeoutMs} ms`));
      defer(() => {
        cancel = clock.after(timeoutMs, () => defer(late));
      });
      connection
        .send(["GETRANGE", PROBE_KEY, "0", "0"])
        .then((reply) => void bytesOf(reply))
        .then(resolve, reject)
        .finally(() => cancel());
    });
  }
}

/** Throws when the store refuses to read. Something else than bytes under a key is what nobody has put there. */
function bytesOf(reply: StoreReply): Uint8Array {
  if (reply instanceof Uint8Array) return reply;
  if (isRefusal(reply) && reply.word === "WRONGTYPE") return Uint8Array.of(0);
  if (isRefusal(reply)) throw new ServeError(REFUSED, reply.message);
  return NOTHING;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
