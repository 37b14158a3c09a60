import type { IncomingHttpHeaders } from "node:http2";
import { CallSignal, type CancelSignal } from "../../base/call-signal.ts";
import { ServeError } from "../../base/errors.ts";
import { parseTraceParent } from "../../base/trace-parent.ts";
import type { Caller, Need } from "../../gate/caller.ts";
import { startDeadline } from "../../gate/deadline.ts";
import { requestId } from "../../gate/request-id.ts";
import type { CallStream, Peer } from "../call-stream.ts";
import { deflateFrame, responseCoding } from "./deflate-message.ts";
import type { Coding } from "./inflate-message.ts";
import { MessageReader, type MessageReceiver, type ReaderDeps } from "./message-reader.ts";
import { encodeStatus, OK_TRAILERS, statusNumber, type Trailers } from "./status.ts";
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
  /** False: one message, which counts as received when the client has half-closed. */
  readonly requestStream: boolean;
  /** Where the server knows its callers: what they need for this. Default: `infer`. */
  readonly needs?: Need;
  /** Called when a call's headers are here. What it throws ends the call. */
  open(call: GrpcCall): CallHandlers;
  /** Shown the beginning of a first message that does not come in one piece. What it throws ends the call; the rest is not kept then. */
  onArriving?(call: GrpcCall, beginning: Uint8Array): void;
}

/** What carries a call. */
export interface CallParts {
  /** Open, and somebody listens to its errors. */
  readonly stream: CallStream;
  readonly headers: IncomingHttpHeaders;
  readonly peer: Peer;
  /** When its headers came. Default: now. */
  readonly receivedMs?: number;
  readonly deps: ReaderDeps;
}

const NO_HEADERS: IncomingHttpHeaders = {};
const RESPONSE_HEADERS = {
  ":status": 200,
  "content-type": "application/grpc",
  "grpc-accept-encoding": "identity,gzip,deflate",
};
const WITH_TRAILERS = { waitForTrailers: true, sendDate: false };
const TRAILERS_ONLY = { endStream: true, sendDate: false };
/** A client's own clock may be ahead by as much: when it leaves so shortly before its deadline, that has passed. */
const CLOCKS_DIFFER_MS = 20;

/**
 * One call in progress: reads one message at a time when asked to (which is the flow control), sends, ends once. `signal` is aborted
 * when the client left or the deadline passed.
 */
export class GrpcCall implements MessageReceiver {
  readonly receivedMs: number;
  /** Undefined: the server knows no callers. */
  caller: Caller | undefined;
  /** Of the trace that its only message began; undefined: none. */
  traceId: string | undefined;
  readonly #stream: CallStream;
  #headers: IncomingHttpHeaders;
  readonly #peer: Peer;
  readonly #deps: ReaderDeps;
  #reader: MessageReader | undefined;
  /** How the request's messages are compressed. */
  #coding: Coding | undefined;
  #method: GrpcMethod | undefined;
  #handlers: CallHandlers | undefined;
  #signal: CallSignal | undefined;
  /** Why its work must stop. */
  #stopped: ServeError | undefined;
  #deadlineMs: number | undefined;
  #cancelTimer: (() => void) | undefined;
  #trailers: Trailers = OK_TRAILERS;
  #ended = false;
  #onEnd: (() => void) | undefined;

