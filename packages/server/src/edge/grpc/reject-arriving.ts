import type { NamedModel } from "@sconce/protocol/grpc";
import { ServeError } from "../../base/errors.ts";
import { Timeline } from "../../base/timeline.ts";
import { checkTenant } from "../../gate/tenant.ts";
import { beginTrace } from "./begin-trace.ts";
import type { Arrival, InferenceDeps } from "./inquiry.ts";

/**
 * Throws, and reports to the observer, what a request for this model is rejected with whatever the rest of its message says. `reject` is told of what
 * cannot be said at once, and returns whether the call goes on. `named` undefined: the beginning of the message does not name the model.
 */
export function rejectArriving(
  deps: InferenceDeps,
  named: NamedModel | undefined,
  { arrival, reject }: { readonly arrival: Arrival; reject(error: ServeError): boolean },
): void {
  if (named === undefined) return;
  const { model: asked, version } = named;
  const observe = (failure: ServeError): void => {
    const timeline = new Timeline(arrival.receivedMs);
    if (deps.tracer !== undefined) beginTrace(deps.tracer, arrival, timeline);
    const { code } = failure;
    deps.observer.observe({ protocol: "grpc", answeredBy: undefined, asked, code, timeline, failure });
  };
  let rejection: ServeError | undefined;
  try {
    checkTenant(arrival.tenant);
    const door = deps.inference.door(asked, version);
    rejection = door?.rejectEarly(arrival);
    void door?.rejectLater?.(arrival).then((later) => {
      if (later !== undefined && reject(later)) observe(later);
    });
  } catch (thrown) {
    rejection = ServeError.from(thrown);
  }
  if (rejection === undefined) return;
  observe(rejection);
  throw rejection;
}
