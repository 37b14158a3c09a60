import { ServeError } from "../../../base/errors.ts";
import { checkModelName, checkModelVersion } from "../../../gate/model-name.ts";
import type { RestCall } from "./rest-call.ts";
import type { ModelName } from "./rest-inference.ts";
import type { RouteParams } from "./route.ts";

/** The model and version that a URL names. Throws `not_found` for names that no model can have. */
export function modelOf(params: RouteParams): ModelName {
  const name = params["model"];
  if (name === undefined) throw new ServeError("not_found", "the URL names no model");
  checkModelName(name);
  return [name, checkModelVersion(params["version"])];
}

/** The same for an inference, which counts as a request for this name from now on, whether or not a model can have it. */
export function askedModelOf(call: RestCall, params: RouteParams): ModelName {
  call.ask(params["model"], params);
  return modelOf(params);
}
