import type { RunPlace, SpanPlace } from "../base/span-place.ts";
import type { RequestTrace } from "../base/timeline.ts";

/** A run that a request had a part in, and how many of the rows were its own. */
export type LinkedRun = readonly [run: RunPlace, ownRows: number];

/** The trace of a request that came over a link: it is recorded at the other end, and notes here for that end which runs there were. */
export class LinkedTrace implements RequestTrace {
  readonly traceId: string;
  readonly spanId: string;
  readonly isSampled = true;
  readonly runs: LinkedRun[] = [];

  constructor({ traceId, spanId }: SpanPlace) {
    this.traceId = traceId;
    this.spanId = spanId;
  }

  ran({ traceId, spanId, rows }: RunPlace, ownRows: number): void {
    this.runs.push([{ traceId, spanId, rows }, ownRows]);
  }

  ended(): void {}
}
