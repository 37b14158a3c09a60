import type { Clock } from "../base/clock.ts";
import type { TracedCall, TracedRun, Tracer } from "../base/request-trace.ts";
import type { RunPlace, SpanPlace } from "../base/span-place.ts";
import type { RequestTrace, TracedEnd } from "../base/timeline.ts";
import { parseTraceParent, type TraceParent } from "../base/trace-parent.ts";
import { requestSpans } from "./request-spans.ts";
import { ratioSampler, type Sampling } from "./sampler.ts";
import { type Attributes, SPAN_KINDS, type TraceSpan } from "./span.ts";
import { readTraceState } from "./trace-state.ts";

export interface TracerOptions {
  readonly clock: Clock;
  /** Milliseconds since 1970. */
  readonly wallNowMs: () => number;
  /** Uniform in [0, 1); ids and decisions are made from it. */
  readonly random: () => number;
  readonly sampling: Sampling;
  /** Takes the spans of a request or run that ended. */
  readonly onSpans: (spans: readonly TraceSpan[]) => void;
  /** Spans could not be made or taken: no request fails for that. */
  readonly onLost: () => void;
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
  let isInRatio = ratioSampler(sampling.ratio);
  const ids = createIds(random);
  const toWall = createWallClock(options);

  return {
    sample(ratio, most) {
      const isChosen = ratioSampler(ratio);
      let left = most ?? Number.POSITIVE_INFINITY;
      isInRatio = (high, low) => left > 0 && isChosen(high, low) && left-- > 0;
    },
    begin(call) {
      const parent = parseTraceParent(call.traceparent);
      if (parent !== undefined) {
        const isSampled = sampling.followsParent
          ? parent.isSampled
          : isInRatio(
              Number.parseInt(parent.traceId.slice(18, 24), 16),
              Number.parseInt(parent.traceId.slice(24), 16),
            );
        if (!isSampled) return new UnsampledTrace(parent);
        return new SampledTrace({ ...parent, spanId: ids.spanId() }, { call, parent, options, ids, toWall });
      }
      const [third, fourth] = [ids.word(), ids.word()];
      if (!isInRatio(third & 0xff_ffff, fourth)) return undefined;
      const traceId = `${hex(ids.word())}${hex(ids.word())}${hex(third)}${hex(fourth)}`;
      return new SampledTrace(
        { traceId, spanId: ids.spanId() },
        { call, parent: undefined, options, ids, toWall },
      );
    },
    ran({ name, version }, run) {
      const { requests, rows, size, dispatchedMs, endedMs, computeMs, failure } = run;
      const place = { traceId: ids.traceId(), spanId: ids.spanId(), rows };
      const attributes: [string, string | number][] = [
        ["sconce.model.name", name],
        ["sconce.model.version", version],
        ["sconce.batch.rows", rows],
        ["sconce.batch.requests", size],
      ];
      if (computeMs >= 0) attributes.push(["sconce.compute_ms", computeMs]);
      if (failure !== undefined) attributes.push(["error.type", failure.reason]);
      for (const { trace, rows: own } of requests) trace.ran(place, own);
      try {
        options.onSpans([
          {
            ...place,
            parentSpanId: "",
            isParentRemote: false,
            traceState: "",
            name: `run ${name}`,
            kind: SPAN_KINDS.internal,
            startMs: toWall(dispatchedMs),
            endMs: toWall(endedMs),
            attributes,
            links: requests.map(({ trace: { traceId, spanId }, rows: own }) => ({
              traceId,
              spanId,
              attributes: [["sconce.request.rows", own]] as Attributes,
            })),
            error: failure?.message,
          },
        ]);
      } catch {
        options.onLost();
      }
    },
  };
}

/** What a trace is made with. */
interface TraceParts {
  readonly call: TracedCall;
  readonly parent: TraceParent | undefined;
  readonly options: TracerOptions;
  readonly ids: Ids;
  readonly toWall: (ms: number) => number;
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
    const { call, parent, options, ids, toWall } = this.#parts;
    try {
      const spans = requestSpans(this, {
        call,
        end,
        parentSpanId: parent?.spanId ?? "",
        traceState: parent === undefined ? "" : readTraceState(call.tracestate),
        runs: this.#runs,
        endedMs: options.clock.nowMs(),
        newSpanId: ids.spanId,
        toWall,
      });
      options.onSpans(spans);
    } catch {
      options.onLost();
    }
  }
}

/** OpenTelemetry's default for the links of a span. */
const MOST_RUNS = 128;

interface Ids {
  /** 32 random bits. */
  word(): number;
  traceId(): string;
  spanId(): string;
}

function createIds(random: () => number): Ids {
  const word = (): number => Math.floor(random() * 2 ** 32);
  // All zeros is no id.
  const spanId = (): string => `${hex(word())}${hex(word() || 1)}`;
  return { word, spanId, traceId: () => spanId() + spanId() };
}

function hex(word: number): string {
  return (word + 2 ** 32).toString(16).slice(1);
}

/** A clock that was set is followed when it is this far away. */
const MOST_DRIFT_MS = 50;

/** From the server's clock to the time of day: by one offset, so that the spans of a trace fit together, as long as that holds. */
function createWallClock({
  clock,
  wallNowMs,
}: Pick<TracerOptions, "clock" | "wallNowMs">): (ms: number) => number {
  let offsetMs = wallNowMs() - clock.nowMs();
  return (ms) => {
    const nowMs = wallNowMs() - clock.nowMs();
    if (Math.abs(nowMs - offsetMs) > MOST_DRIFT_MS) offsetMs = nowMs;
    return ms + offsetMs;
  };
}
