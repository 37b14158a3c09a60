import { ServeError } from "../../../base/errors.ts";
import type { TorchserveManagement } from "../../torchserve/management.ts";
import type { TorchserveApis } from "../../torchserve/torchserve-apis.ts";
import { NOTHING_ASKED, tokenFailure } from "../../torchserve/torchserve-failure.ts";
import type { RestCall } from "../call/rest-call.ts";
import type { Route, RouteParams } from "../call/route.ts";
import { torchserveError } from "./torchserve-response.ts";

/** From now on this call's errors are TorchServe's. */
export function spellAsTorchserve(
  call: RestCall,
  { model, version }: RouteParams,
  management?: TorchserveManagement,
): void {
  call.spellError = (error, random) => {
    if (model === undefined) return torchserveError(error, random, NOTHING_ASKED);
    const isKnown = version !== undefined && isModel(call, model);
    return torchserveError(error, random, {
      model,
      version: isKnown ? version : undefined,
      hasNoWorkers: management?.hasNoWorkers(model) ?? false,
      isUnregistered: call.context.inference.presence(model) === "unloaded",
    });
  };
}

/** The same routes for those who hold TorchServe's tokens: whoever does not is told so in its words. */
export function forTokens(routes: readonly Route[], { renewToken }: TorchserveApis): readonly Route[] {
  if (renewToken === undefined) return routes;
  return routes.map((route) => ({
    ...route,
    refuse(call, error) {
      const { code } = ServeError.from(error);
      spellAsTorchserve(call, {});
      call.fail(code === "unauthenticated" || code === "permission_denied" ? tokenFailure() : error);
    },
  }));
}

function isModel(call: RestCall, name: string): boolean {
  try {
    call.context.inference.isModelReady(name, undefined);
    return true;
  } catch {
    return false;
  }
}

/** The version in a URL: TorchServe counts 1.0, and this server 1. */
export function plainVersion({ version }: RouteParams): string | undefined {
  return version?.replace(/^([1-9][0-9]*)\.0$/, "$1");
}

/** What a URL says behind its question mark. */
export function queryOf({ request: { url = "" } }: RestCall): URLSearchParams {
  const start = url.indexOf("?");
  return new URLSearchParams(start < 0 ? "" : url.slice(start + 1));
}
