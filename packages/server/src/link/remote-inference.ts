import type { AbortListener, CancelSignal } from "../base/call-signal.ts";
import type { Clock } from "../base/clock.ts";
import { ServeError } from "../base/errors.ts";
import type { InferRequest, InferResponse } from "../base/infer-request.ts";
import type { RequestStream } from "../base/request-stream.ts";
import { type ResultReceiver, submitTo } from "../base/result-receiver.ts";
import type { TensorSpec } from "../base/signature.ts";
import type { Door, Inference } from "../infer/inference.ts";
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
  LINK_METHODS,
  linkError,
  type ViewMessage,
} from "./link-methods.ts";
import type { LinkEnd } from "./link-socket.ts";
import { createMachineClock, type MachineClock } from "./machine-clock.ts";
import { type LeftVersion, ModelViews } from "./model-views.ts";
import { encodeRequest } from "./request-codec.ts";
import { decodeResponse, type ResponseLayout } from "./response-codec.ts";

export interface RemoteInferenceOptions {
  /** The edge process's end of the link. */
  readonly end: LinkEnd;
  readonly clock: Clock;
  /** These versions are not in memory any more. */
  onLeft(versions: readonly LeftVersion[]): void;
  /** The server process is gone. */
  onClose(): void;
}

/** The server's inference, as an edge process has it over its link. */
export interface RemoteInference {
  readonly inference: Inference;
  readonly views: ModelViews;
}

export function createRemoteInference(options: RemoteInferenceOptions): RemoteInference {
  const views = new ModelViews();
  const asker = new Asker(options, views);
  return { views, inference: inferenceOver(asker, views) };
}

/** Where the end of a call is told. */
interface Settling {
  settle(frame: Frame): void;
  fail(error: ServeError): void;
  piece(frame: Frame): void;
}

/** Asks over a link, and tells who asked. */
class Asker {
  readonly machine: MachineClock;
  readonly spelled = new SpelledLayouts();
  readonly read = new ReadLayouts<ResponseLayout>();
  readonly #link: FrameLink;
  readonly #options: RemoteInferenceOptions;
  readonly views: ModelViews;
  readonly #pending = new Map<number, Settling>();
  readonly #streams = new WeakMap<RequestStream, number>();
  #nextId = 1;
  #nextStreamId = 1;

  constructor(options: RemoteInferenceOptions, views: ModelViews) {
    this.#options = options;
    this.views = views;
    this.machine = createMachineClock(options.clock);
    this.#link = new FrameLink(options.end, {
      onFrame: (frame) => this.#take(frame),
      onClose: () => this.#leave(),
    });
  }

  /** Returns the id under which it is asked. */
  call(
    method: number,
    { header, chunks }: { readonly header: Uint8Array; readonly chunks: readonly Uint8Array[] },
    settling: Settling,
  ): number {
    const id = this.#nextId;
    // Ids come round after some hours, when nothing of theirs is left.
    this.#nextId = id === LAST_ID ? 1 : id + 1;
    this.#pending.set(id, settling);
    this.#link.send({ kind: FRAME_KINDS.call, method, id, header, chunks });
    return id;
  }

  cancel(id: number, reason: unknown): void {
    if (this.#pending.has(id)) this.#note(LINK_METHODS.cancel, id, encodeFailure(reason));
  }

  /** The number of a stream at this link; it is told when the stream ends. */
  streamId(stream: RequestStream | undefined): number {
    if (stream === undefined) return 0;
    const known = this.#streams.get(stream);
    if (known !== undefined) return known;
    const id = this.#nextStreamId++;
    this.#streams.set(stream, id);
    const end = (): void => this.#note(LINK_METHODS.streamEnd, id, NO_BYTES);
    if (stream.isClosed) setImmediate(end);
    else stream.onClose(end);
    return id;
  }

  #note(method: number, id: number, header: Uint8Array): void {
    this.#link.send({ kind: FRAME_KINDS.note, method, id, header, chunks: NO_CHUNKS });
  }

  #take(frame: Frame): void {
    if (frame.kind === FRAME_KINDS.note && frame.method === LINK_METHODS.view) {
      const left = this.views.update(decodeJson<ViewMessage>(frame.header));
      if (left.length > 0) this.#options.onLeft(left);
      return;
    }
    const settling = this.#pending.get(frame.id);
    if (settling === undefined) throw linkError("a result belongs to no call");
    if (frame.kind === FRAME_KINDS.note) {
      settling.piece(frame);
      return;
    }
    this.#pending.delete(frame.id);
    if (frame.kind === FRAME_KINDS.result) settling.settle(frame);
    else settling.fail(decodeFailure(frame.header));
  }

  #leave(): void {
    const gone = new ServeError("unavailable", "the server is shutting down", { reason: "draining" });
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const settling of pending) settling.fail(gone);
    this.#options.onClose();
  }
}

