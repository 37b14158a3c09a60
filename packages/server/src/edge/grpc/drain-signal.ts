import { ServeError } from "../../base/errors.ts";
import type { GrpcCall } from "./grpc-call.ts";

/** Tells calls without an end of their own (streams, health watches) that the server wants to stop. */
export interface DrainSignal {
  /** Calls `callback` once when the drain begins, unless `call` has ended by then; at once when it began already. */
  onDrain(call: GrpcCall, callback: () => void): void;
  start(): void;
}

export function createDrainSignal(): DrainSignal {
  const callbacks = new Set<() => void>();
  let isStarted = false;
  return {
    onDrain(call, callback) {
      if (isStarted) return callback();
      callbacks.add(callback);
      call.onEnd(() => callbacks.delete(callback));
    },
    start() {
      isStarted = true;
      for (const callback of callbacks) callback();
    },
  };
}

/** Ends a call that could have gone on; the client should open it again elsewhere. */
export function draining(): ServeError {
  return new ServeError("unavailable", "the server is shutting down; open the call again", {
    reason: "draining",
  });
}
