import type { LateWork, NamedModel, Receiver, Target, WireRequest } from "@sconce/protocol/grpc";
import type { Clock } from "../../base/clock.ts";
import { ServeError } from "../../base/errors.ts";
import type { InferRequest, InferResponse } from "../../base/infer-request.ts";
import type { RequestHead } from "../../base/request-head.ts";
import { Timeline } from "../../base/timeline.ts";
import type { ByteBudget } from "../../gate/byte-budget.ts";
import { earliestDeadline, parseTimeoutParameter, preferDeadline } from "../../gate/deadline.ts";
import { parsePriority } from "../../gate/priority.ts";
import { checkTenant } from "../../gate/tenant.ts";
import type { Inference } from "../../infer/inference.ts";
import { copying } from "../copying.ts";
import type { InferenceObserver } from "../inference-metrics.ts";
import type { TimeSlicer } from "../time-slicer.ts";
import type { GrpcCall } from "./grpc-call.ts";
import { ResponseFrame } from "./message-frame.ts";

/** What every inference method needs. */
export interface InferenceDeps {
  readonly inference: Inference;
  readonly clock: Clock;
  readonly observer: InferenceObserver;
  /** Shared with every other edge; a message is paid for from its arrival until its response is encoded. */
  readonly budget: ByteBudget;
  readonly slicer: TimeSlicer;
  /** The metadata key that names whose request it is, in lower case. Default: none does. */
  readonly tenantHeader?: string | undefined;
  /** The largest message of a response. */
  readonly maxSendBytes: number;
}

/** When a message began to arrive, when it was complete, and what bounds its run. */
export interface Arrival extends RequestHead {
  readonly receivedMs: number;
  readonly bodyMs: number;
  readonly signal: AbortSignal;
  /** Deadline of the call as a whole. */
  readonly deadlineMs: number | undefined;
  /** What the call says of whose request it is. */
  readonly tenant: string | undefined;
  /** Takes the request's own, perhaps earlier, deadline; returns the signal that fires when that passed, too. */
  bound(deadlineMs: number): AbortSignal;
}

export interface Encoded {
  /** The response's message in its frame. */
  readonly frame: Buffer;
  readonly timeline: Timeline;
}

/** How one dialect turns bytes into a request and a response into bytes. */
export interface Dialect {
  decode(bytes: Uint8Array, receiver: Receiver): WireRequest;
  /** Returns the block that it got from the context's target. */
  encode(response: InferResponse, context: ResponseContext): Uint8Array;
}

/** What a response is encoded with, besides the response itself. */
export interface ResponseContext {
  readonly request: WireRequest;
  readonly timeline: Timeline;
  readonly target: Target;
}

/** What is known of a request when it fails. */
export interface Failure {
  readonly error: ServeError;
  /** The model that it named; empty when not even that could be read. */
  readonly model: string;
  /** Undefined: it was not decoded to the end. */
  readonly request: WireRequest | undefined;
}

/**
 * Decodes one message, infers, encodes, and reports to the observer. Rejects never: a failure is a value, because on a stream it is
 * a response like any other.
 */
