import type { MachineReading } from "../base/machine.ts";
import { isOf, type Series, type Spread, spreadOf, total } from "../base/metrics-text.ts";
import type { Signature, TensorSpec } from "../base/signature.ts";
import { STAGES, type Stage } from "../base/timeline.ts";

/** How a model is set up, as far as findings are judged by it. */
export interface ModelSetup {
  readonly signature: Pick<Signature, "inputs" | "outputs">;
  readonly isBatching: boolean;
  readonly maxBatchSize: number;
  readonly instances: number;
  readonly maxQueueDelayMs: number;
  readonly runtime: string;
  /** How the file's format is called; "": nobody said. */
  readonly platform: string;
}

/** All that findings are judged by. Times are milliseconds. */
export interface Evidence {
  readonly seconds: number;
  /** Inferences that were answered, and how many of them over REST. */
  readonly answered: number;
  readonly overRest: number;
  /** Inferences of all models, however they ended, and connections that clients opened. */
  readonly inferences: number;
  readonly connections: number;
  /** Opening one, from here; undefined: nobody tried. */
  readonly connectMs: number | undefined;
  /** Answers of all models that were compressed, in bytes, and how long that took. */
  readonly compression: { readonly plain: number; readonly packed: number; readonly seconds: number };
  readonly stages: Readonly<Record<Stage, Spread>>;
  /** Sum of the stages' means. */
  readonly serverMs: number;
  readonly batchRows: Spread;
  /** Requests that ended without a run, and those that were run again, by reason. */
  readonly rejections: Readonly<Record<string, number>>;
  readonly reruns: number;
  readonly loopLate: Spread;
  /** Loads of the model in the window. */
  readonly loads: Spread;
  /** Nothing was asked of it before the window. */
  readonly isFirst: boolean;
  /** Undefined: nobody said. */
  readonly warmupRuns: number | undefined;
  /** What requests filled of a dimension that is padded, and what padding did; both 0: nothing is padded. */
  readonly padding: { readonly content: number; readonly padding: number; readonly meanSize: number };
  /** Of a pipeline, what its steps took; empty: it is none. */
  readonly steps: readonly { readonly name: string; readonly took: Spread }[];
  readonly model: ModelSetup;
  /** Threads of an instance; undefined: the server chose, or nobody said. */
  readonly threads: number | undefined;
  /** Of the tensors of one row, as far as the signature fixes them. */
  readonly inputBytes: number;
  readonly outputBytes: number;
  readonly outputSizes: readonly { readonly name: string; readonly bytes: number }[];
  readonly machine: Machine | undefined;
  readonly load: LoadEvidence | undefined;
}

/** The machine during the window; undefined when the server runs on another. */
export interface Machine {
  readonly cores: number;
  readonly load: number;
  /** Share of time that the hypervisor gave to others, and of quota periods in which the quota ran out. */
  readonly stealShare: number;
  readonly throttledShare: number;
  /** Of the container: bytes in use that cannot be given back at once; undefined: no limit. */
  readonly memory?: { readonly used: number; readonly limit: number } | undefined;
}

/** What a load of our own saw. */
export interface LoadEvidence {
  readonly connections: number;
  readonly protocol: string;
  readonly requestBytes: number;
  readonly perSecond: number;
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly failures: Readonly<Record<string, number>>;
}

export interface EvidenceParts extends Pick<Evidence, "seconds" | "model" | "threads" | "machine" | "load"> {
  readonly connectMs?: number | undefined;
  readonly warmupRuns?: number | undefined;
  /** Default: false. */
  readonly isFirst?: boolean;
  readonly name: string;
  /** Of an element of a tensor other than BYTES. */
  readonly elementBytes: (datatype: TensorSpec["datatype"]) => number;
  /** Of the window. */
  readonly series: readonly Series[];
}

