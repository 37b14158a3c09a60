import { type Authenticator, callerFor, checkScope, notPermitted } from "../../gate/authenticator.ts";
import type { Caller, ModelRight } from "../../gate/caller.ts";
import { permittedAdministration, permittedInference } from "../../infer/permitted-inference.ts";
import { createCallerViews } from "../caller-views.ts";
import type { RestCall } from "./call/rest-call.ts";
import type { RestContext } from "./call/rest-context.ts";
import type { FoundRoute } from "./call/route-table.ts";
import { createSharedResponses } from "./call/shared-responses.ts";

/** Runs a call's route. */
export type Entrance = (call: RestCall, found: FoundRoute) => void;

/**
 * Lets calls to their routes: those of callers who may use them, each with a context that shows that caller's models and no others. Who asks is found
 * out for each request anew, whatever connection it came by. Without an authenticator everybody may come in.
 */
export function createEntrance(context: RestContext): Entrance {
  const { authenticator } = context;
  return authenticator === undefined ? runRoute : guardedEntrance(context, authenticator);
}

function guardedEntrance(context: RestContext, authenticator: Authenticator): Entrance {
  const viewOf = createCallerViews(context, (right) => restrictedContext(context, right));
  const enter = (call: RestCall, found: FoundRoute, caller: Caller): void => {
    call.enterAs(caller, viewOf(caller));
    checkScope(caller, found.route.needs ?? "infer");
    runRoute(call, found);
  };
  return (call, found) => {
    try {
      const need = found.route.needs ?? "infer";
      const caller = callerFor(authenticator, call.request.headers.authorization, need);
      if (!(caller instanceof Promise)) return enter(call, found, caller);
      caller.then((verified) => enter(call, found, verified)).catch((error: unknown) => call.fail(error));
    } catch (error) {
      call.fail(error);
    }
  };
}

function restrictedContext(context: RestContext, { includes }: ModelRight): RestContext {
  const inference = permittedInference(context.inference, includes, notPermitted);
  return {
    ...context,
    inference,
    administration: permittedAdministration(context.administration, includes, notPermitted),
    shared: createSharedResponses({ ...context, inference }),
  };
}

function runRoute(call: RestCall, { route, params }: FoundRoute): void {
  try {
    const running = route.run(call, params);
    if (running !== undefined) running.catch((error: unknown) => call.fail(error));
  } catch (error) {
    call.fail(error);
  }
}
