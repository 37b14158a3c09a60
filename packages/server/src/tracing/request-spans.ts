import type { TracedCall } from "../base/request-trace.ts";
import type { RunPlace, SpanPlace } from "../base/span-place.ts";
import type { TracedEnd } from "../base/timeline.ts";
import { grpcCode, isServersFault } from "./error-codes.ts";
import { type Attributes, type AttributeValue, SPAN_KINDS, type TraceSpan } from "./span.ts";
import { stageParts } from "./stage-spans.ts";

/** Everything that is known of a request when it ends. */
export interface EndedTrace {
  readonly call: TracedCall;
  readonly end: TracedEnd;
  readonly parentSpanId: string;
  readonly traceState: string;
  /** Runs that it had a part in, and how many of their rows were its own. */
  readonly runs: readonly (readonly [run: RunPlace, ownRows: number])[];
  /** By the server's clock. */
  readonly endedMs: number;
  newSpanId(): string;
  /** What is added to the server's clock to get the time of day. */
  readonly wallOffsetMs: number;
}

const NO_ATTRIBUTES: Attributes = [];
const NO_LINKS: readonly [] = [];

/** The span of a request, with its links to the runs that it had a part in, and a child for each of its stages. */
export function requestSpans(place: SpanPlace, trace: EndedTrace): readonly TraceSpan[] {
  const { end, wallOffsetMs, traceState, runs } = trace;
  const { timeline, failure } = end;
  const route = trace.call.protocol === "grpc" ? "" : routeOf(trace.call);
  const startMs = timeline.receivedMs + wallOffsetMs;
  const server: TraceSpan = {
    traceId: place.traceId,
    spanId: place.spanId,
    parentSpanId: trace.parentSpanId,
    isParentRemote: trace.parentSpanId !== "",
    traceState,
    name: nameOf(trace.call, route),
    kind: SPAN_KINDS.server,
    startMs,
    endMs: Math.max(startMs, trace.endedMs + wallOffsetMs),
    attributes: attributesOf(trace, route),
    links: runs.map(([{ traceId, spanId, rows }, ownRows]) => ({
      traceId,
      spanId,
      attributes: rowAttributes(rows, ownRows),
    })),
    error: failure !== undefined && isServersFault(trace.call.protocol, end) ? failure.message : undefined,
  };
  const child = (name: string, fromMs: number, toMs: number): TraceSpan => ({
    traceId: place.traceId,
    spanId: trace.newSpanId(),
    parentSpanId: place.spanId,
    isParentRemote: false,
    traceState,
    name,
    kind: SPAN_KINDS.internal,
    startMs: fromMs + wallOffsetMs,
    endMs: toMs + wallOffsetMs,
    attributes: NO_ATTRIBUTES,
    links: NO_LINKS,
    error: undefined,
  });
  const spans = [server];
  for (const part of stageParts(timeline)) spans.push(child(part.name, part.startMs, part.endMs));
  for (const { name, totalMs, endedMs } of timeline.steps ?? [])
    spans.push(child(`step ${name}`, endedMs - totalMs, endedMs));
  return spans;
}

function nameOf(call: TracedCall, route: string): string {
  return call.protocol === "grpc" ? call.method.slice(1) : `${call.method} ${route}`;
}

function rowAttributes(rows: number, ownRows: number): [string, number][] {
  return [
    ["sconce.request.rows", ownRows],
    ["sconce.batch.rows", rows],
  ];
}

function attributesOf({ call, end, runs }: EndedTrace, route: string): Attributes {
  const attributes: [string, AttributeValue][] =
    call.protocol === "grpc" ? grpcAttributes(call, end) : httpAttributes(call, end, route);
  attributes.push(["sconce.protocol", call.protocol], ["sconce.model.name", end.model]);
  if (end.version !== undefined) attributes.push(["sconce.model.version", end.version]);
  if (call.requestId !== "") attributes.push(["sconce.request.id", call.requestId]);
  const [only] = runs;
  // One that was divided, run again or went through several models has these at its links.
  if (only !== undefined && runs.length === 1) attributes.push(...rowAttributes(only[0].rows, only[1]));
  if (end.failure !== undefined) attributes.push(["error.type", end.failure.reason]);
  return attributes;
}

function httpAttributes(
  call: TracedCall,
  { httpStatus }: TracedEnd,
  route: string,
): [string, AttributeValue][] {
  const attributes: [string, AttributeValue][] = [
    ["http.request.method", call.method],
    ["url.path", pathOf(call)],
    ["http.route", route],
  ];
  if (httpStatus !== undefined) attributes.push(["http.response.status_code", httpStatus]);
  return attributes;
}

function grpcAttributes({ method }: TracedCall, { code }: TracedEnd): [string, AttributeValue][] {
  const at = method.lastIndexOf("/");
  return [
    ["rpc.system", "grpc"],
    ["rpc.service", method.slice(1, at)],
    ["rpc.method", method.slice(at + 1)],
    ["rpc.grpc.status_code", grpcCode(code)],
  ];
}

function pathOf({ url }: TracedCall): string {
  const end = url.search(/[?#]/);
  return end < 0 ? url : url.slice(0, end);
}

/** The path with names in place of what differs from request to request. */
function routeOf(call: TracedCall): string {
  const names = Object.entries(call.params).filter(([, value]) => value !== undefined);
  const segments = pathOf(call).split("/");
  return segments.map((segment) => nameFor(segment, names)).join("/");
}

/** A verb of Google's kind stays: `digits:predict` → `{model}:predict`. */
function nameFor(segment: string, names: readonly (readonly [string, string | undefined])[]): string {
  const at = segment.lastIndexOf(":");
  const value = at < 0 ? segment : segment.slice(0, at);
  const found = names.find(([, given]) => value === given || value === encodeURIComponent(given!));
  return found === undefined ? segment : `{${found[0]}}${at < 0 ? "" : segment.slice(at)}`;
}