const LAST_ID = 0xffff_ffff;

/** An inference that the server process has been asked for. */
class SentRequest implements Settling, AbortListener {
  readonly #asker: Asker;
  readonly #request: InferRequest;
  readonly #receiver: ResultReceiver<InferResponse>;
  #id = 0;

  constructor(asker: Asker, request: InferRequest, receiver: ResultReceiver<InferResponse>) {
    this.#asker = asker;
    this.#request = request;
    this.#receiver = receiver;
  }

  send(): void {
    const { signal, stream, inputs, model } = this.#request;
    const asker = this.#asker;
    const streamId = asker.streamId(stream);
    const revision = asker.views.revisionOf(model);
    const { spelled: layouts, machine } = asker;
    const header = encodeRequest(this.#request, { streamId, revision }, { layouts, machine });
    const chunks = inputs.map(({ bytes }) => bytes);
    this.#id = asker.call(LINK_METHODS.infer, { header, chunks }, this);
    if (signal.aborted) this.handleEvent();
    else signal.addEventListener("abort", this);
  }

  /** The result comes all the same: that it was cancelled, or what came before that was heard. */
  handleEvent(): void {
    this.#asker.cancel(this.#id, this.#request.signal.reason);
  }

  settle(frame: Frame): void {
    const { signal, timeline, id } = this.#request;
    signal.removeEventListener("abort", this);
    const { read: layouts, machine } = this.#asker;
    this.#receiver.resolve({ ...decodeResponse(frame, timeline, { layouts, machine }), id });
  }

  fail(error: ServeError): void {
    this.#request.signal.removeEventListener("abort", this);
    this.#receiver.reject(error);
  }

  piece({ header, payload }: Frame): void {
    this.#request.onPiece?.({ head: header, body: payload });
  }
}

/** Only the server process knows its queues, and for certain which models there are: it is asked about what costs more than that. */
function doorTo(asker: Asker, model: string, version: string | undefined): Door {
  return {
    rejectEarly: () => undefined,
    rejectLater({ tenant, deadlineMs }) {
      const atMs = deadlineMs === undefined ? undefined : asker.machine.toMachine(deadlineMs);
      const message = { model, version, tenant, deadlineMs: atMs } satisfies EarlyMessage;
      return new Promise((resolve) => {
        asker.call(
          LINK_METHODS.early,
          { header: encodeJson(message), chunks: NO_CHUNKS },
          { settle: () => resolve(undefined), fail: resolve, piece() {} },
        );
      });
    },
  };
}

function inferenceOver(asker: Asker, views: ModelViews): Inference {
  return {
    door: (name, version) => doorTo(asker, name, version),
    loadedInputs: (name, version) => views.inputsOf(name, version),
    acquireInputs: (model, version, signal) => acquireInputs(asker, { model, version }, signal),
    modelNames: () => views.names(),
    infer(request) {
      return submitTo(this, request);
    },
    submit(request, receiver) {
      new SentRequest(asker, request, receiver).send();
    },
    // Calls for these are forwarded as a whole.
    serverMetadata: notHere,
    isLive: notHere,
    isReady: notHere,
    isModelReady: notHere,
    presence: notHere,
    modelMetadata: notHere,
    modelConfiguration: notHere,
    modelWorkers: notHere,
    rolloutStatus: notHere,
    index: notHere,
    modelStatistics: notHere,
  };
}

function acquireInputs(
  asker: Asker,
  asked: { readonly model: string; readonly version: string | undefined },
  signal: CancelSignal,
): Promise<readonly TensorSpec[]> {
  return new Promise((resolve, reject) => {
    const message = { header: encodeJson(asked), chunks: NO_CHUNKS };
    const cancel = (): void => asker.cancel(id, signal.reason);
    const id = asker.call(LINK_METHODS.inputs, message, {
      settle(frame) {
        signal.removeEventListener("abort", cancel);
        resolve(decodeJson<readonly TensorSpec[]>(frame.header));
      },
      fail(error) {
        signal.removeEventListener("abort", cancel);
        reject(error);
      },
      piece() {},
    });
    if (signal.aborted) cancel();
    else signal.addEventListener("abort", cancel);
  });
}

function notHere(): never {
  throw new ServeError("internal", "an edge process was asked what only the server process knows", {
    reason: "invariant",
  });
}
