import type { RegionPlace } from "@sconce/protocol";
import type { LateWork, NamedModel, Receiver, Target, WireRequest, WireTensor } from "@sconce/protocol/grpc";
import type { CancelSignal } from "../../base/call-signal.ts";
import type { Clock } from "../../base/clock.ts";
import { ServeError } from "../../base/errors.ts";
import { type InferRequest, type InferResponse, outputBytes } from "../../base/infer-request.ts";
import type { RequestHead } from "../../base/request-head.ts";
import type { RequestStream } from "../../base/request-stream.ts";
import type { TracedCall, Tracer } from "../../base/request-trace.ts";
import type { ResultReceiver } from "../../base/result-receiver.ts";
import type { NamedTensor } from "../../base/tensor.ts";
import { Timeline } from "../../base/timeline.ts";
import type { Authenticator } from "../../gate/authenticator.ts";
import type { ByteBudget } from "../../gate/byte-budget.ts";
import { earliestDeadline, parseTimeoutParameter, preferDeadline } from "../../gate/deadline.ts";
import { parsePriority } from "../../gate/priority.ts";
import { checkTenant, routeKeyOf } from "../../gate/tenant.ts";
import type { Inference } from "../../infer/inference.ts";
import { copying } from "../copying.ts";
import { defaultModelOf } from "../default-model.ts";
import type { InferenceObserver } from "../inference-metrics.ts";
import type { MemoryRegions } from "../memory-regions.ts";
import { placedBytes, readPlaced, writePlaced } from "../placed-tensors.ts";
import { sharedMemoryOff } from "../shared-memory.ts";
import { type TimeSlicer, workOff } from "../time-slicer.ts";
import type { GrpcCall } from "./grpc-call.ts";
import { ResponseFrame } from "./message-frame.ts";

/** Whether answers hold typed contents, as KServe's and MLServer's stubs read them: never, when the request did, or always. */
/** Two servers have a ModelStreamInfer, and answers that cannot be told apart by what was asked. */
export type StreamResponses = "triton" | "mlserver";

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

/**
 * Decodes one message, infers, encodes, and reports to the observer. A small message is decoded and queued before this returns, and encoded in
 * the turn in which its result is there.
 */
export function runInference(deps: InferenceDeps, inquiry: Inquiry): void {
  new MessageInference(deps, inquiry).start();
}

class MessageInference implements ResultReceiver<InferResponse>, Receiver {
  readonly late: LateWork[] = [];
  readonly #deps: InferenceDeps;
  readonly #inquiry: Inquiry;
  readonly #timeline: Timeline;
  #wire: WireRequest | undefined;
  #asked = "";
  #hasEntered = false;
  /** Of the budget. */
  #heldBytes = 0;
  #deadlineMs: number | undefined;

