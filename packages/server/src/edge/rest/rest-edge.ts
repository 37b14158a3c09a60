import { randomUUID } from "node:crypto";
import type { Server } from "node:http";
import type { Socket } from "node:net";
import type { ServeError } from "../../base/errors.ts";
import { createWebGate, NO_ADDRESS } from "../../gate/web-gate.ts";
import type { Http2Request } from "../http2-request.ts";
import { DEFAULT_REST_LIMITS, type RestLimits } from "../rest-limits.ts";
import { createTimeSlicer } from "../time-slicer.ts";
import type { TorchserveApis } from "../torchserve/torchserve-apis.ts";
import { FIXED_TRACE_SETTINGS } from "../trace-settings.ts";
import { checkHead } from "./call/check-head.ts";
import { createEntrance, type Entrance } from "./call/entrance.ts";
import { RestCall } from "./call/rest-call.ts";
import type { RestContext } from "./call/rest-context.ts";
import type { RestRequest } from "./call/rest-transport.ts";
import { createRouteTable, type FoundRoute, type RouteTable } from "./call/route-table.ts";
import { createSharedResponses } from "./call/shared-responses.ts";
import { createFastLane } from "./http/fast-lane.ts";
import { createHttpServer, rejectBroken, rejectUpgrade } from "./http/http-server.ts";
import { openHttp2Request } from "./http/http2-transport.ts";
import { NodeTransport } from "./http/node-transport.ts";
import { isPreflight, PREFLIGHT } from "./preflight.ts";
import { restRoutes } from "./rest-routes.ts";
import { STREAM_ROUTE } from "./stream/stream-routes.ts";
import { DEFAULT_WEB_SOCKET_LIMITS, type WebSocketLimits } from "./stream/web-socket-limits.ts";
import { createWebSockets } from "./stream/web-sockets.ts";
import { spellAsTorchserve } from "./torchserve/torchserve-call.ts";

type Made = "limits" | "shared" | "isDraining";
type Defaulted =
  | "webGate"
  | "regions"
  | "openCall"
  | "readLoadConfig"
  | "cpuProfiler"
  | "defaultModel"
  | "slicer"
  | "notReadyStatus"
  | "tenantHeader"
  | "rolloutHeader"
  | "logLevel"
  | "traceSettings"
  | "makeId"
  | "random";

/** A REST edge's surroundings. What may be left out has the defaults of `DEFAULTS` and `DEFAULT_REST_LIMITS`. */
export interface RestEdgeOptions
  extends Omit<RestContext, Made | Defaulted>,
    Partial<Pick<RestContext, Defaulted>> {
  readonly limits?: Partial<RestLimits>;
  readonly webSocketLimits?: Partial<WebSocketLimits>;
  /** Whether common requests are read by ourselves instead of by `node:http`; default true. */
  readonly fastLane?: boolean;
  /** What of TorchServe's API is answered as well, or alone; default: nothing. */
  readonly torchserve?: TorchserveApis | undefined;
  /** Who answers all but the inferences of models that this process knows; default: this edge answers everything. */
  readonly forwarded?: ForwardedCalls | undefined;
}

/** What an edge process has answered by the server process. */
export interface ForwardedCalls {
  forward(call: RestCall): void;
  /** Whether this process answers inferences of a model itself. */
  isOurs(model: string | undefined, version: string | undefined): boolean;
}

const DEFAULTS: Pick<
  RestContext,
  | "defaultModel"
  | "regions"
  | "openCall"
  | "readLoadConfig"
  | "cpuProfiler"
  | "notReadyStatus"
  | "tenantHeader"
  | "rolloutHeader"
  | "makeId"
  | "random"
  | "logLevel"
  | "traceSettings"
> = {
  logLevel: () => "info",
  traceSettings: FIXED_TRACE_SETTINGS,
  notReadyStatus: 503,
  tenantHeader: undefined,
  rolloutHeader: undefined,
  defaultModel: undefined,
  regions: undefined,
  openCall: undefined,
  readLoadConfig: undefined,
  cpuProfiler: undefined,
  makeId: randomUUID,
  random: Math.random,
};

/** The REST dialects. It does not listen: a listener gives it connections. */
export interface RestEdge {
  /** Reads what the fast lane does not. */
  readonly server: Server;
  /** Takes over a connection that speaks HTTP/1. */
  accept(socket: Socket): void;
  /** Answers a stream of HTTP/2 that does not ask for gRPC. */
  acceptRequest(request: Http2Request): void;
  /** From now on readiness says no, and every response closes its connection. Requests are still answered. */
  setDraining(): void;
  /** HTTP/1 connections with a request in progress: one whose body is still coming, too. */
  busyCount(): number;
  /** Open connections without a request in progress. */
  idleCount(): number;
  /** Closes idle connections, waits for requests in flight, and frees the timers. Idempotent. */
  close(): Promise<void>;
  /** Cuts all connections. */
  destroy(): void;
}

