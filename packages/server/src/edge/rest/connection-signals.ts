import { setMaxListeners } from "node:events";

/** One controller per connection, shared by its requests: making one per request costs more than most of the request's other work. */
export interface ConnectionSignals {
  /** Aborted when the connection ends; a connection that was aborted gets a new one. */
  of(connection: object): AbortController;
}

export function createConnectionSignals(): ConnectionSignals {
  const controllers = new WeakMap<object, AbortController>();
  return {
    of(connection) {
      const known = controllers.get(connection);
      if (known !== undefined && !known.signal.aborted) return known;
      const controller = new AbortController();
      // Pipelined requests may all listen at once; that is not a leak.
      setMaxListeners(0, controller.signal);
      controllers.set(connection, controller);
      return controller;
    },
  };
}
