import type { Clock } from "../base/clock.ts";
import type { TracedCall, TracedRun, Tracer, TraceSource } from "../base/request-trace.ts";
import type { RunPlace, SpanPlace } from "../base/span-place.ts";
import { type RequestTrace, Timeline, type TracedEnd } from "../base/timeline.ts";
import { parseTraceParent, type TraceParent } from "../base/trace-parent.ts";
import { requestSpans } from "./request-spans.ts";
import { runSpan } from "./run-span.ts";
import { atMost, HIGH_VALUES, isTraceInRatio, ratioSampler, type Sampling } from "./sampler.ts";
import type { TraceSpan } from "./span.ts";
import { readTraceState } from "./trace-state.ts";

export interface TracerOptions {
  readonly clock: Clock;
  /** Milliseconds since 1970. */
  readonly wallNowMs: () => number;
  /** Uniform in [0, 1); ids and decisions are made from it. */
  readonly random: () => number;
  readonly sampling: Sampling;
  /** Takes the spans of a request or run that ended: they are made when somebody asks. */
  readonly onSpans: (make: () => readonly TraceSpan[]) => void;
}

/** Traces requests, and the runs that they share. */
export interface SpanTracer extends Tracer {
  /** Records a run of a model, and tells its requests where it is found. */
  ran(model: { readonly name: string; readonly version: string }, run: TracedRun): void;
  /** From now on this part of the traces that begin here is recorded, 0 to 1, and of those so many at most; undefined: without end. */
  sample(ratio: number, most: number | undefined): void;
}

export function createTracer(options: TracerOptions): SpanTracer {
  const { sampling, random } = options;
  let sampler = ratioSampler(sampling.ratio);
  const ids = createIds(random);
  const wall = createWallClock(options);

  function follow(parent: TraceParent, source: TraceSource): RequestTrace {
    const isSampled = sampling.followsParent ? parent.isSampled : isTraceInRatio(sampler, parent.traceId);
    if (!isSampled) return new UnsampledTrace(parent);
    const place = { traceId: parent.traceId, spanId: ids.spanId() };
    return new SampledTrace(place, { call: source.traced(), parent, options, ids, wall });
  }

  return {
    sample(ratio, most) {
      const chosen = ratioSampler(ratio);
      sampler = most === undefined ? chosen : atMost(chosen, most);
    },
    begin(traceparent, source) {
      const parent = traceparent === undefined ? undefined : parseTraceParent(traceparent);
      if (parent !== undefined) return follow(parent, source);
      // What most requests pay of all this: one random number, and one comparison.
      const high = drawHigh(random);
      if (high < sampler.high) return undefined;
      const low = ids.word();
      if (!sampler.includes(high, low)) return undefined;
      const place = { traceId: ids.decidedTraceId(high, low), spanId: ids.spanId() };
      return new SampledTrace(place, { call: source.traced(), parent: undefined, options, ids, wall });
    },
    ran(model, run) {
      const place = { traceId: ids.traceId(), spanId: ids.spanId(), rows: run.rows };
      for (const { trace, rows } of run.requests) trace.ran(place, rows);
      const wallOffsetMs = wall.offsetMs(run.endedMs);
      options.onSpans(() => [runSpan(place, { model, run, wallOffsetMs })]);
    },
  };
}

/** The 24 bits of a trace id that come first in a decision. */
function drawHigh(random: () => number): number {
  return (random() * HIGH_VALUES) | 0;
}

/** What a trace is made with. */
interface TraceParts {
  readonly call: TracedCall;
  readonly parent: TraceParent | undefined;
  readonly options: TracerOptions;
  readonly ids: Ids;
  readonly wall: WallClock;
}

/** From the server's clock to the time of day. */
interface WallClock {
  /** What to add; `nowMs`: what the server's clock says. */
  offsetMs(nowMs: number): number;
}

/** Of a request that came with a trace which nobody records. */
class UnsampledTrace implements RequestTrace {
  readonly traceId: string;
  readonly spanId: string;
  readonly isSampled = false;

  constructor({ traceId, spanId }: SpanPlace) {
    this.traceId = traceId;
    this.spanId = spanId;
  }

  ran(): void {}

  ended(): void {}
}

class SampledTrace implements RequestTrace {
  readonly traceId: string;
  readonly spanId: string;
  readonly isSampled = true;
  readonly #parts: TraceParts;
  readonly #runs: (readonly [run: RunPlace, ownRows: number])[] = [];

  constructor({ traceId, spanId }: SpanPlace, parts: TraceParts) {
    this.traceId = traceId;
    this.spanId = spanId;
    this.#parts = parts;
  }

  ran(run: RunPlace, ownRows: number): void {
    if (this.#runs.length < MOST_RUNS) this.#runs.push([run, ownRows]);
  }

  ended(end: TracedEnd): void {
    const { call, parent, options, ids, wall } = this.#parts;
    const endedMs = options.clock.nowMs();
    const wallOffsetMs = wall.offsetMs(endedMs);
    const kept = { ...end, timeline: Object.assign(new Timeline(0), end.timeline) };
    options.onSpans(() =>
      requestSpans(this, {
        call,
        end: kept,
        parentSpanId: parent?.spanId ?? "",
        traceState: parent === undefined ? "" : readTraceState(call.tracestate),
        runs: this.#runs,
        endedMs,
        newSpanId: ids.spanId,
        wallOffsetMs,
      }),
    );
  }
}

/** OpenTelemetry's default for the links of a span. */
const MOST_RUNS = 128;

interface Ids {
  /** 32 random bits. */
  word(): number;
  /** With the bits that decided in its last seven bytes. */
  decidedTraceId(high: number, low: number): string;
  traceId(): string;
  spanId(): string;
}

function createIds(random: () => number): Ids {
  const bytes = Buffer.alloc(16);
  const word = (): number => Math.floor(random() * 2 ** 32);
  // A number's own `toString(16)` takes ten times as long.
  const text = (length: number): string => bytes.toString("hex", 0, length);
  return {
    word,
    decidedTraceId(high, low) {
      for (let at = 0; at < 12; at += 4) bytes.writeUInt32BE(word(), at);
      bytes.writeUIntBE(high, 9, 3);
      bytes.writeUInt32BE(low, 12);
      return text(16);
    },
    traceId() {
      for (let at = 0; at < 12; at += 4) bytes.writeUInt32BE(word(), at);
      // All zeros is no id.
      bytes.writeUInt32BE(word() || 1, 12);
      return text(16);
    },
    spanId() {
      bytes.writeUInt32BE(word(), 0);
      bytes.writeUInt32BE(word() || 1, 4);
      return text(8);
    },
  };
}

/** A clock that was set is followed when it is this far away. */
const MOST_DRIFT_MS = 50;

/** By one offset, so that the spans of a trace fit together, as long as that holds. */
function createWallClock({ clock, wallNowMs }: Pick<TracerOptions, "clock" | "wallNowMs">): WallClock {
  let offsetMs = wallNowMs() - clock.nowMs();
  return {
    offsetMs(nowMs) {
      const wallOffsetMs = wallNowMs() - nowMs;
      if (Math.abs(wallOffsetMs - offsetMs) > MOST_DRIFT_MS) offsetMs = wallOffsetMs;
      return offsetMs;
    },
  };
}
