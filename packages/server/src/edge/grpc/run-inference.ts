import type { RegionPlace } from "@sconce/protocol";
import type { LateWork, Receiver, WireRequest, WireTensor } from "@sconce/protocol/grpc";
import { ServeError } from "../../base/errors.ts";
import { type InferRequest, type InferResponse, outputBytes } from "../../base/infer-request.ts";
import type { ResultReceiver } from "../../base/result-receiver.ts";
import type { NamedTensor } from "../../base/tensor.ts";
import { Timeline } from "../../base/timeline.ts";
import { earliestDeadline, parseTimeoutParameter, preferDeadline } from "../../gate/deadline.ts";
import { parsePriority } from "../../gate/priority.ts";
import { checkTenant } from "../../gate/tenant.ts";
import { copying } from "../copying.ts";
import { defaultModelOf } from "../default-model.ts";
import { placedBytes, readPlaced, writePlaced } from "../placed-tensors.ts";
import { sharedMemoryOff } from "../shared-memory.ts";
import { workOff } from "../time-slicer.ts";
import { beginTrace } from "./begin-trace.ts";
import type { Arrival, InferenceDeps, Inquiry } from "./inquiry.ts";
import { ResponseFrame } from "./message-frame.ts";

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
