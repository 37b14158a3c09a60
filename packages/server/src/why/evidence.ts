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
}

/** All that findings are judged by. Times are milliseconds. */
export interface Evidence {
  readonly seconds: number;
  /** Inferences that were answered, and how many of them over REST. */
  readonly answered: number;
  readonly overRest: number;
  readonly stages: Readonly<Record<Stage, Spread>>;
  /** Sum of the stages' means. */
  readonly serverMs: number;
  readonly batchRows: Spread;
  /** Requests that ended without a run, and those that were run again, by reason. */
  readonly rejections: Readonly<Record<string, number>>;
  readonly reruns: number;
  readonly loopLate: Spread;
  /** Of a pipeline, what its steps took; empty: it is none. */
  readonly steps: readonly { readonly name: string; readonly took: Spread }[];
  readonly model: ModelSetup;
  /** Threads of an instance; undefined: the server chose, or nobody said. */
  readonly threads: number | undefined;
  /** Of the tensors of one row, as far as the signature fixes them. */
  readonly inputBytes: number;
  readonly outputBytes: number;
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
  readonly name: string;
  /** Of an element of a tensor other than BYTES. */
  readonly elementBytes: (datatype: TensorSpec["datatype"]) => number;
  /** Of the window. */
  readonly series: readonly Series[];
}

/** Puts together what the server counted in a window and what is known besides. */
export function toEvidence({ name, series, elementBytes, ...known }: EvidenceParts): Evidence {
  const model = { model: name };
  const stages = Object.fromEntries(
    STAGES.map((stage) => [
      stage,
      inMs(spreadOf(series, "sconce_inference_stage_seconds", { ...model, stage })),
    ]),
  ) as Record<Stage, Spread>;
  const answers = { ...model, code: "ok" };
  const { inputs, outputs } = known.model.signature;
  return {
    ...known,
    answered: total(series, "sconce_inferences_total", answers),
    overRest: total(series, "sconce_inferences_total", { ...answers, protocol: "rest" }),
    stages,
    serverMs: STAGES.reduce((sum, stage) => sum + stages[stage].mean, 0),
    batchRows: spreadOf(series, "sconce_batch_rows", model),
    rejections: reasonsOf(series.filter((one) => isOf(one, "sconce_rejections_total", model))),
    reruns: total(series, "sconce_reruns_total", model),
    steps: stepsOf(series, model),
    loopLate: inMs(spreadOf(series, "sconce_event_loop_delay_seconds")),
    inputBytes: bytesOf(inputs, elementBytes),
    outputBytes: bytesOf(outputs, elementBytes),
  };
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
