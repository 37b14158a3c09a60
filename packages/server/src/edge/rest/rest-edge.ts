import { randomUUID } from "node:crypto";
import type { IncomingMessage, Server } from "node:http";
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from "fastify";
import type { Clock } from "../../base/clock.ts";
import { invariant, ServeError } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import type { Metrics } from "../../base/metrics.ts";
import type { AdminGate } from "../../gate/admin-gate.ts";
import type { ByteBudget } from "../../gate/byte-budget.ts";
import type { TransferPace } from "../../gate/transfer-pace.ts";
import type { Administration } from "../../infer/administration.ts";
import type { Inference } from "../../infer/inference.ts";
import type { InferenceObserver } from "../inference-metrics.ts";
import { createSlicer, type Slicer } from "../slices.ts";
import { createConnectionSignals } from "./connection-signals.ts";
import { Exchange } from "./exchange.ts";
import { createHttpServer } from "./http-server.ts";
import { DEFAULT_REST_LIMITS, type RestLimits } from "./limits.ts";
import { pageRoutes } from "./page-routes.ts";
import { predictRoutes } from "./predict-routes.ts";
import type { RestContext } from "./rest-context.ts";
import type { Route, RouteParams } from "./route.ts";
import { v2ReportRoutes } from "./v2-report-routes.ts";
import { v2RepositoryRoutes } from "./v2-repository-routes.ts";
import { v2Routes } from "./v2-routes.ts";

export interface RestEdgeOptions {
  readonly inference: Inference;
  /** Load and unload; the gate says for whom. */
  readonly administration: Administration;
  readonly adminGate: AdminGate;
  readonly clock: Clock;
  readonly logger: Logger;
  /** What `/metrics` shows. */
  readonly metrics: Metrics;
  /** Counts and times inferences; the edges share one. */
  readonly observer: InferenceObserver;
  /** Shared with the other edges: what all requests in flight may hold. */
  readonly budget: ByteBudget;
  /** Shared as well: ends clients that trickle. */
  readonly pace: TransferPace;
  /** Shared with the other edges: whose turn it is. Default: its own. */
  readonly slicer?: Slicer;
  readonly limits?: Partial<RestLimits>;
  /** Status of "not ready" on health routes: 503 (default; Kubernetes, KServe) or 400 (Triton). */
  readonly notReadyStatus?: 400 | 503;
  /** The header that names whose request it is, in lower case. Default: none does. */
  readonly tenantHeader?: string | undefined;
  /** Makes request ids for clients that send none. Default: random UUIDs. */
  makeId?(): string;
  /** 0 ≤ x < 1, for jitter. Default: Math.random. */
  random?(): number;
}

/** The REST dialects on one HTTP server that never listens: a listener hands it connections (`server.emit("connection", socket)`). */
export interface RestEdge {
  readonly server: Server;
  /** The application behind `server`; tests inject requests here. */
  readonly app: FastifyInstance;
  /** Resolves when the routes are in place; hand over connections only then. */
  ready(): Promise<void>;
  /** From now on readiness says no, and every answer closes its connection. Requests are still answered. */
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
    inference: options.inference,
    administration: options.administration,
    adminGate: options.adminGate,
    clock: options.clock,
    logger: options.logger,
    metrics: options.metrics,
    observer: options.observer,
    budget: options.budget,
    pace: options.pace,
    limits,
    connectionSignals: createConnectionSignals(),
    slicer: options.slicer ?? createSlicer(options.clock),
    notReadyStatus: options.notReadyStatus ?? 503,
    tenantHeader: options.tenantHeader,
    makeId: options.makeId ?? randomUUID,
    random: options.random ?? Math.random,
    isDraining: () => draining,
  };
  const http = createHttpServer(limits);
  const app = fastify({
    serverFactory: (handler) => {
      http.onRequest(handler);
      return http.server;
    },
    // Names are checked by us, with a message; Fastify's own limit would answer 404 without one.
    routerOptions: { maxParamLength: limits.maxUrlBytes },
    frameworkErrors: (error, request, reply) => failRequest(context, { error, request, reply }),
    logger: false,
  });
  addRoutes(app, context, [
    ...v2Routes(),
    ...v2ReportRoutes(),
    ...v2RepositoryRoutes(),
    ...predictRoutes(),
    ...pageRoutes(),
  ]);
  return {
    server: http.server,
    app,
    ready: async () => {
      await app.ready();
    },
    setDraining: () => {
      draining = true;
    },
    idleCount: () => http.idleCount(),
    close: () => http.close(),
    destroy: () => http.destroy(),
  };
}

