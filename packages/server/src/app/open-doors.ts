import type { AddressInfo } from "node:net";
import { parseHealthAddress } from "../config/health-address.ts";
import { hostAddress } from "../config/host-address.ts";
import type { ServerConfig } from "../config/server-options.ts";
import type { Listener } from "../edge/listener.ts";
import type { TimeSlicer } from "../edge/time-slicer.ts";
import type { WorkflowStore } from "../edge/torchserve/workflows.ts";
import type { WebGate } from "../gate/web-gate.ts";
import { type HealthServer, type HealthServerOptions, startHealthServer } from "../health/health-server.ts";
import type { Inference } from "../infer/inference.ts";
import { type BuiltEdges, buildEdges, notReadyStatusOf, webGateOptions } from "./build-edges.ts";
import type { BuiltModels } from "./build-models.ts";
import type { CleanupStack } from "./cleanup-stack.ts";
import type { CompleteOptions } from "./complete-options.ts";
import { listenError } from "./listen-error.ts";
import type { Instruments } from "./open-instruments.ts";
import type { TorchserveAddresses } from "./torchserve-ports.ts";
import type { workflowStoreOf } from "./workflow-store.ts";

/** What clients come in by. */
export interface OpenDoors extends BuiltEdges {
  readonly address: AddressInfo;
  /** Undefined: there is no health port. */
  readonly health: HealthServer | undefined;
  /** Undefined without `--compat torchserve`. */
  readonly torchserve: TorchserveAddresses | undefined;
}

export interface DoorsParts {
  readonly instruments: Instruments;
  readonly models: BuiltModels;
  readonly inference: Inference;
  readonly slicer: TimeSlicer;
  readonly webGate: WebGate;
  readonly tenantHeader: string | undefined;
}

/** Opens the ports. Rejects with `failed_precondition`/`cannot_listen`; `cleanup` then closes what was open. */
export async function openDoors(
  options: CompleteOptions,
  { instruments, models, ...parts }: DoorsParts,
  cleanup: CleanupStack,
): Promise<OpenDoors> {
  const { clock, logger } = options;
  const { server: config } = options.config;
  const { edgeProcesses, metrics, sources, traces } = instruments;
  const { registry, control, rollouts, quota } = models;
  const { inference } = parts;
  edgeProcesses?.attach({ inference, registry });
  const built = await buildEdges({
    ...instruments,
    ...options,
    ...parts,
    config,
    tracer: traces?.tracer,
    metrics: edgeProcesses?.metrics ?? metrics,
    observer: models.observer,
    control: rollouts.administration(control),
    tenantUsage: () => quota.usage(clock.nowMs()),
    createMainListener: edgeProcesses?.createListener,
    workflowStore: await openWorkflowStore(config, { sources, registry, clock, control }),
  });
  cleanup.defer(() => {
    built.rest.destroy();
    built.listener.destroy();
    built.regions?.unregister("");
    return built.recorder?.close();
  });
  await edgeProcesses?.start();
  const health = await openHealth(config, { isReady: () => inference.isReady(), logger });
  cleanup.defer(() => health?.close());
  const address = await listen(built.listener, config);
  const torchserve = await built.listenMore?.(address);
  return { ...built, address, health, torchserve };
}

async function openWorkflowStore(
  config: ServerConfig,
  parts: Parameters<typeof workflowStoreOf>[1],
): Promise<WorkflowStore | undefined> {
  if (config.compat !== "torchserve") return undefined;
  const { workflowStoreOf: open } = await import("./workflow-store.ts");
  return open(config, parts);
}

async function listen(listener: Listener, config: ServerConfig): Promise<AddressInfo> {
  const [host, port] = [hostAddress(config.host), config.port];
  try {
    return await listener.listen(host, port);
  } catch (error) {
    throw listenError(error, { host, port, hostOption: "--host", portOption: "--port" });
  }
}

async function openHealth(
  config: ServerConfig,
  parts: Pick<HealthServerOptions, "isReady" | "logger">,
): Promise<HealthServer | undefined> {
  if (config.healthAddress === undefined) return undefined;
  const notReadyStatus = notReadyStatusOf(config);
  const wanted = parseHealthAddress(config.healthAddress);
  try {
    const webGate = webGateOptions(config, wanted.host);
    return await startHealthServer({ ...wanted, notReadyStatus, webGate, ...parts });
  } catch (error) {
    const option = "--health-address";
    throw listenError(error, { ...wanted, hostOption: option, portOption: option });
  }
}
