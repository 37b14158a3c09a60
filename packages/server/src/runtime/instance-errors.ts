import { ServeError } from "../base/errors.ts";
import type { SupervisorState } from "../worker/supervisor.ts";
import { failureReason } from "../worker/worker.ts";
import type { LoadSpec } from "./runtime.ts";

/** Why an instance takes no run now. */
export function notReady(state: Exclude<SupervisorState, { kind: "ready" }>): ServeError {
  const why = "reason" in state ? `: ${state.reason}` : "";
  return new ServeError("unavailable", `this instance of the model is ${state.kind}${why}`, {
    reason: "instance_not_ready",
  });
}

/** A worker that dies over the same file twice cannot serve it; a time that ran out while loading is not a request's. */
export function startError(thrown: unknown): ServeError {
  const error = ServeError.from(thrown);
  if (!error.reason.startsWith("worker_died")) return error;
  return new ServeError(
    "failed_precondition",
    `the worker died twice while it loaded the model; last reason: ${failureReason(error)}`,
    {
      reason: "worker_died_loading",
      cause: error,
    },
  );
}

/** A time that ran out while loading is the one of `load_timeout_ms`. */
export function loadError(thrown: unknown, spec: LoadSpec): ServeError {
  const error = ServeError.from(thrown);
  if (error.reason !== "execution_timeout") return error;
  const seconds = spec.options.loadTimeoutMs / 1000;
  return new ServeError(
    "deadline_exceeded",
    `the model did not load within ${seconds} s; raise load_timeout_ms if it needs longer`,
    {
      reason: "load_timeout",
      cause: error,
    },
  );
}
