import type { Clock } from "../base/clock.ts";
import { ServeError } from "../base/errors.ts";

/** A body on its way from a client, or a response on its way to one. It holds memory for as long as the client likes to take. */
export interface Transfer {
  /** By the pace's clock; from then on its pace counts. */
  readonly startedMs: number;
  /** Bytes so far, as they went over the wire. */
  readonly moved: number;
  /** What it holds of the byte budget. */
  readonly heldBytes: number;
  /** Called once when its client is too slow. What it held is given back when this returns. */
  end(error: ServeError): void;
}

/** Ends transfers of clients that trickle, and with them what they hold of the byte budget. */
export interface SlowClientGuard {
  /** Monotonic; may stand still while this process does: what came meanwhile is unread, not late. */
  nowMs(): number;
  watch(transfer: Transfer): void;
  unwatch(transfer: Transfer): void;
  /** All of this one is here and only its client's last word is missing: should that not follow at once, it gives way first. */
  complete(transfer: Transfer): void;
  /** Gives up transfers that wait for nothing, then slow ones, those that have been slow for longest first, until they held `bytes` together or no slow one is left. */
  reclaim(bytes: number): void;
}

export interface SlowClientLimits {
  /** Whoever is slower than this on average after the grace is given up. */
  readonly minBytesPerSecond: number;
  /** Whoever was slower than this for most of a grace is given up when its place is needed. */
  readonly slowBytesPerSecond: number;
  /** How long a transfer may take at any rate. */
  readonly graceMs: number;
}

export const DEFAULT_SLOW_CLIENT_LIMITS: SlowClientLimits = {
  minBytesPerSecond: 1024,
  slowBytesPerSecond: 64 * 1024,
  graceMs: 5000,
};

/** The end of a call comes right behind its message. */
const LAST_WORD_MS = 100;
/** A look that comes this late says more about this process than about its clients. */
const STALL_MS = 1000;
const RETRY_AFTER_MS = 1000;

/**
 * One look at all transfers several times per grace, instead of a timer for each: most are there at once, and entering and leaving a
 * set costs them next to nothing. `onEnded` is told why, for each that is given up.
 */
export function createSlowClientGuard(
  clock: Clock,
  limits: SlowClientLimits = DEFAULT_SLOW_CLIENT_LIMITS,
  onEnded: (reason: string) => void = ignore,
): SlowClientGuard {
  const { minBytesPerSecond, slowBytesPerSecond, graceMs } = limits;
  const lookMs = graceMs / 5;
  const windowMs = lookMs * 4;
  const windowBytes = (slowBytesPerSecond * windowMs) / 1000;
  const transfers = new Set<Transfer>();
  /** Where those were that have been here at a look. */
  const marks = new Map<Transfer, { readonly atMs: number; readonly moved: number }>();
  const slow = new Set<Transfer>();
  /** Since when those have been complete that lack their end, in that order. */
  const complete = new Map<Transfer, number>();
  let isLooking = false;

  const look = (dueMs: number): void => {
    isLooking = false;
    const nowMs = clock.nowMs();
    if (nowMs - dueMs > STALL_MS) {
      marks.clear();
      slow.clear();
    } else for (const transfer of transfers) judge(transfer, nowMs);
    lookLater();
  };
  const judge = (transfer: Transfer, nowMs: number): void => {
    const lateMs = nowMs - transfer.startedMs - graceMs;
    if (lateMs > 0 && transfer.moved < (lateMs / 1000) * minBytesPerSecond) {
      end(transfer, tooSlow(minBytesPerSecond));
      return;
    }
    const mark = marks.get(transfer);
    if (mark !== undefined && nowMs - mark.atMs < windowMs) return;
    marks.set(transfer, { atMs: nowMs, moved: transfer.moved });
    if (mark === undefined) return;
    if (transfer.moved - mark.moved < windowBytes) slow.add(transfer);
    else slow.delete(transfer);
  };
  const lookLater = (): void => {
    if (isLooking || transfers.size === 0) return;
    isLooking = true;
    const dueMs = clock.nowMs() + lookMs;
    clock.after(lookMs, () => look(dueMs));
  };
  const forget = (transfer: Transfer): void => {
    transfers.delete(transfer);
    if (marks.delete(transfer)) slow.delete(transfer);
    if (complete.size > 0) complete.delete(transfer);
  };
  const end = (transfer: Transfer, error: ServeError): void => {
    forget(transfer);
    onEnded(error.reason);
    transfer.end(error);
  };

  return {
    nowMs: () => clock.nowMs(),
    watch(transfer) {
      transfers.add(transfer);
      lookLater();
    },
    unwatch: forget,
    complete(transfer) {
      complete.set(transfer, clock.nowMs());
    },
    reclaim(bytes) {
      let freed = 0;
      const lastMs = clock.nowMs() - LAST_WORD_MS;
      for (const [transfer, sinceMs] of complete) {
        if (freed >= bytes || sinceMs > lastMs) break;
        freed += transfer.heldBytes;
        end(transfer, unfinished());
      }
      for (const transfer of slow) {
        if (freed >= bytes) return;
        if (transfer.heldBytes === 0) continue;
        freed += transfer.heldBytes;
        end(transfer, placeNeeded(slowBytesPerSecond));
      }
    },
  };
}

function tooSlow(minBytesPerSecond: number): ServeError {
  return new ServeError(
    "deadline_exceeded",
    `the body comes in more slowly than ${minBytesPerSecond} bytes per second`,
    { reason: "request_timeout" },
  );
}

function unfinished(): ServeError {
  return new ServeError(
    "unavailable",
    "the memory for requests in flight is used up, and this call was not finished after its message",
    { reason: "slow_transfer", retryAfterMs: RETRY_AFTER_MS },
  );
}

function placeNeeded(slowBytesPerSecond: number): ServeError {
  return new ServeError(
    "unavailable",
    `the memory for requests in flight is used up, and this one comes in more slowly than ${slowBytesPerSecond} bytes per second`,
    { reason: "slow_transfer", retryAfterMs: RETRY_AFTER_MS },
  );
}

function ignore(): void {}
