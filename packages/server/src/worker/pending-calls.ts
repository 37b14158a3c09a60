import type { Clock } from "../base/clock.ts";
import { type Deferred, deferred } from "../base/deferred.ts";
import { type ErrorCode, isErrorCode, isErrorReason, ServeError } from "../base/errors.ts";
import { FRAME_KINDS, type Frame, protocolError } from "./frame.ts";
import { type Call, type CallResult, workerDiedAmongError, workerDiedError } from "./worker.ts";

interface Pending {
  readonly call: Call;
  /** When the worker may have begun it: when it was sent, or when the call before it was answered. */
  startedMs: number;
  readonly resolve: (result: CallResult) => void;
  readonly reject: (error: ServeError) => void;
}

/** An error as it travels in the header of an error frame. */
export interface WireError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly reason: string;
  /** For the log only. */
  readonly detail?: string | undefined;
}

/** A late result may already lie in the socket when this process was stalled; this is how long it gets to be read. */
const STALL_GRACE_MS = 50;

/**
 * The calls a worker has not answered, oldest first. A worker works in order, so the oldest is the one that may be executing, and only
 * its time runs; calls that may overtake others run beside it, and have their time when they are the oldest. One timer watches them all; it is armed when it is needed and not once per call.
 */
export class PendingCalls {
  readonly #clock: Clock;
  readonly #onTimeout: (seconds: number) => void;
  readonly #calls = new Map<number, Pending>();
  #nextId = 1;
  #cancelTimer: (() => void) | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #answered = 0;
  #idle: Deferred<void> | undefined;

  /** `onTimeout` must end the worker; its calls are then rejected by `rejectAll`. */
  constructor(clock: Clock, onTimeout: (seconds: number) => void) {
    this.#clock = clock;
    this.#onTimeout = onTimeout;
  }

  get size(): number {
    return this.#calls.size;
  }

  get answered(): number {
    return this.#answered;
  }

  /** Registers a call and gives it to `send` under its id. */
  add(call: Call, send: (id: number) => void): Promise<CallResult> {
    return new Promise((resolve, reject) => {
      const id = this.#nextId;
      this.#nextId = id === 0xffff_ffff ? 1 : id + 1;
      this.#calls.set(id, { call, startedMs: this.#clock.nowMs(), resolve, reject });
      if (this.#calls.size === 1) this.#watch(call.timeoutMs);
      send(id);
    });
  }

  /** Settles or notifies the call that a frame belongs to. Throws `worker_protocol` for a frame that belongs to none. */
  take(frame: Frame): void {
    const oldest = this.#calls.entries().next();
    const isOldest = !oldest.done && oldest.value[0] === frame.id;
    const pending = isOldest ? oldest.value[1] : this.#overtaking(frame.id);
    if (frame.kind === FRAME_KINDS.note) {
      const { onNote, onBytes } = pending.call;
      if (onBytes !== undefined) onBytes(frame.header, frame.payload);
      else onNote?.(Buffer.from(frame.header).toString("utf8"));
      return;
    }
    const error = frame.kind === FRAME_KINDS.result ? undefined : decodeError(frame.header);
    this.#calls.delete(frame.id);
    this.#answered++;
    if (isOldest) this.#startNext();
    if (error === undefined) pending.resolve(frame);
    else pending.reject(error);
  }

  /** Resolves when no call is in flight. */
  idle(): Promise<void> {
    if (this.#calls.size === 0) return Promise.resolve();
    this.#idle ??= deferred();
    return this.#idle.promise;
  }

  /** The worker is gone: `blame` is for the call that may have been executing, the others had not begun. */
  rejectAll(blame: ServeError, reason: string): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const areAmong = this.#calls.size > 1;
    let isOldest = true;
    for (const pending of this.#calls.values()) {
      if (areAmong && pending.call.mayOvertake === true && (!isOldest || blame.reason === "worker_died"))
        pending.reject(workerDiedAmongError(reason));
      else pending.reject(isOldest ? blame : workerDiedError(reason, "waiting"));
      isOldest = false;
    }
    this.#calls.clear();
    this.#idle?.resolve();
  }

  #overtaking(id: number): Pending {
    const pending = this.#calls.get(id);
    if (pending?.call.mayOvertake !== true) throw protocolError("it answered a call out of turn");
    return pending;
  }

  #startNext(): void {
    const next = this.#calls.values().next();
    if (next.done) {
      this.#idle?.resolve();
      return;
    }
    next.value.startedMs = this.#clock.nowMs();
    this.#watch(next.value.call.timeoutMs);
  }

  #watch(timeoutMs: number): void {
    const atMs = this.#clock.nowMs() + timeoutMs;
    if (this.#cancelTimer !== undefined && this.#timerAtMs <= atMs) return;
    this.#arm(atMs);
  }

  #arm(atMs: number): void {
    this.#cancelTimer?.();
    this.#timerAtMs = atMs;
    this.#cancelTimer = this.#clock.after(Math.max(0, atMs - this.#clock.nowMs()), () => this.#check());
  }

  #check(): void {
    this.#cancelTimer = undefined;
    const oldest = this.#calls.values().next();
    if (oldest.done) return;
    const pending = oldest.value;
    const dueMs = pending.startedMs + pending.call.timeoutMs;
    if (this.#clock.nowMs() < dueMs) {
      this.#arm(dueMs);
      return;
    }
    this.#cancelTimer = this.#clock.after(STALL_GRACE_MS, () => {
      this.#cancelTimer = undefined;
      if (this.#calls.values().next().value === pending) this.#onTimeout(pending.call.timeoutMs / 1000);
      else if (this.#calls.size > 0) this.#check();
    });
  }
}

/** An error as the header of an error frame. */
export function encodeError(error: WireError): Uint8Array {
  return Buffer.from(JSON.stringify(error), "utf8");
}

function decodeError(header: Uint8Array): ServeError {
  let wire: Partial<WireError>;
  try {
    wire = JSON.parse(Buffer.from(header).toString("utf8")) as Partial<WireError>;
  } catch {
    throw protocolError("an error cannot be read");
  }
  const { code, message, reason, detail } = wire;
  if (!isErrorCode(code) || typeof message !== "string" || typeof reason !== "string") {
    throw protocolError("an error lacks its code, message or reason");
  }
  return ServeError.of(code, message, { reason: isErrorReason(reason) ? reason : code, cause: detail });
}
