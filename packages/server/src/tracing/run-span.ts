import type { TracedRun } from "../base/request-trace.ts";
import type { RunPlace } from "../base/span-place.ts";
import { type AttributeValue, SPAN_KINDS, type TraceSpan } from "./span.ts";

/** A run of a batch that ended, and whose. */
export interface EndedRun {
  readonly model: { readonly name: string; readonly version: string };
  readonly run: TracedRun;
  /** What is added to the server's clock to get the time of day. */
  readonly wallOffsetMs: number;
}

/** The span of a run, with links to the requests that it was for. */
export function runSpan(
  { traceId, spanId }: RunPlace,
  { model: { name, version }, run, wallOffsetMs }: EndedRun,
): TraceSpan {
  const attributes: [string, AttributeValue][] = [
    ["sconce.model.name", name],
    ["sconce.model.version", version],
    ["sconce.batch.rows", run.rows],
    ["sconce.batch.requests", run.size],
  ];
  if (run.computeMs >= 0) attributes.push(["sconce.compute_ms", run.computeMs]);
  if (run.failure !== undefined) attributes.push(["error.type", run.failure.reason]);
  return {
    traceId,
    spanId,
    parentSpanId: "",
    isParentRemote: false,
    traceState: "",
    name: `run ${name}`,
    kind: SPAN_KINDS.internal,
    startMs: run.dispatchedMs + wallOffsetMs,
    endMs: run.endedMs + wallOffsetMs,
    attributes,
    links: run.requests.map(({ trace, rows }) => ({
      traceId: trace.traceId,
      spanId: trace.spanId,
      attributes: [["sconce.request.rows", rows]],
    })),
    error: run.failure?.message,
  };
}
