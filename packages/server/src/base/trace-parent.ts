import type { SpanPlace } from "./span-place.ts";

/** What `traceparent` says. */
export interface TraceParent extends SpanPlace {
  readonly isSampled: boolean;
}

/** Longer values of a version to come are not looked at. */
const LONGEST = 256;
const SHAPE = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const NO_TRACE = "0".repeat(32);
const NO_SPAN = "0".repeat(16);
const SAMPLED = 1;

/**
 * Reads the header `traceparent` (W3C Trace Context, §3.2). Undefined: there is none, or it is not as the specification has it, and the trace
 * begins anew. Of a version to come what version 00 knows is read.
 */
export function parseTraceParent(header: string | undefined): TraceParent | undefined {
  if (header === undefined || header.length > LONGEST) return undefined;
  const match = SHAPE.exec(header);
  if (match === null) return undefined;
  const [, version, traceId, spanId, flags, more] = match as unknown as readonly string[];
  if (version === "ff" || (version === "00" && more !== undefined)) return undefined;
  if (traceId === NO_TRACE || spanId === NO_SPAN) return undefined;
  return { traceId: traceId!, spanId: spanId!, isSampled: (Number.parseInt(flags!, 16) & SAMPLED) !== 0 };
}
