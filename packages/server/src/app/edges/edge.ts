import { Socket } from "node:net";
import { type Clock, systemClock } from "../../base/clock.ts";
import { type CountingMetrics, createCountingMetrics } from "../../base/collected-counts.ts";
import { ServeError } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { countSlowTransfers } from "../../edge/client-metrics.ts";
import { createInferenceObserver } from "../../edge/inference-metrics.ts";
import { createTimeSlicer } from "../../edge/time-slicer.ts";
import { openTunnel } from "../../edge/tunnel.ts";
import { createSharedBudget } from "../../gate/shared-budget.ts";
import { createSlowClientGuard, DEFAULT_SLOW_CLIENT_LIMITS } from "../../gate/slow-client-guard.ts";
import { tenantHeaderName } from "../../gate/tenant.ts";
import { createWebGate } from "../../gate/web-gate.ts";
import type { Administration } from "../../infer/administration.ts";
import { createRemoteInference } from "../../link/remote-inference.ts";
import type { Tracing } from "../../tracing/open-tracing.ts";
import { type BuiltEdges, budgetOptions, buildEdges, webGateOptions } from "../build-edges.ts";
import { watchEventLoop } from "../event-loop.ts";
import { openAuthentication } from "../open-authentication.ts";
import { openTls } from "../open-tls.ts";
import { FLUSH_MS, openTraces } from "../open-traces.ts";
import type { Reloadable } from "../reloader.ts";
import { lingerIdle } from "../stop-server.ts";
import { ledgerAt } from "./budget-ledger.ts";
import { createEdgeLogger } from "./edge-logger.ts";
import type { FromEdge, ToEdge } from "./edge-messages.ts";

type Start = Extract<ToEdge, { readonly kind: "start" }>;

/** What an edge process is, besides its channel. */
export interface Edge {
  hear(message: ToEdge, socket: Socket | undefined): void;
}

/** Descriptors that the server process gives it. */
const [LINK, TUNNEL, LEDGER] = [3, 4, 5] as const;
/** How often it tells what it has counted without being asked: so much is lost when it dies. */
const COUNT_INTERVAL_MS = 250;
/** Calls that it answers itself; they end in a request for one model. */
const OWN_METHODS: ReadonlySet<string> = new Set([
  "/inference.GRPCInferenceService/ModelInfer",
  "/inference.GRPCInferenceService/ModelStreamInfer",
  "/sconce.v1.ModelServing/Predict",
  "/sconce.v1.ModelServing/StreamPredict",
]);

/** Starts what speaks with clients, and tells the server process that it is ready, or why it cannot be. */
export async function startEdge(start: Start, tell: (message: FromEdge) => void): Promise<Edge> {
  try {
    return await buildEdge(start, tell);
  } catch (thrown) {
    const { code, reason, message } = ServeError.from(thrown);
    tell({ kind: "failed", code, reason, message });
    throw thrown;
  }
}

