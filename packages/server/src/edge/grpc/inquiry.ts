import type { Receiver, Target, WireRequest } from "@sconce/protocol/grpc";
import type { CancelSignal } from "../../base/call-signal.ts";
import type { Clock } from "../../base/clock.ts";
import type { ServeError } from "../../base/errors.ts";
import type { InferRequest, InferResponse } from "../../base/infer-request.ts";
import type { RequestHead } from "../../base/request-head.ts";
import type { RequestStream } from "../../base/request-stream.ts";
import type { TracedCall, Tracer } from "../../base/request-trace.ts";
import type { Timeline } from "../../base/timeline.ts";
import type { Authenticator } from "../../gate/authenticator.ts";
import type { ByteBudget } from "../../gate/byte-budget.ts";
import type { Inference } from "../../infer/inference.ts";
import type { InferenceObserver } from "../inference-metrics.ts";
import type { MemoryRegions } from "../memory-regions.ts";
import type { TimeSlicer } from "../time-slicer.ts";

/** Two servers have a ModelStreamInfer, and answers that cannot be told apart by what was asked. */
export type StreamResponses = "triton" | "mlserver";

/** Whether answers hold typed contents, as KServe's and MLServer's stubs read them: never, when the request did, or always. */
export type TypedResponses = "never" | "auto" | "always";

/** What every inference method needs. */
export interface InferenceDeps {
  readonly inference: Inference;
  /** Undefined: everybody may come in. */
  readonly authenticator?: Authenticator | undefined;
  readonly clock: Clock;
  readonly observer: InferenceObserver;
  /** Undefined: nothing is traced. */
  readonly tracer?: Tracer | undefined;
  /** Shared with every other edge; a message is paid for from its arrival until its response is encoded. */
  readonly budget: ByteBudget;
  readonly slicer: TimeSlicer;
  /** The metadata key that names whose request it is, in lower case. Default: none does. */
  readonly tenantHeader?: string | undefined;
  /** The one that says which version of a rollout a request goes to. Default: none does. */
  readonly rolloutHeader?: string | undefined;
  /** The largest message of a response. */
  readonly maxSendBytes: number;
  /** The largest message of a request, and what its inputs in shared memory may have together. */
  readonly maxReceiveBytes: number;
  /** Default: never. */
  readonly typedResponses?: TypedResponses;
  /** Whose messages ModelStreamInfer answers with. Default: Triton's. */
  readonly streamResponses?: StreamResponses;
  /** Shared memory that clients have registered. Default: none may be. */
  readonly regions?: MemoryRegions | undefined;
  /** The model of requests that name none. Default: the only one there is. */
  readonly defaultModel?: string | undefined;
}

/** When a message began to arrive, when it was complete, and what bounds its run. */
export interface Arrival extends RequestHead {
  readonly receivedMs: number;
  readonly bodyMs: number;
  readonly signal: CancelSignal;
  /** Deadline of the call as a whole. */
  readonly deadlineMs: number | undefined;
  /** What the call says of whose request it is. */
  readonly tenant: string | undefined;
  /** What it says of which version of a rollout it goes to. */
  readonly routeKey: string | undefined;
  /** The stream that it is a message of; undefined: it is the only one of its call. */
  readonly stream?: RequestStream | undefined;
  /** The header of W3C Trace Context, as it came. */
  readonly traceparent: string | undefined;
  /** What its trace begins with. */
  traced(): TracedCall;
  /** Told under which id its trace is found. */
  traceBegan?(traceId: string): void;
  /** Takes the request's own, perhaps earlier, deadline; returns the signal that fires when that passed, too. */
  bound(deadlineMs: number): CancelSignal;
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

/** Told how an inference ended: one of the two is called, once. Neither may throw. */
export interface InferenceReceiver {
  /** With the response's message in its frame. */
  answered(frame: Buffer, timeline: Timeline): void;
  failed(failure: Failure): void;
}

/** One message, and where its inference's end is told. */
export interface Inquiry {
  readonly dialect: Dialect;
  readonly message: Uint8Array;
  readonly arrival: Arrival;
  readonly receiver: InferenceReceiver;
  /** Told of the pieces of the answer that come before it is whole. Default: nobody is. */
  readonly onPiece?: InferRequest["onPiece"];
}
