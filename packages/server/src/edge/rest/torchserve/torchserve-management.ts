import { abortSignalOf } from "../../../base/call-signal.ts";
import { ServeError } from "../../../base/errors.ts";
import { checkModelName } from "../../../gate/model-name.ts";
import { JSON_TYPE, type RestCall } from "../call/rest-call.ts";
import type { Route, RouteParams } from "../call/route.ts";
import { bad } from "../json/fields.ts";
import { plainVersion, queryOf, spellAsTorchserve } from "./torchserve-call.ts";
import { prettyJson } from "./torchserve-response.ts";

/** What of TorchServe's management API changes something: for the administrator, under model control. */
export function torchserveManagementRoutes(): readonly Route[] {
  return [
    { method: "POST", urls: ["/models"], needs: "admin", run: register },
    { method: "PUT", urls: ["/models/:model", "/models/:model/:version"], needs: "admin", run: scale },
    {
      method: "DELETE",
      urls: ["/models/:model", "/models/:model/:version"],
      needs: "admin",
      run: unregister,
    },
  ];
}

/** A file of the model store: a bare name, so that no request fetches anything or leaves the folder. */
const ARCHIVE = /^([A-Za-z0-9][A-Za-z0-9._-]*?)(?:\.mar)?$/;
/** What TorchServe lets a request choose, and an operator here; with the key of model.yaml. */
const SET_ELSEWHERE: Readonly<Record<string, string>> = {
  batch_size: "max_batch_size",
  max_batch_delay: "max_queue_delay",
  response_timeout: "execution_timeout",
  startup_timeout: "load_timeout",
  handler: "the archive",
};

async function register(call: RestCall): Promise<void> {
  const { by } = admit(call, {});
  const query = queryOf(call);
  const url = query.get("url") ?? "";
  if (url === "") throw bad("url", "Parameter url is required.");
  const [, name] = ARCHIVE.exec(url) ?? [];
  if (name === undefined || url.includes(".."))
    throw bad(
      "url",
      "only the name of a file in the models folder is taken, such as resnet.mar; nothing is fetched",
    );
  checkModelName(name);
  const wanted = query.get("model_name");
  if (wanted !== null && wanted !== name)
    throw bad("model_name", `a model has the name of its file, which is ${name}; rename the file`);
  const { inference, administration } = call.context;
  spellAsTorchserve(call, { model: name });
  if (isServed(call, name)) {
    throw new ServeError(
      "already_exists",
      `Model version ${versionOf(call, name)} is already registered for model ${name}`,
    );
  }
  call.takeDeadline(new Map());
  await administration.loadModel(name, abortSignalOf(call.signal), by);
  const { instances } = inference.modelConfiguration(name, undefined).settings;
  const unheard = Object.keys(SET_ELSEWHERE).filter((key) => query.has(key));
  const remark = unheard.map((key) => `; ${key} is set by ${SET_ELSEWHERE[key]} here`).join("");
  const workers = `registered with ${instances} initial workers`;
  answer(call, 200, `Model "${name}" Version: ${versionOf(call, name)} ${workers}${remark}`);
}

/** How many workers there are is in model.yaml: a request may ask for as many as there are. */
function scale(call: RestCall, params: RouteParams): void {
  const { name } = admit(call, params);
  const { instances } = call.context.inference.modelConfiguration(name, plainVersion(params)).settings;
  const query = queryOf(call);
  for (const key of ["min_worker", "max_worker"]) {
    const wanted = query.get(key);
    if (wanted === null || wanted === String(instances)) continue;
    throw new ServeError(
      "unimplemented",
      `${key}: model ${name} has ${instances} workers; set instances in model.yaml, and load it again`,
    );
  }
  answer(call, 200, `Workers scaled to ${instances} for model: ${name}`);
}

async function unregister(call: RestCall, params: RouteParams): Promise<void> {
  const { name, by } = admit(call, params);
  const { inference, administration } = call.context;
  const { versions } = inference.modelMetadata(name, plainVersion(params));
  if (params["version"] !== undefined && versions.length > 1) {
    throw new ServeError(
      "unimplemented",
      `model ${name} has ${versions.length} versions, which are unloaded together: DELETE /models/${name}`,
    );
  }
  call.takeDeadline(new Map());
  await administration.unloadModel(name, abortSignalOf(call.signal), by);
  answer(call, 200, `Model "${name}" unregistered`);
}

/** The model in the URL, if the caller is the administrator; any other caller learns nothing. */
function admit(call: RestCall, params: RouteParams): { readonly name: string; readonly by: string } {
  spellAsTorchserve(call, params);
  const by = call.context.adminGate.admit(call.credentials);
  const name = params["model"] ?? "";
  if (params["model"] !== undefined) checkModelName(name);
  return { name, by };
}

function isServed(call: RestCall, name: string): boolean {
  try {
    return call.context.inference.isModelReady(name, undefined);
  } catch {
    // A model that nobody knows yet: its file may have come since the folder was looked at.
    return false;
  }
}

function versionOf(call: RestCall, name: string): string {
  return `${call.context.inference.modelMetadata(name, undefined).versions.at(-1) ?? "1"}.0`;
}

function answer(call: RestCall, code: number, status: string): void {
  call.send(code, JSON_TYPE, prettyJson({ status }));
}
