import { describeItself } from "../torchserve/describe-itself.ts";
import type { TorchserveManagement } from "../torchserve/management.ts";
import type { TorchserveApis } from "../torchserve/torchserve-apis.ts";
import type { RestContext } from "./call/rest-context.ts";
import type { Route } from "./call/route.ts";
import { consoleRoutes } from "./console-routes.ts";
import { docsRoutes } from "./docs-routes.ts";
import { openapiRoutes } from "./openapi/openapi-routes.ts";
import { metricsRoute, pageRoutes } from "./page-routes.ts";
import { predictRoutes } from "./predict/predict-routes.ts";
import { rpcRoutes } from "./rpc/rpc-routes.ts";
import { STREAM_ROUTE } from "./stream/stream-routes.ts";
import {
  managementDescriptionRoutes,
  torchserveManagementRoutes,
} from "./torchserve/torchserve-management.ts";
import { torchserveRoutes } from "./torchserve/torchserve-routes.ts";
import { embeddingsRoutes } from "./v1/embeddings-routes.ts";
import { v1Routes } from "./v1/v1-routes.ts";
import { generateRoutes } from "./v2/generate-routes.ts";
import { v2LiveRoutes } from "./v2/v2-live-routes.ts";
import { v2ProfileRoutes } from "./v2/v2-profile-routes.ts";
import { v2ReportRoutes } from "./v2/v2-report-routes.ts";
import { v2RepositoryRoutes } from "./v2/v2-repository-routes.ts";
import { v2RolloutRoutes } from "./v2/v2-rollout-routes.ts";
import { v2Routes } from "./v2/v2-routes.ts";
import { v2SettingRoutes } from "./v2/v2-setting-routes.ts";
import { v2TenantRoutes } from "./v2/v2-tenant-routes.ts";

/** Every route of a REST edge. `torchserve`: what of TorchServe's API is answered as well, or alone. */
export function restRoutes(context: RestContext, torchserve: TorchserveApis | undefined): readonly Route[] {
  if (torchserve?.only !== undefined) return partRoutes(torchserve.only, torchserve);
  const v1 = v1Routes();
  const described = [
    ...v2Routes(),
    ...v2ReportRoutes(),
    ...v2RepositoryRoutes(),
    ...v2RolloutRoutes(),
    ...v2ProfileRoutes(),
    ...v2TenantRoutes(),
    ...v2LiveRoutes(context),
    ...predictRoutes(),
    ...generateRoutes(),
    ...v1,
    ...v2SettingRoutes(),
    ...pageRoutes(),
    ...(torchserve === undefined ? [] : torchserveRoutes(predictingRoute(v1), torchserve)),
    ...(torchserve?.withManagement === true
      ? torchserveManagementRoutes(managementOf(torchserve), torchserve)
      : []),
  ];
  // OpenAPI has no words for a WebSocket, nor for gRPC; what shows the document is not in it.
  return [
    ...docsRoutes(),
    ...consoleRoutes(),
    STREAM_ROUTE,
    ...rpcRoutes(),
    ...embeddingsRoutes(),
    ...described,
    ...openapiRoutes(described, context),
  ];
}

function partRoutes(part: "management" | "metrics", torchserve: TorchserveApis): readonly Route[] {
  // As with TorchServe, whoever reaches these ports reads them without a token.
  const metrics: Route = {
    ...metricsRoute(),
    ...(torchserve.renewToken !== undefined && { needs: "nothing" }),
  };
  if (part === "metrics") return [metrics];
  const managing = torchserveManagementRoutes(managementOf(torchserve), torchserve);
  return [metrics, ...managing, ...managementDescriptionRoutes()];
}

/** What is registered is one for all; what somebody sees of it goes by their context. */
function managementOf({ management }: TorchserveApis): (context: RestContext) => TorchserveManagement {
  return (context) =>
    management.as({
      ...context,
      describeItself: (model, version, signal) => describeItself(context, [model, version], signal),
    });
}

function predictingRoute(routes: readonly Route[]): Route {
  return routes.find(({ method }) => method === "POST")!; // the only one that POST has there
}
