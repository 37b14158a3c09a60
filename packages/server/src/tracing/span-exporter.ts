import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Counter } from "../base/metrics.ts";
import type { Sent, SpanSender } from "./span-sender.ts";

/** What bounds an exporter; OpenTelemetry's variables OTEL_BSP_… name them. */
export interface ExporterLimits {
  /** Spans that wait, in all. More are dropped. */
  readonly maxQueueSpans: number;
  /** Spans of one export, about: those of a request stay together. */
  readonly maxBatchSpans: number;
  /** How long spans wait for others. */
  readonly delayMs: number;
  /** Of one try. */
  readonly timeoutMs: number;
}

export interface SpanExporterOptions {
  readonly sender: SpanSender;
  readonly limits: ExporterLimits;
  /** Puts the message around spans. */
  readonly encode: (spans: readonly Uint8Array[]) => Uint8Array;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
  readonly counters: Readonly<Record<"exported" | "dropped" | "failed", Counter>>;
}

interface Chunk {
  readonly bytes: Uint8Array;
  readonly spans: number;
}

const MOST_TRIES = 5;
const FIRST_BACKOFF_MS = 1000;
const LONGEST_BACKOFF_MS = 30_000;

/**
 * Sends spans to a collector, some at a time, one export after the other. Nothing waits for it: what finds no room is dropped and counted, and
 * so is what a collector would not take after some tries.
 */
export class SpanExporter {
  readonly #options: SpanExporterOptions;
  #queue: Chunk[] = [];
  #queued = 0;
  #cancelTimer: (() => void) | undefined;
  #sending: Promise<void> | undefined;
  #isFailing = false;
  #isClosing = false;
  #isClosed = false;
  /** Ends the wait between two tries. */
  #wake: (() => void) | undefined;

  constructor(options: SpanExporterOptions) {
    this.#options = options;
  }

  /** Takes encoded spans that belong together. */
  add(bytes: Uint8Array, spans: number): void {
    const { limits, counters } = this.#options;
    if (this.#isClosed || this.#queued + spans > limits.maxQueueSpans) {
      counters.dropped.add(spans);
      return;
    }
    this.#queue.push({ bytes, spans });
    this.#queued += spans;
    if (this.#sending === undefined) this.#arm();
  }

  /**
   * Sends what waits, for so long at most, and asks nobody twice: a process that ends has nothing else to live for in a pause. The rest is
   * dropped.
   */
  async close(limitMs: number): Promise<void> {
    const { clock, sender, counters } = this.#options;
    this.#isClosing = true;
    this.#cancelTimer?.();
    this.#wake?.();
    let cancel = (): void => {};
    const late = new Promise<void>((resolve) => {
      cancel = clock.after(limitMs, resolve);
    });
    await Promise.race([this.#sendAll(), late]);
    cancel();
    this.#isClosed = true;
    sender.close();
    counters.dropped.add(this.#queued);
    this.#queue = [];
    this.#queued = 0;
  }

  async #sendAll(): Promise<void> {
    while (!this.#isClosed && (this.#sending !== undefined || this.#queue.length > 0)) {
      this.#begin();
      await this.#sending;
    }
  }

  /** Begins an export when there is enough for one, and later when there is not. */
  #arm(): void {
    const { limits, clock } = this.#options;
    if (this.#queued >= limits.maxBatchSpans) this.#begin();
    else if (this.#queued > 0) {
      this.#cancelTimer ??= clock.after(limits.delayMs, () => {
        this.#cancelTimer = undefined;
        this.#begin();
      });
    }
  }

  #begin(): void {
    if (this.#sending !== undefined || this.#queue.length === 0) return;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const chunks = this.#take();
    this.#sending = this.#export(chunks).finally(() => {
      this.#sending = undefined;
      if (!this.#isClosing) this.#arm();
    });
  }

  #take(): readonly Chunk[] {
    let count = 0;
    let spans = 0;
    while (count < this.#queue.length && spans < this.#options.limits.maxBatchSpans) {
      spans += this.#queue[count]!.spans;
      count++;
    }
    this.#queued -= spans;
    return this.#queue.splice(0, count);
  }

  async #export(chunks: readonly Chunk[]): Promise<void> {
    const { encode, sender, limits, counters } = this.#options;
    const spans = chunks.reduce((sum, chunk) => sum + chunk.spans, 0);
    const body = encode(chunks.map(({ bytes }) => bytes));
    for (let tries = 1; ; tries++) {
      const sent = await sender.send(body, limits.timeoutMs);
      if (sent.kind === "accepted") {
        const rejected = Math.min(sent.rejected, spans);
        counters.exported.add(spans - rejected);
        counters.failed.add(rejected);
        this.#works();
        return;
      }
      this.#fails(sent.why);
      if (sent.kind === "refused" || tries === MOST_TRIES || this.#isClosing) break;
      await this.#pause(sent, tries);
    }
    counters.failed.add(spans);
  }

  #pause({ afterMs }: Extract<Sent, { kind: "retry" }>, tries: number): Promise<void> {
    const { clock, random } = this.#options;
    const backoffMs =
      Math.min(FIRST_BACKOFF_MS * 2 ** (tries - 1), LONGEST_BACKOFF_MS) * (0.5 + random() / 2);
    return new Promise((resolve) => {
      const cancel = clock.after(Math.min(afterMs ?? backoffMs, LONGEST_BACKOFF_MS), resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }

  #fails(why: string): void {
    if (this.#isFailing) return;
    this.#isFailing = true;
    this.#options.logger.warn({ why }, "traces cannot be exported; requests are served all the same");
  }

  #works(): void {
    if (!this.#isFailing) return;
    this.#isFailing = false;
    this.#options.logger.info({}, "traces are exported again");
  }
}
