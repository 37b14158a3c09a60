import { describeItself } from "../torchserve/describe-itself.ts";
import {
  createTorchserveManagement,
  type ManagementParts,
  type TorchserveManagement,
} from "../torchserve/management.ts";
import type { RestContext } from "./call/rest-context.ts";
import type { Route } from "./call/route.ts";
import { openapiRoutes } from "./openapi/openapi-routes.ts";
import { pageRoutes } from "./page-routes.ts";
import { predictRoutes } from "./predict/predict-routes.ts";
import { rpcRoutes } from "./rpc/rpc-routes.ts";
import { STREAM_ROUTE } from "./stream/stream-routes.ts";
import { torchserveManagementRoutes } from "./torchserve/torchserve-management.ts";
import { torchserveRoutes } from "./torchserve/torchserve-routes.ts";
import { v1Routes } from "./v1/v1-routes.ts";
import { generateRoutes } from "./v2/generate-routes.ts";
import { v2ReportRoutes } from "./v2/v2-report-routes.ts";
import { v2RepositoryRoutes } from "./v2/v2-repository-routes.ts";
import { v2Routes } from "./v2/v2-routes.ts";
import { v2SettingRoutes } from "./v2/v2-setting-routes.ts";

/** Every route of a REST edge. `compat`: another server whose API is answered as well. */
export function restRoutes(context: RestContext, compat: "none" | "torchserve"): readonly Route[] {
  const v1 = v1Routes();
  const described = [
    ...v2Routes(),
    ...v2ReportRoutes(),
    ...v2RepositoryRoutes(),
    ...predictRoutes(),
    ...generateRoutes(),
    ...v1,
    ...v2SettingRoutes(),
    ...pageRoutes(),
    ...(compat === "torchserve"
      ? [
          ...torchserveRoutes(predictingRoute(v1), { withManagement: true }),
          ...torchserveManagementRoutes(torchserveManagement(context)),
        ]
      : []),
  ];
  // OpenAPI has no words for a WebSocket, nor for gRPC.
  return [STREAM_ROUTE, ...rpcRoutes(), ...described, ...openapiRoutes(described, context)];
}

/** What is registered is one for all; what somebody sees of it goes by their context. */
function torchserveManagement(whole: RestContext): (context: RestContext) => TorchserveManagement {
  const partsOf = (context: RestContext): ManagementParts => ({
    ...context,
    describeItself: (model, version, signal) => describeItself(context, [model, version], signal),
  });
  const all = createTorchserveManagement(partsOf(whole));
  return (context) => (context === whole ? all : all.as(partsOf(context)));
}

function predictingRoute(routes: readonly Route[]): Route {
  return routes.find(({ method }) => method === "POST")!; // the only one that POST has there
}