  constructor({ stream, headers, peer, deps, receivedMs = deps.clock.nowMs() }: CallParts) {
    this.#stream = stream;
    this.#headers = headers;
    this.#peer = peer;
    this.#deps = deps;
    this.receivedMs = receivedMs;
    stream.on("aborted", () => this.#cancelled());
    stream.on("close", () => this.#closed());
  }

  /** Lets the method have the call, and the first message. */
  open(method: GrpcMethod, coding: Coding | undefined): void {
    const options = { coding, isSingle: !method.requestStream };
    this.#method = method;
    this.#coding = coding;
    this.#handlers = method.open(this);
    if (!this.#ended) this.#reader = new MessageReader(this.#stream, this, { deps: this.#deps, options });
  }

  /** Made when somebody asks for it: a call that is rejected at once needs none. */
  get signal(): CancelSignal {
    if (this.#signal === undefined) {
      this.#signal = new CallSignal();
      if (this.#stopped !== undefined) this.#signal.abort(this.#stopped);
    }
    return this.#signal;
  }

  /** Monotonic milliseconds; undefined: none. */
  get deadlineMs(): number | undefined {
    return this.#deadlineMs;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** False: nobody reads what the client sends. */
  get isRead(): boolean {
    return this.#reader !== undefined;
  }

  /** A header as text; of one that was sent several times all values, with commas between them. */
  header(key: string): string | undefined {
    const value = this.#headers[key];
    return typeof value === "object" ? value[0] : value;
  }

  /** Of its method, or whatever the client called in place of one. */
  get path(): string {
    const path = this.#headers[":path"];
    return this.#method?.path ?? (typeof path === "string" ? path : "");
  }

  /** The id that the client gave the call; "": none. */
  get requestId(): string {
    const given = this.#headers["x-request-id"];
    return typeof given === "string" ? requestId(given, () => "") : "";
  }

  /** Ends the call with DEADLINE_EXCEEDED at `deadlineMs`, unless an earlier deadline holds already. */
  tighten(deadlineMs: number | undefined): void {
    if (deadlineMs === undefined || deadlineMs >= (this.#deadlineMs ?? Number.POSITIVE_INFINITY)) return;
    this.#deadlineMs = deadlineMs;
    this.#cancelTimer?.();
    this.#cancelTimer = startDeadline(this.#deps.clock, deadlineMs, () => this.fail(deadlineExceeded()));
  }

  /** Runs `callback` when the call ends, however it ends. */
  onEnd(callback: () => void): void {
    const before = this.#onEnd;
    this.#onEnd =
      before === undefined
        ? callback
        : () => {
            before();
            callback();
          };
  }

  /** Asks for the next message. The first one comes unasked. */
  read(): void {
    this.#reader?.read();
  }

  onMessage(bytes: Buffer): void {
    this.#handlers?.onMessage(bytes);
  }

  onHalfClose(): void {
    this.#handlers?.onHalfClose();
  }

  onBeginning(bytes: Buffer): void {
    this.#method?.onArriving?.(this, bytes);
  }

  /** Sends one frame; `onFlushed` runs when there is room for the next one. Throws `unavailable` when there is no room for this one. */
  send(frame: Buffer, onFlushed: () => void = ignore): void {
    if (this.#ended || this.#isGone()) return;
    if (frame.length <= FREE_BYTES) {
      this.sendHeaders();
      this.#stream.write(frame, (error) => {
        if (error == null) onFlushed();
      });
      return;
    }
    const unsent = new UnsentResponse(this.#deps, this.#stream, frame.length);
    this.sendHeaders();
    this.#stream.write(frame, (error) => {
      unsent.taken();
      if (error == null) onFlushed();
    });
  }

  /** Sends headers before the first message. */
  sendHeaders(coding?: Coding): void {
    const stream = this.#stream;
    if (stream.headersSent || this.#isGone()) return;
    stream.on("wantTrailers", () => stream.sendTrailers(this.#trailers));
    const own = this.#ownHeaders();
    stream.respond(coding === undefined ? own : { ...own, "grpc-encoding": coding }, WITH_TRAILERS);
  }

  /** Sends the only message of a call, and ends it with OK. Throws `unavailable` when there is no room for it. */
  reply(frame: Buffer, trailers: Trailers = OK_TRAILERS): void {
    const coding =
      this.#coding && responseCoding(frame.length, this.#coding, this.header("grpc-accept-encoding"));
    if (coding === undefined) this.#reply(frame, trailers);
    else void this.#replyCompressed(frame, trailers, coding);
  }

  async #replyCompressed(frame: Buffer, trailers: Trailers, coding: Coding): Promise<void> {
    try {
      const compressed = await deflateFrame(frame, coding);
      if (!this.#ended) this.sendHeaders(coding);
      this.#reply(compressed, trailers);
    } catch (error) {
      this.fail(ServeError.from(error));
    }
  }

  /** The id that the client gave the call comes back, as over REST. */
  #ownHeaders(): Readonly<Record<string, string | number>> {
    const id = this.requestId;
    return id === "" ? RESPONSE_HEADERS : { ...RESPONSE_HEADERS, "x-request-id": id };
  }

  #reply(frame: Buffer, trailers: Trailers): void {
    if (frame.length > FREE_BYTES) {
      this.send(frame);
      this.end(trailers);
      return;
    }
    if (!this.#settle() || this.#isGone()) return;
    this.#tell();
    this.#trailers = trailers;
    this.sendHeaders();
    this.#stream.end(frame);
  }

  /** Ends the call with OK. */
  end(trailers: Trailers = OK_TRAILERS): void {
    if (!this.#settle()) return;
    this.#tell();
    this.#finish(trailers);
  }

  /** Ends the call with the status of an error and stops its work. */
  fail(error: ServeError): void {
    if (!this.#settle()) return;
    this.#tell(error);
    this.#finish(encodeStatus(error));
    this.#stop(error);
  }

  /** The client is gone: stops the call's work. */
  #cancelled(): void {
    if (!this.#settle()) return;
    const leftMs = (this.#deadlineMs ?? Number.POSITIVE_INFINITY) - this.#deps.clock.nowMs();
    const error = leftMs <= CLOCKS_DIFFER_MS ? deadlineExceeded() : clientLeft();
    this.#tell(error);
    this.#stop(error);
    this.#peer.leftCall();
  }

  /** Node keeps the stream until the next large collection; what it leads to may go. */
  #closed(): void {
    this.#cancelled();
    this.#headers = NO_HEADERS;
    this.#reader = undefined;
    this.#handlers = undefined;
    this.#method = undefined;
    this.#signal = undefined;
    this.#onEnd = undefined;
    this.#cancelTimer = undefined;
    this.#trailers = OK_TRAILERS;
  }

  #finish(trailers: Trailers): void {
    if (this.#isGone()) return;
    const stream = this.#stream;
    if (stream.headersSent) {
      this.#trailers = trailers;
      stream.end();
    } else stream.respond({ ...this.#ownHeaders(), ...trailers }, TRAILERS_ONLY);
  }

  /** Writes into the log what became of it. */
  #tell(failure?: ServeError): void {
    const { requestLog, clock } = this.#deps;
    if (requestLog === undefined || (failure === undefined && !requestLog.isComplete)) return;
    requestLog.ended(
      {
        requestId: this.requestId,
        traceId: this.traceId ?? parseTraceParent(this.header("traceparent"))?.traceId,
        protocol: "grpc",
        call: this.path,
        status: failure === undefined ? 0 : statusNumber(failure.code),
        model: undefined,
        ms: clock.nowMs() - this.receivedMs,
      },
      failure,
    );
  }

  #stop(error: ServeError): void {
    this.#stopped = error;
    this.#signal?.abort(error);
  }

  #settle(): boolean {
    if (this.#ended) return false;
    this.#ended = true;
    this.#cancelTimer?.();
    this.#reader?.stop();
    this.#onEnd?.();
    return true;
  }

  /** A stream that is gone takes nothing more, and throws. */
  #isGone(): boolean {
    return this.#stream.destroyed || this.#stream.closed;
  }
}

export function deadlineExceeded(): ServeError {
  return new ServeError("deadline_exceeded", "the deadline passed before the response was ready", {
    reason: "deadline_exceeded",
  });
}

function clientLeft(): ServeError {
  return new ServeError("cancelled", "the client cancelled the call", { reason: "client_left" });
}

function ignore(): void {}
