import type { RowOutcome, TorchserveRow } from "./torchserve-row.ts";

/** What TorchServe says of one model, as keys of model.yaml. */
export interface TorchserveModelSettings {
  readonly values: Readonly<Record<string, unknown>>;
  readonly rows: readonly TorchserveRow[];
}

interface Made {
  readonly outcome: RowOutcome;
  readonly values?: Readonly<Record<string, unknown>>;
  readonly note?: string;
}

type ReadKey = (value: unknown) => Made;

const ONE_PROCESS = "a worker is one process on one device: leave it out, or keep TorchServe for this model";

/** Keys of `models=` in config.properties and of model-config.yaml. */
const KEYS: Readonly<Record<string, ReadKey>> = {
  marName: idle(),
  defaultVersion: idle("the newest version answers, until PUT …/set-default says otherwise"),
  minWorkers: count("instances", (workers) => workers),
  maxWorkers: idle("as many workers run as minWorkers says, as in TorchServe from its start"),
  batchSize: count("max_batch_size", (rows) => rows),
  maxBatchDelay: count("max_queue_delay", (ms) => `${ms}ms`),
  responseTimeout: count("execution_timeout", (seconds) => `${seconds}s`),
  startupTimeout: count("load_timeout", (seconds) => `${seconds}s`),
  jobQueueSize: count("max_queue_size", (jobs) => jobs),
  clientTimeoutInMills: count("queue_timeout", (ms) => `${ms}ms`),
  deviceType: (value) =>
    value === "cpu"
      ? { outcome: "same", values: { device: "cpu" } }
      : { outcome: "same", note: "all CUDA devices that PyTorch sees are used" },
  deviceIds: (value) => {
    const ids = Array.isArray(value) ? value.filter((id) => Number.isInteger(id) && id >= 0) : [];
    if (ids.length === 0) return { outcome: "none", note: "expected numbers of devices, such as [0, 1]" };
    return { outcome: "same", values: { device: ids.map((id) => `cuda:${id}`).join(",") } };
  },
  parallelType: none(ONE_PROCESS),
  parallelLevel: none(ONE_PROCESS),
  torchrun: none(ONE_PROCESS),
  pippy: handlersOwn(),
  deepspeed: handlersOwn(),
  useJobTicket: idle("a request is refused with 503 when max_queue_size others wait"),
  maxRetryTimeoutInSec: idle(
    "a worker that ends is started again, with longer pauses, until it is a crash loop",
  ),
  continuousBatching: () => ({ outcome: "same" }),
  sequenceBatching: (value) =>
    value === true
      ? {
          outcome: "same",
          values: { instances: 1 },
          note: "what a handler knows of a sequence is in one worker",
        }
      : { outcome: "same" },
  sequenceMaxIdleMSec: () => ({ outcome: "same" }),
  sequenceTimeoutMSec: none("a sequence lives as long as requests come"),
  maxSequenceJobQueueSize: () => ({ outcome: "same" }),
  maxNumSequence: () => ({ outcome: "same" }),
  asyncCommunication: none("a worker runs one batch at a time"),
  useVenv: none("nothing is installed: give the interpreter that has the packages (--python)"),
  handler: handlersOwn(),
  micro_batching: handlersOwn(),
  pt2: handlersOwn(),
  runtimeType: (value) =>
    value === "LSP" ? { outcome: "none", note: "C++ handlers are not run" } : { outcome: "idle" },
};

/** Reads what `models=` says of one version, or a model-config.yaml. Keys that are none of TorchServe's are the handler's. */
export function readTorchserveModel(said: Readonly<Record<string, unknown>>): TorchserveModelSettings {
  const values: Record<string, unknown> = {};
  const rows = Object.entries(said).map(([key, value]): TorchserveRow => {
    const made = Object.hasOwn(KEYS, key) ? KEYS[key]!(value) : handlersOwn()(value);
    Object.assign(values, made.values);
    if (said["sequenceBatching"] === true && values["instances"] !== undefined) values["instances"] = 1;
    return {
      key,
      value: show(value),
      outcome: made.outcome,
      becomes: shown(made.values),
      note: made.note ?? "",
    };
  });
  return { values, rows };
}

/** `port: 8080, host: ::1`. */
export function shown(values: Readonly<Record<string, unknown>> = {}): string {
  return Object.entries(values)
    .map(([key, value]) => `${key}: ${show(value)}`)
    .join(", ");
}

/** A value in one line. */
export function show(value: unknown): string {
  return (typeof value === "string" ? value : JSON.stringify(value)).slice(0, 200);
}

function idle(note = ""): ReadKey {
  return () => ({ outcome: "idle", note });
}

function none(note: string): ReadKey {
  return () => ({ outcome: "none", note });
}

function handlersOwn(): ReadKey {
  return () => ({ outcome: "same", note: "the handler finds it in context.model_yaml_config" });
}

/** A number from 1 on; 0 and less are what TorchServe has as "not set". */
function count(key: string, write: (count: number) => unknown): ReadKey {
  return (value) => {
    const number = typeof value === "string" && /^-?[0-9]{1,9}$/.test(value) ? Number(value) : value;
    if (typeof number !== "number" || !Number.isInteger(number))
      return { outcome: "none", note: "expected a whole number" };
    return number > 0 ? { outcome: "same", values: { [key]: write(number) } } : { outcome: "idle" };
  };
}