export async function runInference(
  deps: InferenceDeps,
  dialect: Dialect,
  message: Uint8Array,
  arrival: Arrival,
): Promise<Encoded | Failure> {
  const timeline = new Timeline(arrival.receivedMs);
  timeline.bodyMs = arrival.bodyMs;
  let wire: WireRequest | undefined;
  let asked = "";
  let hasEntered = false;
  let { deadlineMs } = arrival;
  try {
    checkTenant(arrival.tenant);
    deps.budget.enter(message.length);
    hasEntered = true;
    const late: LateWork[] = [];
    const onModel = (model: string, version: string | undefined): void => {
      asked = model;
      const rejection = deps.inference.door(model, version)?.rejectEarly(arrival);
      if (rejection !== undefined) throw rejection;
    };
    wire = dialect.decode(message, { onModel, late });
    asked = wire.model;
    const request = inferRequest(wire, arrival, { timeline, maxResponseBytes: deps.maxSendBytes });
    deadlineMs = request.deadlineMs;
    if (late.length > 0) {
      const slices = deps.slicer.open(message.length);
      for (const work of late) await slices.finish(work);
    }
    const response = await deps.inference.infer(request);
    const target = new ResponseFrame(deps.maxSendBytes);
    const bytes = dialect.encode(response, { request: wire, timeline, target });
    const { later } = target;
    if (later.length > 0) await deps.slicer.open(bytes.length).finish(copying(bytes, later));
    timeline.encodedMs = deps.clock.nowMs();
    deps.observer.observe({
      protocol: "grpc",
      answeredBy: response,
      asked,
      code: "ok",
      timeline,
    });
    return { frame: target.bytes, timeline };
  } catch (thrown) {
    const error = preferDeadline(failureOf(thrown, arrival), deadlineMs, deps.clock.nowMs());
    deps.observer.observe({ protocol: "grpc", answeredBy: undefined, asked, code: error.code, timeline });
    return { error, model: asked, request: wire };
  } finally {
    if (hasEntered) deps.budget.leave(message.length);
  }
}

/**
 * Throws, and reports to the observer, what a request for this model is rejected with whatever the rest of its message says.
 * Undefined: the beginning of the message does not name the model.
 */
export function rejectArriving(deps: InferenceDeps, named: NamedModel | undefined, arrival: Arrival): void {
  if (named === undefined) return;
  const { model: asked, version } = named;
  let rejection: ServeError | undefined;
  try {
    checkTenant(arrival.tenant);
    rejection = deps.inference.door(asked, version)?.rejectEarly(arrival);
  } catch (thrown) {
    rejection = ServeError.from(thrown);
  }
  if (rejection === undefined) return;
  const timeline = new Timeline(arrival.receivedMs);
  deps.observer.observe({ protocol: "grpc", answeredBy: undefined, asked, code: rejection.code, timeline });
  throw rejection;
}

/** What a call's metadata says of whose requests it carries. */
export function tenantOf({ tenantHeader }: InferenceDeps, call: GrpcCall): string | undefined {
  return tenantHeader === undefined ? undefined : call.header(tenantHeader);
}

export function isFailure(result: Encoded | Failure): result is Failure {
  return "error" in result;
}

/** What was thrown; after an abort, the abort's own reason when that says more. */
function failureOf(thrown: unknown, arrival: Arrival): ServeError {
  const error = ServeError.from(thrown);
  if (error.code !== "cancelled" && error.code !== "internal") return error;
  const { signal } = arrival;
  return signal.aborted && signal.reason instanceof ServeError ? signal.reason : error;
}

function inferRequest(
  wire: WireRequest,
  arrival: Arrival,
  { timeline, maxResponseBytes }: Pick<InferRequest, "timeline" | "maxResponseBytes">,
): InferRequest {
  if (wire.model === "") {
    throw new ServeError("invalid_argument", "the request names no model", { reason: "no_model" });
  }
  const timeout = wire.parameters.get("timeout");
  const own = earliestDeadline(arrival.receivedMs, [
    timeout === undefined ? undefined : parseTimeoutParameter(timeout),
    wire.timeoutMs === 0 ? undefined : wire.timeoutMs,
  ]);
  const signal = own === undefined ? arrival.signal : arrival.bound(own);
  return {
    model: wire.model,
    version: wire.version,
    id: wire.id,
    inputs: wire.inputs,
    outputs: wire.outputs,
    parameters: wire.parameters,
    priority: parsePriority(wire.parameters.get("priority")),
    deadlineMs: own === undefined ? arrival.deadlineMs : Math.min(own, arrival.deadlineMs ?? own),
    signal,
    tenant: arrival.tenant,
    timeline,
    maxResponseBytes,
  };
}
