import type { Clock } from "../base/clock.ts";
import { createSpanEncoder } from "./encode-spans.ts";
import type { TraceSpan } from "./span.ts";

/** Enough in a row to be quick, and few enough to hold nobody up: some 0.3 ms. */
const MOST_WAITING = 16;
const LONGEST_WAIT_MS = 250;

export interface SpanMakerOptions {
  readonly clock: Clock;
  /** Takes the encoded spans of one request or run. */
  readonly onEncoded: (bytes: Uint8Array, spans: number) => void;
  /** Spans could not be made or taken: no request fails for that. */
  readonly onLost: () => void;
}

/**
 * Makes and encodes the spans of some requests in a row. One request of a hundred is traced, as a rule: code that ran for it alone would be
 * cold each time, and takes four times as long then.
 */
export class SpanMaker {
  readonly #options: SpanMakerOptions;
  #waiting: (() => readonly TraceSpan[])[] = [];
  #cancelTimer: (() => void) | undefined;
  #encode = createSpanEncoder();

  constructor(options: SpanMakerOptions) {
    this.#options = options;
  }

  /** Spans that belong together. */
  add(make: () => readonly TraceSpan[]): void {
    this.#waiting.push(make);
    if (this.#waiting.length >= MOST_WAITING) this.flush();
    else this.#cancelTimer ??= this.#options.clock.after(LONGEST_WAIT_MS, () => this.flush());
  }

  /** Makes what waits. */
  flush(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const makers = this.#waiting;
    this.#waiting = [];
    for (const make of makers) this.#make(make);
  }

  #make(make: () => readonly TraceSpan[]): void {
    const { onEncoded, onLost } = this.#options;
    try {
      const spans = make();
      onEncoded(this.#encode(spans), spans.length);
    } catch {
      // It may have stopped in the middle of a span.
      this.#encode = createSpanEncoder();
      onLost();
    }
  }
}
