import { setImmediate as nextTurn } from "node:timers/promises";
import { CallSignal, type CancelSignal } from "../../base/call-signal.ts";
import type { Clock } from "../../base/clock.ts";
import { ServeError } from "../../base/errors.ts";
import { RequestStream } from "../../base/request-stream.ts";
import type { TracedCall } from "../../base/request-trace.ts";
import { startDeadline } from "../../gate/deadline.ts";
import { routeKeyOfCall, tenantOf, tracedCall } from "./call-facts.ts";
import type { StreamDialect } from "./dialects.ts";
import { type DrainSignal, draining } from "./drain-signal.ts";
import { type CallHandlers, deadlineExceeded, type GrpcCall } from "./grpc-call.ts";
import type { Arrival, Failure, InferenceDeps, InferenceReceiver } from "./inquiry.ts";
import { frameOf } from "./message-frame.ts";
import { runInference } from "./run-inference.ts";

export interface InferenceStreamOptions {
  readonly dialect: StreamDialect;
  readonly maxInFlight: number;
  readonly drain: DrainSignal;
  /** The first failure ends the stream with its status, instead of being a response. */
  readonly failuresEndStream: boolean;
}

/** A stream ends in a drain when all of its requests are answered and nothing came for this long … */
const QUIET_MS = 250;
/** … and takes nothing more after this time, for a client that never stops. */
const READ_ON_MS = 5_000;

/**
 * Many inferences over one call. Requests run side by side, those of one sequence one after another, and each is answered when it is ready. At most `maxInFlight` are
 * between "read" and "answer taken by the client"; past that the next message stays unread, so that a slow reader and an eager writer
 * are both held back by HTTP/2 flow control. After the client's half-close every request is still answered, then the call ends. In a drain
 * messages are read on: what the client sent before it could know must not be lost because too much was in flight to read it.
 */
export function inferenceStream(
  deps: InferenceDeps,
  call: GrpcCall,
  options: InferenceStreamOptions,
): CallHandlers {
  const stream = new RequestStream();
  let inFlight = 0;
  let isReading = true;
  let isHalfClosed = false;
  /** When a drain began to reject more messages; Infinity: none has begun. */
  let lastReadMs = Number.POSITIVE_INFINITY;
  let cancelQuiet = (): void => {};

  function answered(): void {
    inFlight--;
    if (inFlight === 0) endIfDone();
    readMore();
  }

  function endIfDone(): void {
    if (isHalfClosed) call.end();
    else if (deps.clock.nowMs() >= lastReadMs) call.fail(draining());
    else if (lastReadMs !== Number.POSITIVE_INFINITY) {
      cancelQuiet();
      cancelQuiet = deps.clock.after(QUIET_MS, () => void endIfQuiet());
    }
  }

  /** A process that was stalled reads what has come meanwhile before it judges. */
  async function endIfQuiet(): Promise<void> {
    await nextTurn();
    await nextTurn();
    if (inFlight === 0 && !call.ended) call.fail(draining());
  }

  function readMore(): void {
    if (isReading || isHalfClosed || inFlight >= options.maxInFlight) return;
    if (deps.clock.nowMs() >= lastReadMs) return;
    isReading = true;
    call.read();
  }

  const receiver: StreamReceiver = {
    answered(frame, message) {
      if (call.ended) return;
      try {
        call.send(frame, answered);
      } catch (thrown) {
        this.failed({ error: ServeError.from(thrown), model: "", request: undefined }, message);
      }
    },
    failed(failure, message) {
      if (call.ended) return;
      const { encodeFailure } = options.dialect;
      if (options.failuresEndStream || encodeFailure === undefined) call.fail(failure.error);
      else call.send(frameOf(encodeFailure(failure, message)), answered);
    },
  };

  call.onEnd(() => stream.close());
  options.drain.onDrain(call, () => {
    lastReadMs = deps.clock.nowMs() + READ_ON_MS;
    if (inFlight === 0) endIfDone();
  });

  /** A stream may outlive the right to use it. */
  function checkCaller(): void {
    try {
      const caller = deps.authenticator?.identify(call.header("authorization"));
      if (caller instanceof Promise) caller.catch((thrown: unknown) => call.fail(ServeError.from(thrown)));
    } catch (thrown) {
      call.fail(ServeError.from(thrown));
    }
  }

  return {
    onMessage(message) {
      checkCaller();
      if (call.ended) return;
      isReading = false;
      cancelQuiet();
      inFlight++;
      const inference = new StreamedInference(deps, call, { message, receiver, stream });
      runInference(deps, { dialect: options.dialect, message, arrival: inference, receiver: inference });
      readMore();
    },
    onHalfClose() {
      isHalfClosed = true;
      if (inFlight === 0) endIfDone();
    },
  };
}

interface StreamReceiver {
  answered(frame: Buffer, message: Buffer): void;
  failed(failure: Failure, message: Buffer): void;
}

/** One message of a stream. If it has a deadline of its own, that ends this request and not the stream. */
class StreamedInference implements Arrival, InferenceReceiver {
  readonly receivedMs: number;
  readonly bodyMs: number;
  readonly deadlineMs: number | undefined;
  readonly tenant: string | undefined;
  readonly routeKey: string | undefined;
  readonly stream: RequestStream;
  readonly #clock: Clock;
  readonly #call: GrpcCall;
  readonly #message: Buffer;
  readonly #receiver: StreamReceiver;
  #own: CallSignal | undefined;
  #cancelTimer: (() => void) | undefined;
  #isOver = false;

  constructor(
    deps: InferenceDeps,
    call: GrpcCall,
    parts: {
      readonly message: Buffer;
      readonly receiver: StreamReceiver;
      readonly stream: RequestStream;
    },
  ) {
    this.receivedMs = this.bodyMs = deps.clock.nowMs();
    this.deadlineMs = call.deadlineMs;
    this.tenant = tenantOf(deps, call);
    this.routeKey = routeKeyOfCall(deps, call);
    this.#clock = deps.clock;
    this.#call = call;
    this.stream = parts.stream;
    this.#message = parts.message;
    this.#receiver = parts.receiver;
  }

  get signal(): CancelSignal {
    return this.#own ?? this.#call.signal;
  }

  get traceparent(): string | undefined {
    return this.#call.header("traceparent");
  }

  traced(): TracedCall {
    return tracedCall(this.#call);
  }

  /** Not `AbortSignal.any`: on Node 20 each use would leave a trace in the signal of a call that may live for days. */
  bound(deadlineMs: number): CancelSignal {
    const own = new CallSignal();
    this.#own = own;
    this.#call.signal.addEventListener("abort", this);
    this.#cancelTimer = startDeadline(this.#clock, deadlineMs, () => {
      const error = deadlineExceeded();
      own.abort(error);
      this.failed({ error, model: "", request: undefined });
    });
    return own;
  }

  /** The call ended. */
  handleEvent(): void {
    this.#own?.abort(this.#call.signal.reason as ServeError);
  }

  answered(frame: Buffer): void {
    if (this.#finish()) this.#receiver.answered(frame, this.#message);
  }

  failed(failure: Failure): void {
    if (this.#finish()) this.#receiver.failed(failure, this.#message);
  }

  #finish(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#cancelTimer?.();
    if (this.#own !== undefined) this.#call.signal.removeEventListener("abort", this);
    return true;
  }
}
