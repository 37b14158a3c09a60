import { CallSignal } from "../base/call-signal.ts";
import type { Clock } from "../base/clock.ts";
import { ServeError } from "../base/errors.ts";
import type { InferResponse, ResponsePiece } from "../base/infer-request.ts";
import { RequestStream } from "../base/request-stream.ts";
import type { ResultReceiver } from "../base/result-receiver.ts";
import { Timeline } from "../base/timeline.ts";
import type { Inference } from "../infer/inference.ts";
import { FRAME_KINDS, type Frame } from "../worker/frame.ts";
import { NO_BYTES, NO_CHUNKS } from "../worker/frame-writer.ts";
import { FrameLink } from "./frame-link.ts";
import { ReadLayouts, SpelledLayouts } from "./layouts.ts";
import {
  decodeFailure,
  decodeJson,
  type EarlyMessage,
  encodeFailure,
  encodeJson,
  type InputsMessage,
  LINK_METHODS,
  linkError,
  type ViewMessage,
} from "./link-methods.ts";
import type { LinkEnd } from "./link-socket.ts";
import { LinkedTrace } from "./linked-trace.ts";
import { createMachineClock, type MachineClock } from "./machine-clock.ts";
import { decodeRequest, type RequestLayout } from "./request-codec.ts";
import { encodeResponse } from "./response-codec.ts";

export interface InferenceHostOptions {
  /** The server process's end. */
  readonly end: LinkEnd;
  readonly inference: Pick<Inference, "submit" | "acquireInputs" | "door">;
  readonly clock: Clock;
  /** How often a model has changed. */
  revisionOf(model: string): number;
}

/** Results that an edge process has not read; past it no more of its requests are read. */
const MAX_UNSENT_BYTES = 16 * 1024 * 1024;

/** Asks the server's inference for what an edge process asks over its link. Whoever goes with the link has left: what they asked for is cancelled. */
export class InferenceHost {
  readonly #inference: InferenceHostOptions["inference"];
  readonly #revisionOf: InferenceHostOptions["revisionOf"];
  readonly #link: FrameLink;
  readonly #machine: MachineClock;
  readonly #pending = new Map<number, CallSignal>();
  readonly #streams = new Map<number, RequestStream>();
  readonly #read = new ReadLayouts<RequestLayout>();
  readonly #spelled = new SpelledLayouts();