export function createRestEdge(options: RestEdgeOptions): RestEdge {
  let draining = false;
  const { fastLane = true, torchserve } = options;
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
  const entrance = createEntrance(context);
  const { forwarded } = options;
  const enter = forwarded === undefined ? entrance.enter : entering(entrance, forwarded);
  const routes = createRouteTable(restRoutes(context, torchserve));
  const webSockets = createWebSockets(
    context,
    { ...DEFAULT_WEB_SOCKET_LIMITS, idleMs: limits.keepAliveTimeoutMs, ...options.webSocketLimits },
    { entrance, reject: rejectUpgrade },
  );
  const run = (call: RestCall): void => {
    const found = admit(call.request, context, routes);
    if (found.route !== undefined) enter(call, found);
    else if (forwarded !== undefined && isUnknown(found.error)) forwarded.forward(call);
    else {
      if (torchserve !== undefined) spellAsTorchserve(call, {});
      call.fail(found.error, found.headers);
    }
  };
  const http = createHttpServer(limits, options.clock, {
    open: (request, response) => new RestCall(context, new NodeTransport(request, response)),
    run,
    isExpecting: () => lane.size > 0,
    upgrades: {
      wants: (request) => isWebSocket(request) && admit(request, context, routes).route === STREAM_ROUTE,
      take(request, socket, head) {
        const { params } = admit(request, context, routes) as FoundRoute; // `wants` has found it
        webSockets.open({ request, socket, head }, params);
      },
    },
  });
  const lane = createFastLane({
    context,
    route(head) {
      const found = admit(head, context, routes);
      return found.route === undefined || found.route.isInPieces === true ? undefined : found;
    },
    open: (connection) => new RestCall(context, connection),
    run: enter,
    handOver: (socket) => http.server.emit("connection", socket),
    rejectBroken,
    onGone: () => http.look(),
  });
  return {
    server: http.server,
    accept(socket) {
      if (fastLane) lane.attach(socket);
      else http.server.emit("connection", socket);
    },
    acceptRequest: (request) => openHttp2Request(request, context, run),
    setDraining: () => {
      draining = true;
    },
    busyCount: () => http.busyCount() + lane.size - lane.idleCount(),
    // A WebSocket is told by itself that the server goes.
    idleCount: () => http.idleCount() + lane.idleCount() - webSockets.size,
    close() {
      const closed = http.close();
      webSockets.drain();
      // By the turn after next, requests that have arrived by now have been read.
      setImmediate(() => setImmediate(() => lane.closeIdle()));
      return closed;
    },
    destroy() {
      http.destroy();
      lane.destroy();
    },
  };
}

/** Whether somebody else may know what this edge does not. */
function isUnknown({ reason }: ServeError): boolean {
  return reason === "no_such_url" || reason === "method_not_allowed";
}

/** Lets in what this process answers, and passes on the rest. */
function entering(entrance: Entrance, { forward, isOurs }: ForwardedCalls): Entrance["enter"] {
  return (call, found) => {
    const asked = found.route.asks?.(found.params);
    const isLocal = found === PREFLIGHT || (asked !== undefined && isOurs(asked.model, asked.version));
    if (isLocal) entrance.enter(call, found);
    else forward(call);
  };
}

function isWebSocket({ method, headers }: RestRequest): boolean {
  return method === "GET" && headers.upgrade?.toLowerCase() === "websocket";
}

type Admission =
  | FoundRoute
  | { readonly route: undefined; readonly error: ServeError; readonly headers: string[] };

/** Where a request line and headers lead, or what is wrong with them. Equal ones always lead to the same. */
function admit(request: RestRequest, { limits, webGate }: RestContext, routes: RouteTable): Admission {
  const { host, origin } = request.headers;
  const rejection = checkHead(request, limits) ?? webGate.check(host, origin);
  if (rejection !== undefined)
    return { route: undefined, error: rejection, headers: ["Connection", "close"] };
  if (isPreflight(request)) return PREFLIGHT;
  const found = routes.find(request.method ?? "", request.url ?? "");
  if (found.route !== undefined) return found;
  return { ...found, headers: found.allow === undefined ? [] : ["Allow", found.allow] };
}
