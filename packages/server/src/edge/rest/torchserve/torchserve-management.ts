import { abortSignalOf } from "../../../base/call-signal.ts";
import type { ManagementResult, TorchserveManagement } from "../../torchserve/management.ts";
import { TORCHSERVE_APIS } from "../../torchserve/torchserve-api.ts";
import type { RenewToken, TorchserveApis } from "../../torchserve/torchserve-apis.ts";
import { AUTHENTICATION_FAILED, failing, tokenFailure } from "../../torchserve/torchserve-failure.ts";
import type { Workflows } from "../../torchserve/workflows.ts";
import { readBody } from "../call/body.ts";
import { JSON_TYPE, type RestCall } from "../call/rest-call.ts";
import type { RestContext } from "../call/rest-context.ts";
import type { Route, RouteParams } from "../call/route.ts";
import { forTokens, queryOf, spellAsTorchserve } from "./torchserve-call.ts";
import { prettyJson } from "./torchserve-response.ts";

const TOKEN_KINDS = ["management", "inference"] as const;
const MODEL = ["/models/:model", "/models/:model/:version"] as const;

type Act = (call: RestCall, params: RouteParams) => ManagementResult | Promise<ManagementResult>;

/** TorchServe's management API: reading is free, changing for the administrator, under model control. */
export function torchserveManagementRoutes(
  managementOf: (context: RestContext) => TorchserveManagement,
  apis: TorchserveApis,
): readonly Route[] {
  const { renewToken, workflows } = apis;
  const routes = [
    ...managementRoutes(managementOf),
    ...(workflows === undefined ? [] : workflowManagementRoutes(workflows)),
  ];
  if (renewToken === undefined) return routes;
  // Its tokens for inference are not for what this port tells.
  const guardedRoutes = routes.map((route) => ({ ...route, needs: "admin" as const }));
  return forTokens([tokenRoute(renewToken), ...guardedRoutes], apis);
}

/** New tokens go into their file, and into no response. */
function tokenRoute(renew: RenewToken): Route {
  return {
    method: "GET",
    urls: ["/token"],
    needs: "nothing",
    async run(call) {
      spellAsTorchserve(call, {});
      const kind = TOKEN_KINDS.find((one) => one === queryOf(call).get("type"));
      const isRenewed = kind !== undefined && (await renew(call.request.headers.authorization, kind));
      if (!isRenewed) throw tokenFailure(AUTHENTICATION_FAILED);
      call.send(200, JSON_TYPE, Buffer.from("\n"));
    },
  };
}

function managementRoutes(managementOf: (context: RestContext) => TorchserveManagement): readonly Route[] {
  const name = ({ model = "" }: RouteParams): string => model;
  return [
    free("GET", ["/models"], (call) => managementOf(call.context).list(wishesOf(call))),
    free("GET", MODEL, (call, params) => {
      const isCustomized = queryOf(call).get("customized")?.toLowerCase() === "true";
      return managementOf(call.context).describe(name(params), params["version"], {
        isCustomized,
        signal: call.signal,
      });
    }),
    guarded("POST", ["/models"], async (call) =>
      managementOf(call.context).register(await registrationOf(call), call.signal),
    ),
    guarded("PUT", MODEL, (call, params) =>
      managementOf(call.context).scale(name(params), params["version"], wishesOf(call), call.signal),
    ),
    guarded("PUT", ["/models/:model/:version/set-default"], (call, params) =>
      managementOf(call.context).setDefault(name(params), params["version"] ?? ""),
    ),
    guarded("DELETE", MODEL, (call, params) =>
      managementOf(call.context).unregister(name(params), params["version"], call.signal),
    ),
  ];
}

/** The same of workflows. */
function workflowManagementRoutes(workflows: Workflows): readonly Route[] {
  const named = ["/workflows/:workflow"];
  const name = (params: RouteParams): string => params["workflow"] ?? "";
  const signalOf = (call: RestCall): AbortSignal => abortSignalOf(call.signal);
  return [
    free("GET", ["/workflows"], (call) => workflows.list(wishesOf(call), call.context)),
    free("GET", named, (call, params) => workflows.describe(name(params), call.context)),
    guarded("POST", ["/workflows"], (call) =>
      workflows.register(wishesOf(call), call.context, signalOf(call)),
    ),
    guarded("DELETE", named, (call, params) =>
      workflows.unregister(name(params), call.context, signalOf(call)),
    ),
  ];
}

/** What a port that has nothing but the management API says of itself. */
export function managementDescriptionRoutes(): readonly Route[] {
  const act: Act = () => ({ code: 200, document: TORCHSERVE_APIS.management });
  const routes = [free("OPTIONS", ["/"], act), free("GET", ["/api-description"], act)];
  return routes.map((route) => ({ ...route, needs: "nothing" }));
}

function free(method: Route["method"], urls: readonly string[], act: Act): Route {
  return {
    method,
    urls,
    run(call, params) {
      spellAsTorchserve(call, {});
      const result = act(call, params);
      if (!(result instanceof Promise)) return send(call, result);
      return result.then((settled) => send(call, settled));
    },
  };
}

/** For the administrator alone; any other caller learns nothing. */
function guarded(method: Route["method"], urls: readonly string[], act: Act): Route {
  const route = free(method, urls, (call, params) => {
    call.context.adminGate.admit(call.credentials);
    call.takeDeadline(new Map());
    return act(call, params);
  });
  return { ...route, needs: "admin" };
}

function wishesOf(call: RestCall): ReadonlyMap<string, string> {
  return new Map(queryOf(call));
}

/** More than any registration has to say. */
const MAX_REGISTRATION_BYTES = 65_536;

/** What a registration over REST means where it does not say; over gRPC it is not so. */
const REGISTRATION: ReadonlyMap<string, string> = new Map([["synchronous", "true"]]);

/** A registration is the query's, or that of a body of JSON with the same names. */
async function registrationOf(call: RestCall): Promise<ReadonlyMap<string, string>> {
  return new Map([...REGISTRATION, ...(await saidOf(call))]);
}

async function saidOf(call: RestCall): Promise<ReadonlyMap<string, string>> {
  const [type = ""] = (call.request.headers["content-type"] ?? "").split(";");
  if (type.trim().toLowerCase() !== JSON_TYPE) return wishesOf(call);
  const body = await readBody(call);
  if (body.length > MAX_REGISTRATION_BYTES) throw notRead();
  if (body.length === 0) return wishesOf(call);
  try {
    const said: unknown = JSON.parse(body.toString());
    if (typeof said === "object" && said !== null && !Array.isArray(said))
      return new Map(
        Object.entries(said).flatMap(([name, value]) => (value === null ? [] : [[name, String(value)]])),
      );
  } catch {
    // As JSON that is no object.
  }
  throw notRead();
}

function notRead(): Error {
  const message = `the body must be an object of JSON, of at most ${MAX_REGISTRATION_BYTES} bytes, such as {"url": "resnet.mar"}`;
  return failing({ code: 400, type: "BadRequestException", message });
}

function send(call: RestCall, { code, document }: ManagementResult): void {
  call.send(code, JSON_TYPE, prettyJson(document));
}