  constructor({ end, inference, clock, revisionOf }: InferenceHostOptions) {
    this.#inference = inference;
    this.#revisionOf = revisionOf;
    this.#machine = createMachineClock(clock);
    this.#link = new FrameLink(end, {
      onFrame: (frame) => this.#take(frame),
      onClose: () => this.#leave(),
      maxUnsentBytes: MAX_UNSENT_BYTES,
    });
  }

  get isOpen(): boolean {
    return this.#link.isOpen;
  }

  /** Tells the edge process which models have changed. */
  show(view: ViewMessage): void {
    this.#link.send({
      kind: FRAME_KINDS.note,
      method: LINK_METHODS.view,
      id: 0,
      header: encodeJson(view),
      chunks: NO_CHUNKS,
    });
  }

  /** Idempotent. */
  destroy(): void {
    this.#link.destroy();
  }

  #take(frame: Frame): void {
    const { kind, method, id } = frame;
    if (kind === FRAME_KINDS.call && method === LINK_METHODS.infer) this.#infer(frame);
    else if (kind === FRAME_KINDS.call && method === LINK_METHODS.inputs) this.#acquireInputs(frame);
    else if (kind === FRAME_KINDS.call && method === LINK_METHODS.early) this.#judgeEarly(frame);
    else if (kind === FRAME_KINDS.note && method === LINK_METHODS.cancel)
      this.#pending.get(id)?.abort(decodeFailure(frame.header));
    else if (kind === FRAME_KINDS.note && method === LINK_METHODS.streamEnd) {
      this.#streams.get(id)?.close();
      this.#streams.delete(id);
    } else throw linkError(`there is no call of kind ${kind} and method ${method}`);
  }

  #infer(frame: Frame): void {
    const { id } = frame;
    const received = decodeRequest(frame, { layouts: this.#read, machine: this.#machine });
    const { receivedMs, bodyMs, streamId, revision, wantsPieces, trace, ...asked } = received;
    const isStale = revision !== 0 && revision !== this.#revisionOf(asked.model);
    const timeline = new Timeline(receivedMs);
    timeline.bodyMs = bodyMs;
    if (trace !== undefined) timeline.trace = new LinkedTrace(trace);
    const signal = new CallSignal();
    this.#pending.set(id, signal);
    this.#inference.submit(
      {
        ...asked,
        id: undefined,
        signal,
        timeline,
        stream: this.#streamOf(streamId),
        onPiece: wantsPieces ? (piece) => this.#sendPiece(id, piece) : undefined,
      },
      new Hosted({ id, timeline, changed: isStale ? asked.model : undefined }, this.#settle),
    );
  }

  #streamOf(id: number): RequestStream | undefined {
    if (id === 0) return undefined;
    const stream = this.#streams.get(id) ?? new RequestStream();
    this.#streams.set(id, stream);
    return stream;
  }

  #sendPiece(id: number, { head, body }: ResponsePiece): void {
    this.#link.send({
      kind: FRAME_KINDS.note,
      method: LINK_METHODS.piece,
      id,
      header: head,
      chunks: [body],
    });
  }

  readonly #settle = (hosted: Hosted, result: InferResponse | Error): void => {
    const { id, timeline, changed } = hosted.request;
    if (!this.#pending.delete(id)) return;
    const method = LINK_METHODS.infer;
    if (result instanceof Error) {
      const header = encodeFailure(changed === undefined ? result : readBefore(changed, result));
      this.#link.send({ kind: FRAME_KINDS.error, method, id, header, chunks: NO_CHUNKS });
      return;
    }
    const header = encodeResponse(result, timeline, {
      layouts: this.#spelled,
      machine: this.#machine,
    });
    const chunks = result.outputs.map(({ bytes }) => bytes);
    this.#link.send({ kind: FRAME_KINDS.result, method, id, header, chunks });
  };

  #judgeEarly({ id, method, header }: Frame): void {
    const { model, version, tenant, deadlineMs } = decodeJson<EarlyMessage>(header);
    const head = {
      tenant,
      deadlineMs: deadlineMs === undefined ? undefined : this.#machine.fromMachine(deadlineMs),
    };
    let rejection: unknown;
    try {
      rejection = this.#inference.door(model, version)?.rejectEarly(head);
    } catch (thrown) {
      rejection = thrown;
    }
    const kind = rejection === undefined ? FRAME_KINDS.result : FRAME_KINDS.error;
    const reply = rejection === undefined ? NO_BYTES : encodeFailure(rejection);
    this.#link.send({ kind, method, id, header: reply, chunks: NO_CHUNKS });
  }

  #acquireInputs({ id, header }: Frame): void {
    const { model, version } = decodeJson<InputsMessage>(header);
    const signal = new CallSignal();
    this.#pending.set(id, signal);
    const method = LINK_METHODS.inputs;
    const send = (kind: number, bytes: Uint8Array): void => {
      if (this.#pending.delete(id)) this.#link.send({ kind, method, id, header: bytes, chunks: NO_CHUNKS });
    };
    this.#inference.acquireInputs(model, version, signal).then(
      (inputs) => send(FRAME_KINDS.result, encodeJson(inputs)),
      (error: unknown) => send(FRAME_KINDS.error, encodeFailure(error)),
    );
  }

  #leave(): void {
    const left = new ServeError("cancelled", "the process that the request came by has ended");
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const signal of pending) signal.abort(left);
    for (const stream of this.#streams.values()) stream.close();
    this.#streams.clear();
  }
}

/** A request that was read by what its model took before it changed may be right by what it takes now. */
function readBefore(model: string, error: Error): Error {
  if (!(error instanceof ServeError) || error.code !== "invalid_argument") return error;
  const message = `model "${model}" changed while the request was read: send it again`;
  return new ServeError("unavailable", message, { reason: "model_not_ready", retryAfterMs: 0, cause: error });
}

interface HostedRequest {
  readonly id: number;
  readonly timeline: Timeline;
  /** The model, where it changed since the request was read. */
  readonly changed: string | undefined;
}

/** Where the result of one request goes. */
class Hosted implements ResultReceiver<InferResponse> {
  readonly request: HostedRequest;
  readonly #settle: (hosted: Hosted, result: InferResponse | Error) => void;

  constructor(request: HostedRequest, settle: (hosted: Hosted, result: InferResponse | Error) => void) {
    this.request = request;
    this.#settle = settle;
  }

  resolve(response: InferResponse): void {
    this.#settle(this, response);
  }

  reject(error: Error): void {
    this.#settle(this, error);
  }
}
