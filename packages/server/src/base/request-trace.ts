import type { RequestTrace } from "./timeline.ts";

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
  /** The header of W3C Trace Context, as it came. */
  readonly tracestate: string | undefined;
}

/** What can say so. It is asked for recorded requests only: of a hundred that may be one. */
export interface TraceSource {
  traced(): TracedCall;
}

/** Begins traces of requests. */
export interface Tracer {
  /**
   * Decides by the header `traceparent`, as it came, or without one by chance. Undefined: it has no trace, and nobody would find it by one. Must
   * not throw.
   */
  begin(traceparent: string | undefined, source: TraceSource): RequestTrace | undefined;
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