const METHODS = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"] as const;

function addRoutes(app: FastifyInstance, context: RestContext, routes: readonly Route[]): void {
  // Bodies are read by the routes that want one, after they have decided that they do.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, _payload, done) => done(null));
  app.setErrorHandler((error, request, reply) => failRequest(context, { error, request, reply }));
  app.setNotFoundHandler((request, reply) => {
    reply.hijack();
    openExchange(context, request, reply)?.fail(
      new ServeError("not_found", "there is nothing under this URL; GET /v2/models lists the models", {
        reason: "no_such_url",
      }),
    );
  });
  for (const route of routes) {
    const allowed = route.method === "GET" ? "GET, HEAD" : route.method;
    for (const url of route.urls) {
      app.route({
        method: route.method,
        url,
        // Answering in the first hook spares every request Fastify's own look at its Content-Type and body.
        onRequest: (request, reply) => runRoute(context, { route, request, reply }),
        handler: neverReached,
      });
      app.route({
        method: METHODS.filter((method) => !allowed.includes(method)),
        url,
        handler: (request, reply) => {
          reply.hijack();
          openExchange(context, request, reply)?.fail(methodError(allowed), ["Allow", allowed]);
        },
      });
    }
  }
}

function neverReached(): void {
  invariant(false, "the route's hook answers");
}

function methodError(allowed: string): ServeError {
  return new ServeError("invalid_argument", `this URL takes ${allowed} only`, {
    reason: "method_not_allowed",
  });
}

function runRoute(
  context: RestContext,
  {
    route,
    request,
    reply,
  }: { readonly route: Route; readonly request: FastifyRequest; readonly reply: FastifyReply },
): void {
  reply.hijack();
  const exchange = openExchange(context, request, reply);
  if (exchange === undefined) return;
  try {
    const running = route.run(exchange, request.params as RouteParams);
    if (running !== undefined) running.catch((error: unknown) => exchange.fail(error));
  } catch (error) {
    exchange.fail(error);
  }
}

/** Starts an exchange; undefined when its headers were refused, and that was answered. */
function openExchange(
  context: RestContext,
  request: FastifyRequest,
  reply: FastifyReply,
): Exchange | undefined {
  const exchange = new Exchange(context, request.raw, reply.raw);
  const refusal = refuseHeaders(context, request.raw);
  if (refusal === undefined) return exchange;
  exchange.fail(refusal, ["Connection", "close"]);
  return undefined;
}

/** What is wrong with a request line and headers, whatever they ask for. */
function refuseHeaders(context: RestContext, request: IncomingMessage): ServeError | undefined {
  const { maxUrlBytes, maxHeaders } = context.limits;
  if ((request.url?.length ?? 0) > maxUrlBytes) {
    return new ServeError("invalid_argument", `the URL is longer than ${maxUrlBytes} bytes`, {
      reason: "url_too_long",
    });
  }
  if (request.rawHeaders.length > maxHeaders * 2) {
    return new ServeError("resource_exhausted", `the request has more than ${maxHeaders} headers`, {
      reason: "headers_too_large",
    });
  }
  if (request.headers.host === undefined && request.httpVersion === "1.1") {
    return new ServeError("invalid_argument", "the request has no Host header, which HTTP/1.1 requires", {
      reason: "bad_http",
    });
  }
  return undefined;
}

/** Answers what Fastify itself refused: a URL it cannot decode, a malformed Content-Type. */
function failRequest(
  context: RestContext,
  {
    error,
    request,
    reply,
  }: { readonly error: unknown; readonly request: FastifyRequest; readonly reply: FastifyReply },
): void {
  reply.hijack();
  openExchange(context, request, reply)?.fail(fromFastify(error));
}

function fromFastify(error: unknown): unknown {
  const { statusCode, code } = error as { statusCode?: number; code?: string };
  if (error instanceof ServeError || statusCode === undefined || statusCode >= 500) return error;
  if (code === "FST_ERR_CTP_INVALID_MEDIA_TYPE" || statusCode === 415) {
    return new ServeError("invalid_argument", "Content-Type: not a valid media type", {
      reason: "unsupported_media_type",
    });
  }
  return new ServeError("invalid_argument", "the URL is not valid: check its percent-encoding", {
    reason: "bad_url",
  });
}
