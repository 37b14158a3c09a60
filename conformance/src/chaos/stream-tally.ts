import { distributionOf } from "./distribution.ts";
import { BIN_MS, type Bin, type LoadStream, type StreamResult } from "./load-plan.ts";
import { monotonicMs } from "./monotonic.ts";
import { rowId } from "./row.ts";
import type { Ask, Reply } from "./transport.ts";

const MOST_PROBLEMS = 5;

/** When a request was meant to be sent, and when it was. Monotonic. */
export interface Times {
  readonly intendedMs: number;
  readonly sentMs: number;
}

/** Collects what becomes of one stream's requests. */
export class StreamTally {
  readonly #stream: LoadStream;
  readonly #startMs: number;
  readonly #outcomes: Record<string, number> = {};
  readonly #okMs: number[] = [];
  readonly #refusedMs: number[] = [];
  readonly #lagMs: number[] = [];
  readonly #bins: { okRows: number; refused: number; okMs: number[] }[] = [];
  readonly #dead: [string, number][] = [];
  readonly #problems: string[] = [];
  #offered = 0;
  #wrong = 0;
  #unhinted = 0;
  #mixed = 0;
  #backwards = 0;

  constructor(stream: LoadStream, startMs: number) {
    this.#stream = stream;
    this.#startMs = startMs;
  }

  sent(times: Times): void {
    this.#offered += 1;
    this.#lagMs.push(times.sentMs - times.intendedMs);
  }

  /** From `atMs` on nobody waits for these rows. */
  died(ask: Ask, atMs: number): void {
    for (const row of ask.rows) this.#dead.push([rowId(row), atMs]);
  }

  answered(ask: Ask, reply: Reply, times: Times): void {
    const nowMs = monotonicMs();
    this.#outcomes[reply.outcome] = (this.#outcomes[reply.outcome] ?? 0) + 1;
    const bin = this.#bin(nowMs);
    if (reply.outcome === "ok") {
      const latencyMs = nowMs - times.intendedMs;
      this.#okMs.push(latencyMs);
      bin.okMs.push(latencyMs);
      bin.okRows += ask.rows.length;
      this.#check(reply);
      return;
    }
    if (reply.isRefusal) {
      bin.refused += 1;
      this.#refusedMs.push(nowMs - times.sentMs);
      if (!reply.hasHint) this.#unhinted += 1;
    }
    if (this.#problems.length < MOST_PROBLEMS) {
      const sinceMs = Math.round(nowMs - this.#startMs);
      this.#problems.push(`${sinceMs} ms: ${reply.outcome}: ${reply.detail}`);
    }
  }

  result(): StreamResult {
    return {
      name: this.#stream.name,
      offered: this.#offered,
      outcomes: this.#outcomes,
      wrong: this.#wrong,
      unhinted: this.#unhinted,
      mixed: this.#mixed,
      backwards: this.#backwards,
      okMs: distributionOf(this.#okMs),
      refusedMs: distributionOf(this.#refusedMs),
      lagMs: distributionOf(this.#lagMs),
      bins: Array.from(this.#bins, (bin): Bin => {
        const { okRows = 0, refused = 0, okMs = [] } = bin ?? {};
        return { okRows, refused, p99Ms: distributionOf(okMs).p99 };
      }),
      dead: this.#dead,
      problems: this.#problems,
    };
  }

  #check(reply: Reply): void {
    if (!reply.isRight) this.#wrong += 1;
    const expected = this.#stream.tagIsVersion === true ? reply.version : reply.tags[0];
    if (reply.tags.some((tag) => tag !== expected)) this.#mixed += 1;
    if (reply.version < reply.versionBefore) this.#backwards += 1;
  }

  #bin(nowMs: number): { okRows: number; refused: number; okMs: number[] } {
    const index = Math.max(0, Math.floor((nowMs - this.#startMs) / BIN_MS));
    this.#bins[index] ??= { okRows: 0, refused: 0, okMs: [] };
    return this.#bins[index];
  }
}
