import type { ServerHttp2Stream } from "node:http2";
import { Metadata, ServerInterceptingCall, type ServerInterceptingCallInterface } from "@grpc/grpc-js";
import { ServeError } from "../../base/errors.ts";
import { parseGrpcTimeout, parseTimeoutMs, startDeadline } from "../../gate/deadline.ts";
import type { InflateLimits } from "../inflated-size.ts";
import type { TimeSlicer } from "../time-slicer.ts";
import { ArrivingMessage } from "./arriving-message.ts";
import {
  hardenCall,
  inflateBy,
  isCompressed,
  type StreamInterceptor,
  TIMEOUT_KEY,
} from "./hardened-server.ts";
import { inflateMessage } from "./inflate-message.ts";
import { statusOf } from "./status.ts";
import type { TransferDeps } from "./transfer-deps.ts";
import { FREE_BYTES, UnsentResponse } from "./unsent-response.ts";

/** What a method does with the messages of one call. */
export interface CallHandlers {
  onMessage(bytes: Buffer): void;
  onHalfClose(): void;
}

/** One gRPC method: bytes in, bytes out. Encoding is the method's business, so that a bad message is an ordinary error. */
export interface GrpcMethod {
  /** `/package.Service/Method` */
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  /** Called when a call's headers are here. What it throws ends the call. */
  open(call: GrpcCall): CallHandlers;
  /** Shown the beginning of a first message that does not come in one piece. What it throws ends the call; the rest is not kept then. */
  onArriving?(call: GrpcCall, beginning: Uint8Array): void;
}

/** What carries a call. */
interface CallParts {
  readonly next: ServerInterceptingCallInterface;
  readonly stream: ServerHttp2Stream;
  readonly deps: CallDeps;
}

/** What bounds what calls receive. */
interface CallDeps extends TransferDeps {
  readonly inflateLimits: InflateLimits;
  readonly slicer: TimeSlicer;
}

/**
 * One call in progress: reads one message at a time when asked to (which is the flow control), sends, ends once. `signal` is aborted
 * when the client left or the deadline passed.
 */
export class GrpcCall {
  readonly metadata: Metadata;
  readonly receivedMs: number;
  readonly #next: ServerInterceptingCallInterface;
  readonly #stream: ServerHttp2Stream;
  readonly #deps: TransferDeps;
  #abort: AbortController | undefined;
  /** Why its work must stop. */
  #stopped: ServeError | undefined;
  #deadlineMs: number | undefined;
  #cancelTimer: (() => void) | undefined;
  #ended = false;
  #onEnd: (() => void) | undefined;

  constructor({ next, stream, deps }: CallParts, metadata: Metadata) {
    this.#next = next;
    this.#stream = stream;
    this.#deps = deps;
    this.metadata = metadata;
    this.receivedMs = deps.clock.nowMs();
  }