  constructor(deps: InferenceDeps, inquiry: Inquiry) {
    const { receivedMs, bodyMs, deadlineMs } = inquiry.arrival;
    this.#deps = deps;
    this.#inquiry = inquiry;
    this.#timeline = new Timeline(receivedMs);
    this.#timeline.bodyMs = bodyMs;
    if (deps.tracer !== undefined) beginTrace(deps.tracer, inquiry.arrival, this.#timeline);
    this.#deadlineMs = deadlineMs;
  }

  start(): void {
    const { dialect, message, arrival } = this.#inquiry;
    try {
      checkTenant(arrival.tenant);
      this.#deps.budget.enter(message.length);
      this.#heldBytes = message.length;
      this.#hasEntered = true;
      const wire = dialect.decode(message, this);
      this.#wire = wire;
      const model = wire.model === "" ? defaultModelOf(this.#deps, inMessage) : wire.model;
      this.#asked = model;
      const request = inferRequest(wire, arrival, {
        model,
        timeline: this.#timeline,
        // What goes to shared memory is not in the response.
        maxResponseBytes: wire.places === undefined ? this.#deps.maxSendBytes : undefined,
        onPiece: this.#inquiry.onPiece,
      });
      this.#deadlineMs = request.deadlineMs;
      const { stream } = arrival;
      if (wire.places !== undefined && this.#deps.regions === undefined) throw sharedMemoryOff();
      if (this.late.length === 0 && wire.places === undefined && stream?.arriving === undefined)
        this.#deps.inference.submit(request, this);
      else {
        const submitted = this.#submitLater(request, stream?.arriving).catch((thrown: unknown) =>
          this.reject(thrown),
        );
        stream?.holdBack(submitted);
      }
    } catch (thrown) {
      this.reject(thrown);
    }
  }

  /** Called by the decoder, before it looks at tensors. */
  onModel(model: string, version: string | undefined): void {
    this.#asked = model;
    const rejection = this.#deps.inference.door(model, version)?.rejectEarly(this.#inquiry.arrival);
    if (rejection !== undefined) throw rejection;
  }

  resolve(response: InferResponse): void {
    const places = this.#wire!.places?.outputs;
    if (places === undefined || places.size === 0) this.#encode(response);
    else this.#place(response, places).catch((thrown: unknown) => this.reject(thrown));
  }

  /** Writes outputs to shared memory, and leaves their bytes out of the response, as Triton does. */
  async #place(response: InferResponse, places: ReadonlyMap<string, RegionPlace>): Promise<void> {
    const { slicer, regions } = this.#deps;
    const outputs: readonly WireTensor[] = response.outputs.map((output) =>
      places.has(output.name) ? { ...output, bytes: NO_BYTES, isPlaced: true } : output,
    );
    // It was checked that there are regions before the request was submitted.
    await workOff(writePlaced(response.outputs, places, regions!), slicer.open(outputBytes(response)));
    this.#encode({ ...response, outputs });
  }

  #encode(response: InferResponse): void {
    const target = new ResponseFrame(this.#deps.maxSendBytes);
    try {
      const context = { request: this.#wire!, timeline: this.#timeline, target };
      const bytes = this.#inquiry.dialect.encode(response, context);
      if (target.later.length === 0) this.#answer(response, target);
      else {
        const slices = this.#deps.slicer.open(bytes.length);
        slices
          .finish(copying(bytes, target.later))
          .then(() => this.#answer(response, target))
          .catch((thrown: unknown) => this.reject(thrown));
      }
    } catch (thrown) {
      this.reject(thrown);
    }
  }

  reject(thrown: unknown): void {
    const { arrival, receiver } = this.#inquiry;
    const error = preferDeadline(failureOf(thrown, arrival), this.#deadlineMs, this.#deps.clock.nowMs());
    this.#observe(undefined, error);
    receiver.failed({ error, model: this.#asked, request: this.#wire });
  }

  /** `before`: the messages of its stream that came earlier; their order may matter. */
  async #submitLater(request: InferRequest, before: Promise<void> | undefined): Promise<void> {
    const slices = this.#deps.slicer.open(this.#inquiry.message.length);
    for (const work of this.late) await slices.finish(work);
    const places = this.#wire!.places?.inputs;
    const inputs =
      places === undefined || places.size === 0 ? request.inputs : await this.#readPlaced(request, places);
    await before;
    this.#deps.inference.submit(inputs === request.inputs ? request : { ...request, inputs }, this);
  }

  async #readPlaced(
    { inputs }: InferRequest,
    places: ReadonlyMap<number, RegionPlace>,
  ): Promise<readonly NamedTensor[]> {
    const { slicer, regions, budget, maxReceiveBytes: maxBytes } = this.#deps;
    const pay = (bytes: number): void => {
      budget.grow(bytes, this.#heldBytes);
      this.#heldBytes += bytes;
    };
    // As in `#place`.
    const reading = readPlaced(inputs, places, { regions: regions!, maxBytes, pay });
    return workOff(reading, slicer.open(placedBytes(places, maxBytes)));
  }

  #answer(response: InferResponse, target: ResponseFrame): void {
    this.#timeline.encodedMs = this.#deps.clock.nowMs();
    this.#observe(response, undefined);
    this.#inquiry.receiver.answered(target.bytes, this.#timeline);
  }

  #observe(answeredBy: InferResponse | undefined, failure: ServeError | undefined): void {
    if (this.#hasEntered) this.#deps.budget.leave(this.#heldBytes);
    const asked = this.#asked;
    const code = failure?.code ?? "ok";
    const timeline = this.#timeline;
    this.#deps.observer.observe({ protocol: "grpc", answeredBy, asked, code, timeline, failure });
  }
}

/**
 * Throws, and reports to the observer, what a request for this model is rejected with whatever the rest of its message says. `reject` is told of what
 * cannot be said at once, and returns whether the call goes on. `named` undefined: the beginning of the message does not name the model.
 */
export function rejectArriving(
  deps: InferenceDeps,
  named: NamedModel | undefined,
  { arrival, reject }: { readonly arrival: Arrival; reject(error: ServeError): boolean },
): void {
  if (named === undefined) return;
  const { model: asked, version } = named;
  const observe = (failure: ServeError): void => {
    const timeline = new Timeline(arrival.receivedMs);
    if (deps.tracer !== undefined) beginTrace(deps.tracer, arrival, timeline);
    const { code } = failure;
    deps.observer.observe({ protocol: "grpc", answeredBy: undefined, asked, code, timeline, failure });
  };
  let rejection: ServeError | undefined;
  try {
    checkTenant(arrival.tenant);
    const door = deps.inference.door(asked, version);
    rejection = door?.rejectEarly(arrival);
    void door?.rejectLater?.(arrival).then((later) => {
      if (later !== undefined && reject(later)) observe(later);
    });
  } catch (thrown) {
    rejection = ServeError.from(thrown);
  }
  if (rejection === undefined) return;
  observe(rejection);
  throw rejection;
}

function beginTrace(tracer: Tracer, arrival: Arrival, timeline: Timeline): void {
  const trace = tracer.begin(arrival.traceparent, arrival);
  timeline.trace = trace;
  if (trace !== undefined) arrival.traceBegan?.(trace.traceId);
}

/** What the trace of a message begins with. */
export function tracedCall(call: GrpcCall): TracedCall {
  const { path, requestId } = call;
  return {
    protocol: "grpc",
    method: path,
    url: path,
    params: NO_PARAMS,
    requestId,
    tracestate: call.header("tracestate"),
  };
}

const NO_PARAMS: TracedCall["params"] = {};

/** What a call's metadata says of whose requests it carries. */
export function tenantOf({ tenantHeader }: InferenceDeps, call: GrpcCall): string | undefined {
  if (call.caller !== undefined) return call.caller.tenant;
  return tenantHeader === undefined ? undefined : call.header(tenantHeader);
}

/** What a call's metadata says of which version of a rollout its requests go to. */
export function routeKeyOfCall({ rolloutHeader }: InferenceDeps, call: GrpcCall): string | undefined {
  return rolloutHeader === undefined ? undefined : routeKeyOf(call.header(rolloutHeader));
}

const NO_BYTES = new Uint8Array(0);
const inMessage = (name: string): string => `model "${name}"`;

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
  {
    model,
    timeline,
    maxResponseBytes,
    onPiece,
  }: Pick<InferRequest, "model" | "timeline" | "maxResponseBytes" | "onPiece">,
): InferRequest {
  const timeout = wire.parameters.get("timeout");
  const own = earliestDeadline(arrival.receivedMs, [
    timeout === undefined ? undefined : parseTimeoutParameter(timeout),
    wire.timeoutMs === 0 ? undefined : wire.timeoutMs,
  ]);
  const signal = own === undefined ? arrival.signal : arrival.bound(own);
  return {
    model,
    version: wire.version,
    id: wire.id,
    inputs: wire.inputs,
    outputs: wire.outputs,
    classify: wire.classify,
    parameters: wire.parameters,
    priority: parsePriority(wire.parameters.get("priority")),
    deadlineMs: own === undefined ? arrival.deadlineMs : Math.min(own, arrival.deadlineMs ?? own),
    signal,
    tenant: arrival.tenant,
    routeKey: arrival.routeKey,
    onPiece,
    stream: arrival.stream,
    timeline,
    maxResponseBytes,
  };
}
