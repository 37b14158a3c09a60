import { setMaxListeners } from "node:events";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock } from "../../base/clock.ts";
import { ServeError } from "../../base/errors.ts";
import { startDeadline } from "../../gate/deadline.ts";
import type { StreamDialect } from "./dialects.ts";
import { type DrainSignal, draining } from "./drain-signal.ts";
import { type CallHandlers, deadlineExceeded, type GrpcCall } from "./grpc-call.ts";
import { frameOf } from "./message-frame.ts";
import {
  type Encoded,
  type Failure,
  type InferenceDeps,
  isFailure,
  runInference,
  tenantOf,
} from "./run-inference.ts";

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
 * Many inferences over one call. Requests run side by side, and each is answered when it is ready. At most `maxInFlight` are
 * between "read" and "answer taken by the client"; past that the next message stays unread, so that a slow reader and an eager writer
 * are both held back by HTTP/2 flow control. After the client's half-close every request is still answered, then the call ends. In a drain
 * messages are read on: what the client sent before it could know must not be lost because too much was in flight to read it.
 */
export function inferenceStream(
  deps: InferenceDeps,
  call: GrpcCall,
  options: InferenceStreamOptions,
): CallHandlers {
  // Every request in flight listens for the call's end, and their number is bounded; Node would warn of a leak from the eleventh on.
  setMaxListeners(0, call.signal);
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

  async function run(message: Buffer): Promise<void> {
    const result = await inferWithin(deps, call, options.dialect, message);
    if (call.ended) return;
    if (isFailure(result)) return reject(result, message);
    try {
      call.send(result.frame, answered);
    } catch (thrown) {
      reject({ error: ServeError.from(thrown), model: "", request: undefined }, message);
    }
  }

  function reject(failure: Failure, message: Buffer): void {
    if (options.failuresEndStream) call.fail(failure.error);
    else call.send(frameOf(options.dialect.encodeFailure(failure, message)), answered);
  }

  options.drain.onDrain(call, () => {
    lastReadMs = deps.clock.nowMs() + READ_ON_MS;
    if (inFlight === 0) endIfDone();
  });

  return {
    onMessage(message) {
      isReading = false;
      cancelQuiet();
      inFlight++;
      void run(message);
      readMore();
    },
    onHalfClose() {
      isHalfClosed = true;
      if (inFlight === 0) endIfDone();
    },
  };
}

/** Runs one request; if it has a deadline of its own, that ends this request and not the stream. */
function inferWithin(
  deps: InferenceDeps,
  call: GrpcCall,
  dialect: StreamDialect,
  message: Buffer,
): Promise<Encoded | Failure> {
  const nowMs = deps.clock.nowMs();
  let own: OwnDeadline | undefined;
  const bound = (deadlineMs: number): AbortSignal => {
    own = ownDeadline(call.signal, deps.clock, deadlineMs);
    return own.signal;
  };
  const arrival = {
    receivedMs: nowMs,
    bodyMs: nowMs,
    signal: call.signal,
    deadlineMs: call.deadlineMs,
    tenant: tenantOf(deps, call),
    bound,
  };
  const running = runInference(deps, dialect, message, arrival);
  // Decoding is over by now, so `own` is known.
  if (own === undefined) return running;
  return Promise.race([running, own.expired]).finally(own.release);
}

interface OwnDeadline {
  /** Fires with the call's signal or when the deadline passed. */
  readonly signal: AbortSignal;
  readonly expired: Promise<Failure>;
  readonly release: () => void;
}

/** Not `AbortSignal.any`: on Node 20 each use would leave a trace in the signal of a call that may live for days. */
function ownDeadline(parent: AbortSignal, clock: Clock, deadlineMs: number): OwnDeadline {
  const abort = new AbortController();
  const onParent = () => abort.abort(parent.reason);
  let cancelTimer: (() => void) | undefined;
  parent.addEventListener("abort", onParent);
  const expired = new Promise<Failure>((resolve) => {
    cancelTimer = startDeadline(clock, deadlineMs, () => {
      const error = deadlineExceeded();
      abort.abort(error);
      resolve({ error, model: "", request: undefined });
    });
  });
  const release = () => {
    cancelTimer?.();
    parent.removeEventListener("abort", onParent);
  };
  return { signal: abort.signal, expired, release };
}