async function buildEdge(
  { config: whole, place, processes }: Start,
  tell: (message: FromEdge) => void,
): Promise<Edge> {
  const { server: config } = whole;
  const clock = systemClock;
  const logger = createEdgeLogger(tell);
  let logLevel = config.logLevel;
  logger.setLevel(logLevel);
  const metrics = createCountingMetrics();
  const count = countTeller(metrics, tell);
  const loop = watchEventLoop({ clock, logger, metrics });
  const { inference, views } = createRemoteInference({
    end: LINK,
    clock,
    onLeft(versions) {
      // What was counted of them is told first; should they come back, they are counted anew.
      count(0);
      for (const { name: model, version } of versions) {
        observer.forget(model, version);
        metrics.drop(views.isKnown(model) ? { model, version } : { model });
      }
    },
    onClose: () => process.exit(0),
  });
  const observer = createInferenceObserver(metrics, (model) => views.isKnown(model));
  const traces = await openTraces(config, { clock, logger, metrics, random: Math.random });
  const tunnel = openTunnel(new Socket({ fd: TUNNEL }), clock);
  const [{ forwardCall }, { forwardStream }, tls, authentication] = await Promise.all([
    import("../../edge/rest/call/forward-call.ts"),
    import("../../edge/grpc/forward-stream.ts"),
    openTls(config, logger),
    openAuthentication(config, { metrics, logger }),
  ]);
  const slowClients = createSlowClientGuard(
    loop.activeClock,
    DEFAULT_SLOW_CLIENT_LIMITS,
    countSlowTransfers(metrics),
  );
  const budget = createSharedBudget({
    ...budgetOptions(config, slowClients),
    ledger: ledgerAt(LEDGER, place, processes),
    clock,
    reclaimElsewhere: (bytes) => tell({ kind: "reclaim", bytes }),
  });
  const built = await buildEdges({
    config: {
      ...config,
      maxConnections: Number.POSITIVE_INFINITY,
      maxConnectionsPerAddress: Number.POSITIVE_INFINITY,
    },
    clock,
    logger,
    random: Math.random,
    metrics,
    loop,
    observer,
    tracer: traces?.tracer,
    inference,
    control: NO_CONTROL,
    authentication,
    live: {
      get logLevel() {
        return logLevel;
      },
    },
    slicer: createTimeSlicer(clock),
    webGate: createWebGate(webGateOptions(config, config.host)),
    tenantHeader: config.tenantHeader === undefined ? undefined : tenantHeaderName(config.tenantHeader),
    tls,
    slowClients,
    budget,
    forwarded: {
      rest: {
        forward: (call) => forwardCall(call, tunnel),
        isOurs: (model = "", version) => views.inputsOf(model, version) !== undefined,
      },
      grpc: {
        forward: (call) => forwardStream(call, tunnel),
        isOurs: (path) => OWN_METHODS.has(path),
      },
    },
  });
  const takeConnection = connectionTaker(built, tell);
  const files = [...(authentication?.reloadables ?? []), ...(tls === undefined ? [] : [tls.reloadable])];
  countRegularly(clock, count);
  loop.begin();
  tell({ kind: "ready" });
  return {
    hear(message, socket) {
      switch (message.kind) {
        case "connection":
          if (socket !== undefined) takeConnection(message.id, socket);
          else tell({ kind: "closed", ids: [message.id] });
          break;
        case "logLevel":
          logLevel = message.level as typeof logLevel;
          logger.setLevel(message.level);
          break;
        case "reload":
          void reload(files, logger).finally(() => tell({ kind: "reloaded", ask: message.ask }));
          break;
        case "count":
          count(message.ask);
          break;
        case "reclaim":
          slowClients.reclaim(message.bytes);
          break;
        case "leave":
          built.rest.setDraining();
          built.grpc.setServing(false);
          break;
        case "drain":
          void drain(built, { clock, tell, count: () => count(0), traces });
          break;
        default:
      }
    },
  };
}

/** Tells the server process what was counted since the last time. `ask`: which question it answers; 0: none. */
function countTeller(metrics: CountingMetrics, tell: (message: FromEdge) => void): (ask: number) => void {
  return (ask) => {
    const { user, system } = process.cpuUsage();
    const counts = metrics.take();
    tell({
      kind: "counted",
      ask,
      counts,
      cpuS: (user + system) / 1e6,
      residentBytes: process.memoryUsage.rss(),
    });
  };
}

function countRegularly(clock: Clock, count: (ask: number) => void): void {
  clock.after(COUNT_INTERVAL_MS, () => {
    count(0);
    countRegularly(clock, count);
  });
}

/** Reads certificates and keys again, one after the other; one that cannot be read stays as it was. */
async function reload(files: readonly Reloadable[], logger: Logger): Promise<void> {
  for (const file of files) {
    await file.reload().catch((error: unknown) => {
      logger.error(
        { err: error },
        `${file.what}: could not be read again; what was read before stays in force`,
      );
    });
  }
}

/** Its clients' requests for that are forwarded. */
const NO_CONTROL: Administration = {
  loadModel: notHere,
  unloadModel: notHere,
  steerRollout: notHere,
  setDefaultVersion: notHere,
};

function notHere(): never {
  throw new ServeError("internal", "an edge process was asked to change models", { reason: "invariant" });
}

/** Takes connections that the server process has accepted, and tells it when they are closed, those of one turn together. */
function connectionTaker(
  { listener }: Pick<BuiltEdges, "listener">,
  tell: (message: FromEdge) => void,
): (id: number, socket: Socket) => void {
  let closed: number[] = [];
  const tellClosed = (): void => {
    tell({ kind: "closed", ids: closed });
    closed = [];
  };
  return (id, socket) => {
    tell({ kind: "taken", id });
    // As the listener's own: clients of HTTP/1 may send FIN after their request.
    socket.allowHalfOpen = true;
    socket.once("close", () => {
      if (closed.length === 0) setImmediate(tellClosed);
      closed.push(id);
    });
    listener.take(socket);
  };
}

/** Asks clients to leave, finishes what they have asked for, and ends this process. */
async function drain(
  built: BuiltEdges,
  {
    clock,
    tell,
    count,
    traces,
  }: {
    readonly clock: Clock;
    tell(message: FromEdge): void;
    count(): void;
    readonly traces: Tracing | undefined;
  },
): Promise<void> {
  await lingerIdle({ ...built, clock });
  const closed = Promise.all([built.rest.close(), built.grpc.close()]);
  tell({ kind: "closing" });
  await closed;
  await traces?.close(FLUSH_MS);
  count();
  process.disconnect();
}
