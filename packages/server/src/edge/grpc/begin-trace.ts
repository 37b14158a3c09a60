import type { Tracer } from "../../base/request-trace.ts";
import type { Timeline } from "../../base/timeline.ts";
import type { Arrival } from "./inquiry.ts";

/** Traces a message, where somebody wants that of it. */
export function beginTrace(tracer: Tracer, arrival: Arrival, timeline: Timeline): void {
  const trace = tracer.begin(arrival.traceparent, arrival);
  timeline.trace = trace;
  if (trace !== undefined) arrival.traceBegan?.(trace.traceId);
}