/** Puts together what the server counted in a window and what is known besides. */
export function toEvidence(parts: EvidenceParts): Evidence {
  const { name, series, elementBytes, connectMs, warmupRuns, isFirst = false, ...known } = parts;
  const model = { model: name };
  const stages = Object.fromEntries(
    STAGES.map((stage) => [
      stage,
      inMs(spreadOf(series, "sconce_inference_stage_seconds", { ...model, stage })),
    ]),
  ) as Record<Stage, Spread>;
  const answers = { ...model, code: "ok" };
  const { inputs, outputs } = known.model.signature;
  const batchRows = spreadOf(series, "sconce_batch_rows", model);
  const rows = batchRows.mean * batchRows.count;
  return {
    ...known,
    answered: total(series, "sconce_inferences_total", answers),
    overRest: total(series, "sconce_inferences_total", { ...answers, protocol: "rest" }),
    stages,
    serverMs: STAGES.reduce((sum, stage) => sum + stages[stage].mean, 0),
    batchRows,
    ...clientsOf(series),
    connectMs,
    loads: inMs(spreadOf(series, "sconce_model_load_seconds", model)),
    isFirst,
    warmupRuns,
    padding: paddingOf(series, { model, rows }),
    outputSizes: outputs.map((spec) => ({ name: spec.name, bytes: bytesOf([spec], elementBytes) })),
    rejections: reasonsOf(series.filter((one) => isOf(one, "sconce_rejections_total", model))),
    reruns: total(series, "sconce_reruns_total", model),
    steps: stepsOf(series, model),
    loopLate: inMs(spreadOf(series, "sconce_event_loop_delay_seconds")),
    inputBytes: bytesOf(inputs, elementBytes),
    outputBytes: bytesOf(outputs, elementBytes),
  };
}

function clientsOf(series: readonly Series[]): Pick<Evidence, "inferences" | "connections" | "compression"> {
  const compressed = (kind: string): number => total(series, "sconce_compressed_bytes_total", { kind });
  return {
    inferences: total(series, "sconce_inferences_total"),
    connections: total(series, "sconce_connections_total"),
    compression: {
      plain: compressed("plain"),
      packed: compressed("packed"),
      seconds: total(series, "sconce_compression_seconds_total"),
    },
  };
}

function paddingOf(
  series: readonly Series[],
  { model, rows }: { readonly model: { readonly model: string }; readonly rows: number },
): Evidence["padding"] {
  const of = (kind: string): number => total(series, "sconce_padded_positions_total", { ...model, kind });
  const content = of("content");
  return { content, padding: of("padding"), meanSize: rows > 0 ? content / rows : 0 };
}

function stepsOf(series: readonly Series[], model: { readonly model: string }): Evidence["steps"] {
  const of = series.filter((one) => isOf(one, `${STEP_METRIC}_count`, model) && one.value > 0);
  const names = new Set(of.map(({ labels }) => labels["step"] ?? ""));
  return [...names].map((step) => ({
    name: step,
    took: inMs(spreadOf(series, STEP_METRIC, { ...model, step })),
  }));
}

const STEP_METRIC = "sconce_pipeline_step_seconds";

/** The machine between two readings. */
export function machineBetween(before: MachineReading, after: MachineReading): Machine {
  const share = (part: number, whole: number): number => (whole > 0 ? part / whole : 0);
  const { ticks, quota } = before;
  return {
    cores: after.cores,
    load: after.load,
    memory: after.memory,
    stealShare:
      ticks === undefined || after.ticks === undefined
        ? 0
        : share(after.ticks.steal - ticks.steal, after.ticks.all - ticks.all),
    throttledShare:
      quota === undefined || after.quota === undefined
        ? 0
        : share(after.quota.throttled - quota.throttled, after.quota.periods - quota.periods),
  };
}

function inMs({ count, mean, p50, p95, p99 }: Spread): Spread {
  return { count, mean: mean * 1000, p50: p50 * 1000, p95: p95 * 1000, p99: p99 * 1000 };
}

function reasonsOf(series: readonly Series[]): Record<string, number> {
  return Object.fromEntries(
    series.filter(({ value }) => value > 0).map(({ labels, value }) => [labels["reason"] ?? "", value]),
  );
}

/** A size that requests choose counts as 1. */
function bytesOf(specs: readonly TensorSpec[], elementBytes: EvidenceParts["elementBytes"]): number {
  return specs.reduce((sum, { datatype, dims }) => {
    const count = dims.reduce<number>((product, dim) => product * (typeof dim === "number" ? dim : 1), 1);
    return sum + count * (datatype === "BYTES" ? 1 : elementBytes(datatype));
  }, 0);
}