  /** Made when somebody asks for it: a call that is rejected at once needs none, and making one costs more than rejecting. */
  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (this.#stopped !== undefined) this.#abort.abort(this.#stopped);
    }
    return this.#abort.signal;
  }

  /** Monotonic milliseconds; undefined: none. */
  get deadlineMs(): number | undefined {
    return this.#deadlineMs;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** The first value of a header as text. */
  header(key: string): string | undefined {
    const value = this.metadata.get(key)[0];
    return value === undefined ? undefined : String(value);
  }

  /** Ends the call with DEADLINE_EXCEEDED at `deadlineMs`, unless an earlier deadline holds already. */
  tighten(deadlineMs: number | undefined): void {
    if (deadlineMs === undefined || deadlineMs >= (this.#deadlineMs ?? Number.POSITIVE_INFINITY)) return;
    this.#deadlineMs = deadlineMs;
    this.#cancelTimer?.();
    this.#cancelTimer = startDeadline(this.#deps.clock, deadlineMs, () => this.fail(deadlineExceeded()));
  }

  /** Runs `callback` when the call ends, however it ends. There is one such callback. */
  onEnd(callback: () => void): void {
    this.#onEnd = callback;
  }

  /** Asks for the next message. */
  read(): void {
    this.#next.startRead();
  }

  /** Sends one message; `onFlushed` runs when there is room for the next one. Throws `unavailable` when there is no room for this one. */
  send(bytes: Uint8Array, onFlushed: () => void = noop): void {
    // A stream that is gone would not say again that it closed.
    if (this.#ended || this.#stream.destroyed) return;
    if (bytes.length <= FREE_BYTES) {
      this.#next.sendMessage(bytes, onFlushed);
      return;
    }
    const unsent = new UnsentResponse(this.#deps, this.#stream, bytes.length);
    this.#next.sendMessage(bytes, () => {
      unsent.taken();
      onFlushed();
    });
  }

  /** Sends headers before the first message. */
  sendHeaders(): void {
    if (!this.#ended) this.#next.sendMetadata(new Metadata());
  }

  /** Ends the call with OK. */
  end(trailers: Metadata | null = null): void {
    if (!this.#settle()) return;
    this.#next.sendStatus({ code: 0, details: "", metadata: trailers });
  }

  /** Ends the call with the status of an error and stops its work. */
  fail(error: ServeError): void {
    if (!this.#settle()) return;
    this.#next.sendStatus(statusOf(error));
    this.#stop(error);
  }

  /** The client is gone: stops the call's work. */
  cancelled(): void {
    if (!this.#settle()) return;
    this.#stop(new ServeError("cancelled", "the client cancelled the call", { reason: "client_left" }));
  }

  #stop(error: ServeError): void {
    this.#stopped = error;
    this.#abort?.abort(error);
  }

  #settle(): boolean {
    if (this.#ended) return false;
    this.#ended = true;
    this.#cancelTimer?.();
    this.#onEnd?.();
    return true;
  }
}

/**
 * The interceptor that gives every call of a known method to us instead of grpc-js's own handlers. Theirs decode messages before we
 * can answer for bad ones, prefetch 16 messages of a stream, and wait for a flush before they send the status.
 */
export function callInterceptor(methods: ReadonlyMap<string, GrpcMethod>, deps: CallDeps): StreamInterceptor {
  return (definition, next, stream) => {
    const method = methods.get(definition.path);
    if (method === undefined) return new ServerInterceptingCall(next);
    hardenCall(next, deps.inflateLimits.maxBytes);
    return new TakenCall({ next, stream, deps }, method);
  };
}

class TakenCall extends ServerInterceptingCall {
  readonly #parts: CallParts;
  readonly #method: GrpcMethod;

  constructor(parts: CallParts, method: GrpcMethod) {
    super(parts.next);
    this.#parts = parts;
    this.#method = method;
  }

  override start(): void {
    const { next, stream, deps } = this.#parts;
    const method = this.#method;
    let call: GrpcCall | undefined;
    let arriving: ArrivingMessage | undefined;
    let handlers: CallHandlers | undefined;
    next.start({
      onReceiveMetadata: (metadata) => {
        call = new GrpcCall(this.#parts, metadata);
        arriving = new ArrivingMessage(deps, stream, call);
        if (isCompressed(next)) inflateFor(arriving, this.#parts);
        handlers = open(call, method, stream);
      },
      onReceiveMessage(bytes: Buffer) {
        if (method.requestStream) arriving?.handedOn(bytes.length);
        else arriving?.waits();
        arriving?.onHandedOn?.();
        handlers?.onMessage(bytes);
      },
      // A single message is acted on only now; until then it is held for its client.
      onReceiveHalfClose() {
        arriving?.arrived();
        handlers?.onHalfClose();
      },
      // Called for every stream that closes, however it does.
      onCancel() {
        arriving?.arrived();
        call?.cancelled();
      },
    });
  }
}

/**
 * What inflates counts for its call at once, and ends it when it is too much. One message at a time: the next waits until this one is handed
 * on, however many came in one piece.
 */
function inflateFor(arriving: ArrivingMessage, { next, deps }: CallParts): void {
  const inflating = {
    limits: deps.inflateLimits,
    slicer: deps.slicer,
    onBytes: (count: number): void => arriving.inflated(count),
  };
  let turn: Promise<void> = Promise.resolve();
  inflateBy(next, async (contents, coding) => {
    const mine = turn;
    let handOver = noop;
    turn = new Promise((resolve) => {
      handOver = resolve;
    });
    await mine;
    try {
      const message = await inflateMessage(contents, coding, inflating);
      arriving.onHandedOn = handOver;
      return message;
    } catch (thrown) {
      arriving.end(ServeError.from(thrown));
      // The call has its status. grpc-js would send one of its own.
      return new Promise(noop);
    }
  });
}

function open(call: GrpcCall, method: GrpcMethod, stream: ServerHttp2Stream): CallHandlers | undefined {
  try {
    const timeout = call.header(TIMEOUT_KEY);
    if (timeout !== undefined) call.tighten(call.receivedMs + parseGrpcTimeout(timeout));
    const timeoutMs = call.header("x-request-timeout-ms");
    if (timeoutMs !== undefined) call.tighten(call.receivedMs + parseTimeoutMs(timeoutMs));
    if (call.ended) return undefined;
    const handlers = method.open(call);
    if (method.onArriving !== undefined) {
      stream.once("data", (frame: Buffer) => {
        // grpc-js saw it first, and may have rejected it for its size.
        if (!stream.headersSent) lookAt(frame, call, method);
      });
    }
    call.read();
    return handlers;
  } catch (thrown) {
    call.fail(ServeError.from(thrown));
    return undefined;
  }
}

/** gRPC's frame: whether the message is compressed, and its length in four bytes. */
const FRAME_HEAD_BYTES = 5;

function lookAt(frame: Buffer, call: GrpcCall, method: GrpcMethod): void {
  if (frame.length < FRAME_HEAD_BYTES || frame[0] !== 0 || call.ended) return;
  // A message that is here as a whole is decoded at once.
  if (frame.length >= FRAME_HEAD_BYTES + frame.readUInt32BE(1)) return;
  try {
    method.onArriving?.(call, frame.subarray(FRAME_HEAD_BYTES));
  } catch (thrown) {
    call.fail(ServeError.from(thrown));
  }
}

/** A method with one request and one response. `handle` may throw ServeError. */
export function unaryMethod(
  path: string,
  handle: (bytes: Buffer, call: GrpcCall) => Promise<UnaryResponse> | UnaryResponse,
): GrpcMethod {
  return {
    path,
    requestStream: false,
    responseStream: false,
    open(call) {
      let request: Buffer | undefined;
      return {
        onMessage(bytes) {
          if (request !== undefined) call.fail(cardinality("more than one request message"));
          request = bytes;
          call.read();
        },
        onHalfClose() {
          if (request === undefined) call.fail(cardinality("no request message"));
          else void answer(call, handle, request);
        },
      };
    },
  };
}

export interface UnaryResponse {
  readonly bytes: Uint8Array;
  readonly trailers?: Metadata;
}

async function answer(
  call: GrpcCall,
  handle: (bytes: Buffer, call: GrpcCall) => Promise<UnaryResponse> | UnaryResponse,
  request: Buffer,
): Promise<void> {
  if (call.ended) return;
  try {
    const { bytes, trailers } = await handle(request, call);
    call.send(bytes);
    call.end(trailers);
  } catch (thrown) {
    call.fail(ServeError.from(thrown));
  }
}

/** gRPC gives broken cardinality the code UNIMPLEMENTED ("Status codes and their use"). */
function cardinality(what: string): ServeError {
  return new ServeError("unimplemented", `this method takes one request message; there was ${what}`, {
    reason: "cardinality",
  });
}

export function deadlineExceeded(): ServeError {
  return new ServeError("deadline_exceeded", "the deadline passed before the response was ready", {
    reason: "deadline_exceeded",
  });
}

function noop(): void {}
