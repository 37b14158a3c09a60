import { randomUUID } from "node:crypto";
import type { Server } from "node:http";
import { createWebGate, NO_ADDRESS } from "../../gate/web-gate.ts";
import { createTimeSlicer } from "../time-slicer.ts";
import { checkHead } from "./check-head.ts";
import { createHttpServer } from "./http-server.ts";
import { DEFAULT_REST_LIMITS, type RestLimits } from "./limits.ts";
import { NodeTransport } from "./node-transport.ts";
import { pageRoutes } from "./page-routes.ts";
import { predictRoutes } from "./predict-routes.ts";
import { isPreflight, respondToPreflight } from "./preflight.ts";
import { RestCall } from "./rest-call.ts";
import type { RestContext } from "./rest-context.ts";
import { createRouteTable, type RouteTable } from "./route-table.ts";
import { createSharedResponses } from "./shared-responses.ts";
import { v2ReportRoutes } from "./v2-report-routes.ts";
import { v2RepositoryRoutes } from "./v2-repository-routes.ts";
import { v2Routes } from "./v2-routes.ts";

type Made = "limits" | "shared" | "isDraining";
type Defaulted =
  | "webGate"
  | "defaultModel"
  | "slicer"
  | "notReadyStatus"
  | "tenantHeader"
  | "makeId"
  | "random";

/** A REST edge's surroundings. What may be left out has the defaults of `DEFAULTS` and `DEFAULT_REST_LIMITS`. */
export interface RestEdgeOptions
  extends Omit<RestContext, Made | Defaulted>,
    Partial<Pick<RestContext, Defaulted>> {
  readonly limits?: Partial<RestLimits>;
}

const DEFAULTS: Pick<RestContext, "defaultModel" | "notReadyStatus" | "tenantHeader" | "makeId" | "random"> =
  {
    notReadyStatus: 503,
    tenantHeader: undefined,
    defaultModel: undefined,
    makeId: randomUUID,
    random: Math.random,
  };

/** The REST dialects on one HTTP server that never listens: a listener hands it connections (`server.emit("connection", socket)`). */
export interface RestEdge {
  readonly server: Server;
  /** From now on readiness says no, and every response closes its connection. Requests are still answered. */
  setDraining(): void;
  /** Open connections without a request in progress. */
  idleCount(): number;
  /** Closes idle connections, waits for requests in flight, and frees the timers. Idempotent. */
  close(): Promise<void>;
  /** Cuts all connections. */
  destroy(): void;
}

export function createRestEdge(options: RestEdgeOptions): RestEdge {
  let draining = false;
  const limits: RestLimits = { ...DEFAULT_REST_LIMITS, ...options.limits };
  const context: RestContext = {
    webGate: options.webGate ?? createWebGate(NO_ADDRESS),
    slicer: options.slicer ?? createTimeSlicer(options.clock),
    ...DEFAULTS,
    ...options,
    limits,
    shared: createSharedResponses(options),
    isDraining: () => draining,
  };
  const routes = createRouteTable([
    ...v2Routes(),
    ...v2ReportRoutes(),
    ...v2RepositoryRoutes(),
    ...predictRoutes(),
    ...pageRoutes(),
  ]);
  const http = createHttpServer(limits, options.clock, {
    open: (request, response) => new RestCall(context, new NodeTransport(request, response)),
    run: (call) => runRoute(call, routes),
  });
  return {
    server: http.server,
    setDraining: () => {
      draining = true;
    },
    idleCount: () => http.idleCount(),
    close: () => http.close(),
    destroy: () => http.destroy(),
  };
}

function runRoute(call: RestCall, routes: RouteTable): void {
  const { request, context } = call;
  const { host, origin } = request.headers;
  const rejection = checkHead(request, context.limits) ?? context.webGate.check(host, origin);
  if (rejection !== undefined) {
    call.fail(rejection, ["Connection", "close"]);
    return;
  }
  if (isPreflight(call)) {
    respondToPreflight(call);
    return;
  }
  const found = routes.find(request.method ?? "", request.url ?? "");
  if (found.route === undefined) {
    call.fail(found.error, found.allow === undefined ? [] : ["Allow", found.allow]);
    return;
  }
  try {
    const running = found.route.run(call, found.params);
    if (running !== undefined) running.catch((error: unknown) => call.fail(error));
  } catch (error) {
    call.fail(error);
  }
}
