import type { CollectedFamily, CollectedValue, Labels } from "../base/metrics.ts";
import type { VersionStatus } from "./managed-registry.ts";
import type { ModelGauges } from "./served-model-handle.ts";

/** The states of a version, in the order of its life. */
const VERSION_STATES = ["unloaded", "loading", "ready", "draining", "failed"] as const;

/** What the queue of every version in memory holds. */
const QUEUE_GAUGES: readonly (readonly [name: string, help: string, read: (model: ModelGauges) => number])[] =
  [
    ["sconce_queue_requests", "Requests that wait in the queue.", (model) => model.waitingRequests],
    ["sconce_queue_bytes", "Input bytes that wait in the queue.", (model) => model.waitingBytes],
    ["sconce_running_requests", "Requests that run, or run again next.", (model) => model.runningRequests],
    ["sconce_instances", "Instances that the model is meant to have.", (model) => model.instances],
    ["sconce_instances_ready", "Instances that can run a batch.", (model) => model.readyInstances],
  ];

/** What is true of every model version now: its state, and where it is in memory its queue, instances and workers. */
export async function readModelGauges(
  versions: readonly VersionStatus[],
): Promise<readonly CollectedFamily[]> {
  const loaded = await Promise.all(
    versions.map(async ({ name: model, version, handle }) => ({
      labels: { model, version },
      gauges: await handle?.gauges(),
    })),
  );
  const family = (
    name: string,
    help: string,
    read: (of: ModelGauges, labels: Labels) => CollectedValue[],
  ): CollectedFamily => ({
    name,
    help,
    kind: "gauge",
    values: loaded.flatMap(({ gauges, labels }) => (gauges === undefined ? [] : read(gauges, labels))),
  });
  return [
    ...QUEUE_GAUGES.map(([name, help, read]) =>
      family(name, help, (gauges, labels) => [{ labels, value: read(gauges) }]),
    ),
    family("sconce_live_sequences", "Sequences that have begun and not ended.", (gauges, labels) =>
      sequenceValue(gauges, labels, "live"),
    ),
    family("sconce_state_bytes", "Bytes of the states of live sequences.", (gauges, labels) =>
      sequenceValue(gauges, labels, "stateBytes"),
    ),
    family("sconce_worker_resident_bytes", "Resident memory of a worker process.", workerValues),
    {
      name: "sconce_model_state",
      help: "1 for the state that a model version is in, 0 for the others.",
      kind: "gauge",
      values: versions.flatMap(stateValues),
    },
  ];
}

function sequenceValue(
  { sequences }: ModelGauges,
  labels: Labels,
  key: keyof NonNullable<ModelGauges["sequences"]>,
): CollectedValue[] {
  return sequences === undefined ? [] : [{ labels, value: sequences[key] }];
}

function workerValues({ residentBytes, shadowResidentBytes }: ModelGauges, labels: Labels): CollectedValue[] {
  const of = (instance: string, value: number | undefined): CollectedValue[] =>
    value === undefined ? [] : [{ labels: { ...labels, instance }, value }];
  return [
    ...residentBytes.flatMap((value, index) => of(String(index), value)),
    ...of("shadow", shadowResidentBytes),
  ];
}

function stateValues({ name: model, version, state: current }: VersionStatus): CollectedValue[] {
  return VERSION_STATES.map((state) => ({
    labels: { model, version, state },
    value: state === current ? 1 : 0,
  }));
}
