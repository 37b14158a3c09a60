import type { RunSettings } from "../../base/run-settings.ts";
import type { ModelWorkers } from "../../models/registry.ts";

/** What is known of a registered version. */
export interface ModelFacts extends ModelWorkers {
  readonly model: string;
  /** As this server counts. */
  readonly version: string;
  readonly runtime: string;
  readonly settings: RunSettings;
  /** It was registered by request, and not served from the start. */
  readonly isRequested: boolean;
}

/** Identifiers of workers begin there, as for TorchServe. */
const FIRST_WORKER = 9000;

/** A version as `GET /models/{model}` shows it. `modelUrl`: the archive that it came from. */
export function describeVersion(facts: ModelFacts, modelUrl: string): object {
  const { model, version, runtime, settings, workers, waitingRequests, loadedAtMs, isRequested } = facts;
  const { instances, maxQueueSize, sequences } = settings;
  return {
    modelName: model,
    modelVersion: `${version}.0`,
    modelUrl,
    runtime,
    minWorkers: instances,
    maxWorkers: instances,
    batchSize: settings.runsAtOnce ?? settings.maxBatchSize,
    maxBatchDelay: settings.maxQueueDelayMs,
    responseTimeout: settings.executionTimeoutMs / 1000,
    startupTimeout: settings.loadTimeoutMs / 1000,
    maxRetryTimeoutInSec: 300,
    clientTimeoutInMills: 0,
    parallelType: "",
    parallelLevel: 0,
    deviceType: "cpu",
    continuousBatching: settings.runsAtOnce !== undefined,
    useJobTicket: false,
    useVenv: false,
    stateful: sequences !== undefined,
    sequenceMaxIdleMSec: sequences?.idleMs ?? 0,
    sequenceTimeoutMSec: 0,
    maxNumSequence: sequences?.maxSequences ?? 0,
    maxSequenceJobQueueSize: sequences?.maxWaiting ?? 0,
    loadedAtStartup: !isRequested,
    workers: workers.map(({ pid, residentBytes, isReady }, index) => ({
      id: String(FIRST_WORKER + index),
      startTime: new Date(loadedAtMs).toISOString(),
      status: isReady ? "READY" : "UNLOADING",
      memoryUsage: residentBytes ?? 0,
      pid: pid ?? -1,
      gpu: false,
      gpuUsage: "N/A",
    })),
    jobQueueStatus: {
      remainingCapacity: Math.max(0, maxQueueSize - waitingRequests),
      pendingRequests: waitingRequests,
    },
  };
}
