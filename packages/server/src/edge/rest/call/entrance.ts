import { callerFor, checkScope, notPermitted } from "../../../gate/authenticator.ts";
import type { Caller, ModelRight, Need } from "../../../gate/caller.ts";
import { permittedAdministration, permittedInference } from "../../../infer/permitted-inference.ts";
import type { Authentication } from "../../authentication.ts";
import { createCallerViews } from "../../caller-views.ts";
import type { RestCall } from "./rest-call.ts";
import type { RestContext } from "./rest-context.ts";
import type { FoundRoute } from "./route-table.ts";
import { createSharedResponses } from "./shared-responses.ts";

/** Lets calls in. */
export interface Entrance {
  /** Runs a call's route, or answers the call with why not. */
  enter(call: RestCall, found: FoundRoute): void;
  /** What whoever sends this header may see of the server, for something that goes on for longer than a call. Throws or rejects like a call. */
  contextFor(authorization: string | undefined): RestContext | Promise<RestContext>;
}

/**
 * Lets calls to their routes: those of callers who may use them, each with a context that shows that caller's models and no others. Who asks is found
 * out for each request anew, whatever connection it came by. Without an authenticator everybody may come in.
 */
export function createEntrance(context: RestContext): Entrance {
  const { authentication } = context;
  return authentication === undefined
    ? { enter: runRoute, contextFor: () => context }
    : guardedEntrance(context, authentication);
}

function guardedEntrance(context: RestContext, { authenticator, audit, denied }: Authentication): Entrance {
  const viewOf = createCallerViews(context, (right) => restrictedContext(context, right));
  const admitted = (caller: Caller, need: Need): RestContext => {
    if (need === "admin" && !caller.scopes.has(need)) denied(caller.name);
    checkScope(caller, need);
    const view = viewOf(caller);
    return need === "admin" ? { ...view, administration: audit(view.administration, caller.name) } : view;
  };
  const enterAs = (caller: Caller, call: RestCall, found: FoundRoute): void => {
    call.enterAs(caller, admitted(caller, found.route.needs ?? "infer"));
    runRoute(call, found);
  };
  const refuse = (call: RestCall, { route }: FoundRoute, error: unknown): void =>
    route.refuse === undefined ? call.fail(error) : route.refuse(call, error);
  return {
    enter(call, found) {
      try {
        const { authorization } = call.request.headers;
        const caller = callerFor(authenticator, authorization, found.route.needs ?? "infer");
        if (!(caller instanceof Promise)) enterAs(caller, call, found);
        else
          caller
            .then((verified) => enterAs(verified, call, found))
            .catch((error: unknown) => refuse(call, found, error));
      } catch (error) {
        refuse(call, found, error);
      }
    },
    contextFor(authorization) {
      const caller = authenticator.identify(authorization);
      return caller instanceof Promise
        ? caller.then((verified) => admitted(verified, "infer"))
        : admitted(caller, "infer");
    },
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
