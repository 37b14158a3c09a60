import type { AddressInfo } from "node:net";
import { ServeError } from "../base/errors.ts";
import type { TensorSpec } from "../base/signature.ts";
import { readinessOf } from "../config/readiness-option.ts";
import { checkSafeBinding } from "../config/safe-binding.ts";
import type { ServerConfig } from "../config/server-options.ts";
import { createTimeSlicer } from "../edge/time-slicer.ts";
import { tenantHeaderName } from "../gate/tenant.ts";
import { createWebGate } from "../gate/web-gate.ts";
import { createInference } from "../infer/create-inference.ts";
import type { IndexEntry } from "../models/registry.ts";
import { webGateOptions } from "./build-edges.ts";
import { buildModels } from "./build-models.ts";
import { type CleanupStack, createCleanupStack } from "./cleanup-stack.ts";
import { type CompleteOptions, completeOptions, type ServerOptions } from "./complete-options.ts";
import { openDoors } from "./open-doors.ts";
import { openInstruments } from "./open-instruments.ts";
import { openReloader } from "./open-reloader.ts";
import { createPredict, type Predict } from "./predict-in-process.ts";
import { type RunningParts, stopServer } from "./stop-server.ts";
import type { TorchserveAddresses } from "./torchserve-ports.ts";
import { VERSION } from "./version.ts";

/** A server that listens. */
export interface RunningServer {
  /** `http://host:port`, or `https:`, without a trailing slash; gRPC clients use the same host and port. */
  readonly url: string;
  /** The same for the health port; undefined without one. */
  readonly healthUrl: string | undefined;
  /** Where TorchServe's clients find its other APIs; undefined without `--compat torchserve`. */
  readonly torchserve: TorchserveAddresses | undefined;
  /** Resolves when every model has been loaded, or has failed to load. Never rejects because of a model. */
  readonly settled: Promise<void>;
  /** Every version of every model with its state, and with the reason when it is not ready. */
  models(): readonly IndexEntry[];
  /** Requests that a stop waits for: inferences that wait for their turn or run, and requests over HTTP/1.1 that still come in. */
  requestsInFlight(): number;
  /** Inputs of a model's serving version; empty while it is not ready. */
  inputsOf(name: string): readonly TensorSpec[];
  /**
   * Asks a model as `POST /predict/{model}` does, without the network: nested arrays (or an object of them, by input) in, the prediction out,
   * batched with everybody else's. Waits for a model that loads on first use. Rejects with ServeError.
   */
  readonly predict: Predict;
  /** Reads certificates, keys and the configuration again, as happens by itself when their files change. What cannot be read stays as it was; the log says so. Never rejects. */
  reload(): Promise<void>;
  /** Drains: not ready at once, requests in flight finish, then everything ends. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Serves models over REST and gRPC on one port, as `sconce serve` does. Resolves when the port is open; models go on loading
 * (`settled`). Installs no signal handlers: call `stop` to end the server and its worker processes. Several servers may run in one
 * process.
 *
 * Rejects with ServeError: `failed_precondition`/`cannot_listen` when a port cannot be opened, `invalid_argument`/`missing_path` or
 * `failed_precondition`/`unreadable_path` when a path cannot be served from, `failed_precondition`/`unsafe_binding` or
 * `missing_admin_token` when the configuration is open to a network by mistake, `failed_precondition`/`bad_certificate` when a certificate cannot
 * be used, `invalid_argument`/`bad_option` for options that do not exist. Nothing of the server is left then.
 */
export async function startServer(given: ServerOptions): Promise<RunningServer> {
  const options = completeOptions(given);
  const cleanup = createCleanupStack();
  try {
    return await start(options, cleanup);
  } catch (error) {
    await cleanup.run();
    throw ServeError.from(error);
  }
}

async function start(options: CompleteOptions, cleanup: CleanupStack): Promise<RunningServer> {
  const { clock, logger } = options;
  const { server: config } = options.config;
  checkSafeBinding(config);
  readinessOf(config.readiness);
  const tenantHeader = config.tenantHeader === undefined ? undefined : tenantHeaderName(config.tenantHeader);
  const webGate = createWebGate(webGateOptions(config, config.host));
  const instruments = await openInstruments(options, cleanup);
  const { loop, sandbox, tls } = instruments;
  const models = buildModels(options, instruments, cleanup);
  const { registry, rollouts } = models;
  let isDraining = false;
  const inference = createInference({
    registry,
    clock,
    serverInfo: { name: "sconce", version: VERSION, extensions: extensionsOf(config) },
    isDraining: () => isDraining,
    rollouts,
  });
  const slicer = createTimeSlicer(clock);
  const doorsParts = { instruments, models, inference, slicer, webGate, tenantHeader };
  const { address, torchserve, ...doors } = await openDoors(options, doorsParts, cleanup);
  const { health, rest } = doors;
  const reloader = await openReloader(options, instruments);
  loop.onBeat(() => health?.beat());
  loop.begin();
  instruments.cacheSharing?.start();
  const started = models.control.start();
  const running: RunningParts = { config, clock, logger, ...instruments, ...models, ...doors, reloader };
  let stopped: Promise<void> | undefined;
  return {
    url: urlOf(address, tls === undefined ? "http" : "https"),
    healthUrl: health && urlOf(health.address, "http"),
    torchserve,
    settled: started.then(() => registry.settled()),
    models: () => registry.index(),
    requestsInFlight() {
      const queued = registry.versions().reduce((sum, { handle }) => sum + (handle?.inFlight() ?? 0), 0);
      return Math.max(queued, rest.busyCount());
    },
    inputsOf: (name) => registry.lookup(name, undefined)?.description.signature.inputs ?? [],
    predict: createPredict({ inference, clock, slicer }),
    reload: () => reloader.reloadAll(),
    stop() {
      isDraining = true;
      health?.refresh();
      stopped ??= stopServer(running).finally(() => sandbox?.close());
      return stopped;
    },
  };
}

/** Triton's names for what both protocols serve beyond the core of v2. */
const EXTENSIONS: readonly string[] = [
  "binary_tensor_data",
  "classification",
  "parameters",
  "schedule_policy",
  "sequence",
  "model_repository",
  "model_repository(unload_dependents)",
  "model_configuration",
  "statistics",
];

function extensionsOf({ sharedMemory }: ServerConfig): readonly string[] {
  return sharedMemory === "system" ? [...EXTENSIONS, "system_shared_memory"] : EXTENSIONS;
}

function urlOf({ address, family, port }: AddressInfo, scheme: "http" | "https"): string {
  return `${scheme}://${family === "IPv6" ? `[${address}]` : address}:${port}`;
}
