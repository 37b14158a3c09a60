import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { ServerConfig } from "../config/server-options.ts";
import type { GrpcEdge } from "../edge/grpc/grpc-edge.ts";
import type { Listener } from "../edge/listener.ts";
import type { MemoryRegions } from "../edge/memory-regions.ts";
import type { RequestRecorder } from "../edge/rest/call/request-recorder.ts";
import type { RestEdge } from "../edge/rest/rest-edge.ts";
import type { HealthServer } from "../health/health-server.ts";
import type { ManagedRegistry } from "../models/managed-registry.ts";
import type { ModelControl } from "../models/model-control.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Tracing } from "../tracing/open-tracing.ts";
import type { CacheSharing } from "./cache-sharing.ts";
import type { EdgeProcesses } from "./edges/edge-processes.ts";
import type { EventLoop } from "./event-loop.ts";
import { closeSources, type ModelSources } from "./model-sources.ts";
import type { OpenRollouts } from "./open-rollouts.ts";
import { FLUSH_MS } from "./open-traces.ts";
import type { Reloader } from "./reloader.ts";
import type { RolloutFile } from "./rollout-file.ts";

/** How long a silent connection may take to say what it wants once the port is closed: its client may have sent that already. */
const LINGER_MS = 500;
const LINGER_STEP_MS = 20;

/** The parts of a server that must end in order. */
export interface RunningParts {
  readonly config: ServerConfig;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly loop: EventLoop;
  readonly health: HealthServer | undefined;
  readonly reloader: Reloader;
  readonly rest: RestEdge;
  readonly grpc: GrpcEdge;
  readonly listener: Listener;
  /** Shared memory that clients have registered; undefined: none may be. */
  readonly regions: MemoryRegions | undefined;
  /** Undefined: requests are not kept. */
  readonly recorder: RequestRecorder | undefined;
  readonly control: ModelControl;
  readonly rollouts: OpenRollouts;
  readonly registry: ManagedRegistry;
  /** Undefined: this process speaks with all clients. */
  readonly edgeProcesses: EdgeProcesses | undefined;
  readonly runtime: Runtime;
  readonly sources: ModelSources;
  /** Undefined: nothing is traced. */
  readonly traces: Tracing | undefined;
  /** Undefined: every server has its own answers. */
  readonly cacheSharing: CacheSharing | undefined;
  /** Undefined: what becomes of rollouts is not kept. */
  readonly rolloutFile: RolloutFile | undefined;
}

/**
 * Ends a server without losing a request: answers go on for `drainDelayMs` while readiness already says no, then no connection is
 * accepted any more, clients are asked to leave, what is in flight finishes (for at most `drainTimeoutMs`), and the workers end.
 */
export async function stopServer(parts: RunningParts): Promise<void> {
  const { config, clock, logger, rest, grpc, listener, registry, runtime, edgeProcesses } = parts;
  parts.control.close();
  parts.reloader.stop();
  logger.info(
    { drainDelayMs: config.drainDelayMs },
    "draining: not ready any more, requests in flight finish",
  );
  rest.setDraining();
  grpc.setServing(false);
  edgeProcesses?.setDraining();
  await new Promise<void>((resolve) => {
    if (config.drainDelayMs === 0) resolve();
    else clock.after(config.drainDelayMs, resolve);
  });
  await stopListening(parts);
  const inTime = await finishesIn(closeEdges(parts), config.drainTimeoutMs, clock);
  if (!inTime) {
    logger.warn(
      { drainTimeoutMs: config.drainTimeoutMs },
      "drain timeout: requests still in flight are cut off",
    );
    grpc.destroy("the server is stopping");
    rest.destroy();
    registry.destroy("the server is stopping");
    runtime.destroy("the server is stopping");
  }
  listener.destroy();
  edgeProcesses?.destroy();
  parts.regions?.unregister("");
  await parts.recorder?.close();
  // Until then requests go where their sequences are.
  parts.rollouts.close();
  await registry.close();
  await runtime.close();
  closeSources(parts.sources);
  await parts.rolloutFile?.close();
  await parts.cacheSharing?.close();
  await parts.traces?.close(FLUSH_MS);
  parts.loop.stop();
  await parts.health?.close();
  logger.info({}, "drained");
}

/** Resolves when every request has its response, and no connection is left. */
async function closeEdges({ edgeProcesses, rest, grpc }: RunningParts): Promise<void> {
  await edgeProcesses?.drain(() => grpc.endStreams());
  await Promise.all([rest.close(), grpc.close()]);
}

/**
 * Closes the port without losing who has come already: a connection that the system has accepted but this process has not would be reset,
 * and one that is silent may have a request on its way. Waiting connections are accepted first; connections still silent then, new or
 * kept alive, get a moment. A connection that sends a request gets its response and is closed.
 */
async function stopListening(parts: RunningParts): Promise<void> {
  await parts.listener.acceptWaiting();
  parts.listener.stopAccepting();
  await lingerIdle(parts);
}

/** Gives connections that are silent a moment. */
export async function lingerIdle({
  listener,
  rest,
  clock,
}: Pick<RunningParts, "listener" | "rest" | "clock">): Promise<void> {
  // Reads the first bytes of the last who came.
  await nextTurn();
  await nextTurn();
  const endMs = clock.nowMs() + LINGER_MS;
  while (listener.undecidedCount() + rest.idleCount() > 0 && clock.nowMs() < endMs) {
    await new Promise<void>((resolve) => {
      clock.after(LINGER_STEP_MS, resolve);
    });
  }
  // After a stall the time is over before the sockets were read.
  await nextTurn();
  await nextTurn();
}

async function finishesIn(work: Promise<unknown>, limitMs: number, clock: Clock): Promise<boolean> {
  let cancel = (): void => {};
  const timeout = new Promise<false>((resolve) => {
    cancel = clock.after(limitMs, () => resolve(false));
  });
  const inTime = await Promise.race([work.then(() => true), timeout]);
  cancel();
  return inTime;
}
