import type { Clock } from "../../base/clock.ts";
import { invariant, ServeError } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import type { Labels, Metrics } from "../../base/metrics.ts";
import type { Config } from "../../config/load-config.ts";
import { countRejections } from "../../edge/client-metrics.ts";
import type { GrpcLimits } from "../../edge/grpc/grpc-limits.ts";
import { UNKNOWN_MODEL } from "../../edge/inference-metrics.ts";
import { type Listener, LOOPBACK } from "../../edge/listener.ts";
import { createPassingListener, type PassingListener } from "../../edge/passing-listener.ts";
import type { ByteBudget, ByteBudgetOptions } from "../../gate/byte-budget.ts";
import { createSharedBudget } from "../../gate/shared-budget.ts";
import type { Inference } from "../../infer/inference.ts";
import type { ManagedRegistry } from "../../models/managed-registry.ts";
import { grpcLimits, listenerLimits } from "../edge-limits.ts";
import type { Front } from "../torchserve-fronts.ts";
import { openLedgerFile } from "./budget-ledger.ts";
import { EdgeFleet } from "./edge-fleet.ts";
import { type ModelViewSource, watchModels } from "./model-view-source.ts";

export interface EdgeProcessesOptions {
  /** How many; at least 2. */
  readonly size: number;
  readonly config: Config;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** What edge processes ask. */
export interface EdgeSources {
  readonly inference: Inference;
  readonly registry: ManagedRegistry;
}

/** What a server with edge processes has in place of a port of its own. */
export interface EdgeProcesses {
  /** Those of the server, with what edge processes have counted. */
  readonly metrics: Metrics;
  /** What requests hold in all processes together. */
  createBudget(options: ByteBudgetOptions): ByteBudget;
  /** Before `createListener`. */
  attach(sources: EdgeSources): void;
  /** The port; its connections go to edge processes, and `front` answers what they do not. */
  createListener(front: Pick<Front, "grpc">): Listener;
  /** Starts the processes. Rejects when one does not start. */
  start(): Promise<void>;
  /** Resolves when all have read certificates and keys again. */
  reload(): Promise<void>;
  setLogLevel(level: string): void;
  /** A model may be gone. */
  look(model: string): void;
  setDraining(): void;
  /** Resolves when all have ended, with everything answered. `onClosing`: calls without an end of their own are to be ended. */
  drain(onClosing: () => void): Promise<void>;
  /** Ends what is left. Idempotent. */
  destroy(): void;
}

/** Makes them ready to be started. Throws `invalid_argument`/`bad_option` together with options that are for one process alone. */
export function createEdgeProcesses(options: EdgeProcessesOptions): EdgeProcesses {
  const { size, config, metrics, clock } = options;
  checkCompatible(config);
  const processes = size + 1;
  const ledger = openLedgerFile(processes);
  const limits = tunnelLimits(config);
  let reclaimHere = (_bytes: number): void => {};
  let fleet: EdgeFleet | undefined;
  let views: ModelViewSource | undefined;
  const fleetOver = (
    { inference, registry }: EdgeSources,
    { grpc }: Pick<Front, "grpc">,
    listener: () => PassingListener,
  ): EdgeFleet => {
    views = watchModels(registry, (view) => fleet?.show(view));
    return new EdgeFleet({
      ...options,
      inference,
      ledgerFd: ledger.fd,
      wholeView: () => views?.whole() ?? NO_MODELS,
      revisionOf: (model) => views?.revisionOf(model) ?? 0,
      serveTunnel: (socket) => grpc.injectConnection(socket, limits),
      onClosed: (ids) => listener().onClosed(ids),
      onEnded: (place) => ledger.at(place).publish(0),
      isKept: (labels) => isKept(registry, labels),
      reclaim: (bytes) => reclaimHere(bytes),
    });
  };
  let sources: EdgeSources | undefined;
  return {
    metrics: {
      ...metrics,
      async render() {
        await fleet?.count();
        return metrics.render();
      },
    },
    createBudget(budget) {
      reclaimHere = budget.reclaim ?? reclaimHere;
      return createSharedBudget({
        ...budget,
        ledger: ledger.at(0),
        clock,
        reclaimElsewhere: (bytes) => fleet?.reclaim(bytes, 0),
      });
    },
    attach(given) {
      sources = given;
    },
    createListener(front) {
      invariant(sources, "attach comes before createListener");
      const made = fleetOver(sources, front, () => listener);
      fleet = made;
      const listener = createPassingListener({
        clock,
        limits: listenerLimits(config.server),
        unlimited: [...LOOPBACK, ...config.server.trustedProxies],
        onRejected: countRejections(metrics),
        pass: (id, socket) => made.give(id, socket),
        cut: () => made.destroy(),
      });
      return listener;
    },
    start: () => fleet?.start() ?? Promise.resolve(),
    reload: () => fleet?.reload() ?? Promise.resolve(),
    setLogLevel: (level) => fleet?.setLogLevel(level),
    look: (model) => views?.look(model),
    setDraining: () => fleet?.setDraining(),
    drain: (onClosing) => fleet?.drain(onClosing) ?? Promise.resolve(),
    destroy() {
      fleet?.destroy();
      views?.stop();
      ledger.close();
    },
  };
}

/** Whether anybody still wants to know what was counted: not of a model or version that is gone for good. */
function isKept(registry: ManagedRegistry, { model, version }: Labels): boolean {
  if (model === undefined || model === UNKNOWN_MODEL) return true;
  return version === undefined ? registry.isKnown(model) : registry.hasVersion(model, version);
}

const NO_MODELS = { models: [], gone: [] };

function checkCompatible({ server }: Config): void {
  const reason =
    server.sharedMemory !== "off"
      ? "--shared-memory: memory that clients register belongs to one process"
      : server.torchserveTokens !== undefined
        ? "--torchserve-tokens: a token that one process renews is still the old one to the others"
        : server.allowTraceSettings
          ? "--allow-trace-settings: a request changes what one process records"
          : undefined;
  if (reason === undefined) return;
  throw new ServeError("invalid_argument", `--edges does not go with ${reason}; leave --edges at 1`, {
    reason: "bad_option",
  });
}

const MIB = 1024 * 1024;
const PLENTY = 1_000_000;

/** An edge process is no stranger: it carries everybody's calls, and has kept its own clients to the limits. */
function tunnelLimits({ server }: Config): GrpcLimits {
  return {
    ...grpcLimits(server),
    maxStreams: PLENTY,
    sessionMemoryMib: 1024,
    windowBytes: MIB,
    maxHeaderBytes: 128 * 1024,
    maxHeaderPairs: 1024,
    maxInvalidFrames: PLENTY,
    maxRejectedStreams: PLENTY,
    streamResetBurst: PLENTY,
    streamResetRate: PLENTY,
    controlFrameBurst: PLENTY,
    controlFrameRate: PLENTY,
    keepaliveMs: Number.POSITIVE_INFINITY,
    keepaliveTimeoutMs: Number.POSITIVE_INFINITY,
    connectionAgeMs: Number.POSITIVE_INFINITY,
  };
}
