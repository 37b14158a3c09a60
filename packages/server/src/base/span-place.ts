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
