import type { ErrorCode } from "./errors.ts";
import type { Timeline } from "./timeline.ts";

/** Where a span is found: 32 and 16 hexadecimal digits in lower case. */
export interface SpanPlace {
  readonly traceId: string;
  readonly spanId: string;
}

/** A run that a request had a part in. */
export interface RunPlace extends SpanPlace {
  /** All rows of the run. */
  readonly rows: number;
}

/** What a request says of itself when its trace begins. */
export interface TracedCall {
  readonly protocol: "rest" | "grpc";
  /** Of HTTP; over gRPC the path of the method. */
  readonly method: string;
  /** Path and query; over gRPC the path of the method. */
  readonly url: string;
  /** The parts of the path that differ from request to request, by their names. */
  readonly params: Readonly<Record<string, string | undefined>>;
  /** The id that its response has; "": none. */
  readonly requestId: string;
  /** Headers of W3C Trace Context, as they came. */
  readonly traceparent: string | undefined;
  readonly tracestate: string | undefined;
}

/** How an inference ended, for its trace. */
export interface TracedEnd {
  readonly model: string;
  /** Undefined: it failed. */
  readonly version: string | undefined;
  readonly code: ErrorCode | "ok";
  readonly failure: { readonly reason: string; readonly message: string } | undefined;
  /** Of HTTP; undefined over gRPC. */
  readonly httpStatus: number | undefined;
  readonly timeline: Timeline;
}

/** The trace of one request, which travels with its timeline. */
export interface RequestTrace extends SpanPlace {
  /** False: nothing is recorded; the ids are for the log. */
  readonly isSampled: boolean;
  /** It was part of a run. Must not throw. */
  ran(run: RunPlace, ownRows: number): void;
  /** Called once. Must not throw, nor keep the timeline. */
  ended(end: TracedEnd): void;
}

/** Begins traces of requests. */
export interface Tracer {
  /** Undefined: it has no trace, and nobody would find it by one. Must not throw. */
  begin(call: TracedCall): RequestTrace | undefined;
}

/** One run of a batch, for its span. Milliseconds of the server's clock. */
export interface TracedRun {
  /** Of its requests that are sampled; never empty. */
  readonly requests: readonly { readonly trace: RequestTrace; readonly rows: number }[];
  readonly rows: number;
  /** Requests in it, sampled or not. */
  readonly size: number;
  readonly dispatchedMs: number;
  readonly endedMs: number;
  /** NaN: it failed. */
  readonly computeMs: number;
  readonly failure: { readonly reason: string; readonly message: string } | undefined;
}

/** Told of the runs in which a sampled request had a part. Must not throw. */
export type TraceRun = (run: TracedRun) => void;
