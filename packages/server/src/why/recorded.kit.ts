import assert from "node:assert/strict";
import type { Metrics } from "../base/metrics.ts";
import { metricsBetween, readMetrics } from "../base/metrics-text.ts";
import { createPrometheusMetrics } from "../base/prometheus-metrics.ts";
import type { Dim } from "../base/signature.ts";
import { elementBytes } from "../base/tensor.ts";
import { STAGES, type Stage } from "../base/timeline.ts";
import { type EvidenceParts, type ModelSetup, toEvidence } from "./evidence.ts";
import type { Finding } from "./finding.ts";
import { findingsOf } from "./findings.ts";

const BUCKETS = [0.0001, 0.001, 0.01, 0.1, 1, 10];
/** Of every page. */
export const REQUESTS = 10;
export const BATCH: Dim = { symbol: "rows", min: 1, max: undefined };

/** What a server recorded in a window of one second. */
export interface Recorded
  extends Partial<
    Pick<EvidenceParts, "threads" | "machine" | "load" | "connectMs" | "warmupRuns" | "isFirst" | "seconds">
  > {
  /** Of every request; others take 0.05 ms. */
  readonly stageMs?: Partial<Record<Stage, number>>;
  readonly rows?: number;
  readonly loopLateMs?: number;
  readonly queueFull?: number;
  /** Of a pipeline. */
  readonly stepMs?: Readonly<Record<string, number>>;
  readonly model?: Partial<ModelSetup>;
  readonly dims?: readonly Dim[];
  /** Of the runs; default: one for each request. */
  readonly runs?: number;
  readonly connections?: number;
  readonly padding?: { readonly content: number; readonly padding: number };
  readonly loadMs?: number;
  readonly compressed?: { readonly plain: number; readonly packed: number; readonly ms: number };
  /** Of the first request alone. */
  readonly firstMs?: Partial<Record<Stage, number>>;
}

/** The page of metrics of such a server. */
export async function page(recorded: Recorded): Promise<string> {
  const { stageMs = {}, rows = 1, loopLateMs = 1, queueFull = 0, stepMs = {}, runs = REQUESTS } = recorded;
  const metrics = createPrometheusMetrics();
  const labels = { model: "m", version: "1" };
  const histogram = (name: string, more = {}) =>
    metrics.histogram(name, "", { labels: { ...labels, ...more }, buckets: BUCKETS });
  const loop = metrics.histogram("sconce_event_loop_delay_seconds", "", { buckets: BUCKETS });
  for (let i = 0; i < REQUESTS; i++) {
    for (const stage of STAGES) {
      const first = i === 0 ? recorded.firstMs?.[stage] : undefined;
      histogram("sconce_inference_stage_seconds", { stage }).observe(
        (first ?? stageMs[stage] ?? 0.05) / 1000,
      );
    }
    metrics.counter("sconce_inferences_total", "", { model: "m", protocol: "rest", code: "ok" }).add(1);
    if (i < runs) histogram("sconce_batch_rows").observe(rows);
    loop.observe(loopLateMs / 1000);
    for (const [step, ms] of Object.entries(stepMs))
      histogram("sconce_pipeline_step_seconds", { step }).observe(ms / 1000);
  }
  metrics.counter("sconce_rejections_total", "", { ...labels, reason: "queue_full" }).add(queueFull);
  clients(metrics, recorded);
  return metrics.render();
}

function clients(metrics: Metrics, { connections = 1, padding, loadMs, compressed }: Recorded): void {
  const count = (name: string, value: number, labels = {}): void =>
    metrics.counter(name, "", labels).add(value);
  count("sconce_connections_total", connections);
  const model = { model: "m", version: "1" };
  if (padding !== undefined) {
    for (const kind of ["content", "padding"] as const)
      count("sconce_padded_positions_total", padding[kind], { ...model, kind });
  }
  if (loadMs !== undefined)
    metrics
      .histogram("sconce_model_load_seconds", "", { labels: model, buckets: BUCKETS })
      .observe(loadMs / 1000);
  if (compressed !== undefined) {
    for (const kind of ["plain", "packed"] as const)
      count("sconce_compressed_bytes_total", compressed[kind], { kind });
    count("sconce_compression_seconds_total", compressed.ms / 1000);
  }
}

/** The finding that comes first. */
export async function firstOf(recorded: Recorded): Promise<string | undefined> {
  return (await idsOf(recorded))[0];
}

/** All findings, in their order. */
export async function idsOf(recorded: Recorded): Promise<string[]> {
  return (await found(recorded)).map(({ id }) => id);
}

/** The same with what they say. */
export async function found(recorded: Recorded): Promise<readonly Finding[]> {
  const dims = recorded.dims ?? [BATCH, 8];
  const model: ModelSetup = {
    signature: {
      inputs: [{ name: "x", datatype: "FP32", dims }],
      outputs: [{ name: "y", datatype: "FP32", dims: [BATCH, 10] }],
    },
    isBatching: true,
    maxBatchSize: 32,
    instances: 1,
    maxQueueDelayMs: 0,
    runtime: "onnx",
    platform: "onnx",
    ...recorded.model,
  };
  const {
    threads,
    load,
    connectMs,
    warmupRuns,
    isFirst,
    seconds = 1,
    machine = { cores: 4, load: 1, stealShare: 0, throttledShare: 0 },
  } = recorded;
  const series = metricsBetween(new Map(), readMetrics(await page(recorded)));
  const evidence = toEvidence({
    name: "m",
    elementBytes,
    series,
    seconds,
    model,
    threads,
    machine,
    load,
    connectMs,
    warmupRuns,
    ...(isFirst !== undefined && { isFirst }),
  });
  assert.equal(evidence.answered, REQUESTS);
  return findingsOf(evidence);
}
