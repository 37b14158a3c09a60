import type { SpanPlace } from "../base/span-place.ts";

export type AttributeValue = string | number | boolean;

export interface SpanLink extends SpanPlace {
  readonly attributes: Attributes;
}

export type Attributes = readonly (readonly [key: string, value: AttributeValue])[];

/** OpenTelemetry's numbers. */
export const SPAN_KINDS = { internal: 1, server: 2 } as const;

/** One span, as OTLP has it. */
export interface TraceSpan extends SpanPlace {
  /** "": it has no parent. */
  readonly parentSpanId: string;
  /** Whether its parent is a span of another process; undefined: it has none. */
  readonly isParentRemote: boolean;
  readonly traceState: string;
  readonly name: string;
  readonly kind: (typeof SPAN_KINDS)[keyof typeof SPAN_KINDS];
  /** Milliseconds since 1970, with fractions. */
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Attributes;
  readonly links: readonly SpanLink[];
  /** Undefined: it is no error. */
  readonly error: string | undefined;
}
