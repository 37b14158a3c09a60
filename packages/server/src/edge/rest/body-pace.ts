import type { Clock } from "../../base/clock.ts";
import { ServeError } from "../../base/errors.ts";

/** A body on its way. */
export interface ArrivingBody {
  /** Bytes so far, as they came over the wire. */
  received: number;
  /** Called once when it is too slow. */
  fail(error: ServeError): void;
}

/** Ends requests whose bodies trickle in, and with them what they hold of the byte budget. */
export interface BodyPace {
  watch(body: ArrivingBody): void;
  unwatch(body: ArrivingBody): void;
}

export interface BodyPaceOptions {
  /** Stands still while this process does: what came meanwhile is unread, not late. */
  readonly clock: Clock;
  readonly minBytesPerSecond: number;
  /** How long a body may take at any rate. */
  readonly graceMs: number;
}

/**
 * One look at all arriving bodies several times per grace, instead of a timer for each: most bodies are there at once, and entering
 * and leaving a set costs them next to nothing.
 */
export function createBodyPace({ clock, minBytesPerSecond, graceMs }: BodyPaceOptions): BodyPace {
  /** With the time when each began to arrive. */
  const arriving = new Map<ArrivingBody, number>();
  let isLooking = false;

  const look = (): void => {
    isLooking = false;
    const nowMs = clock.nowMs();
    for (const [body, startedMs] of arriving) {
      const lateMs = nowMs - startedMs - graceMs;
      if (lateMs <= 0 || body.received >= (lateMs / 1000) * minBytesPerSecond) continue;
      arriving.delete(body);
      body.fail(tooSlow(minBytesPerSecond));
    }
    lookLater();
  };
  const lookLater = (): void => {
    if (isLooking || arriving.size === 0) return;
    isLooking = true;
    clock.after(graceMs / 5, look);
  };

  return {
    watch(body) {
      arriving.set(body, clock.nowMs());
      lookLater();
    },
    unwatch: (body) => {
      arriving.delete(body);
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
