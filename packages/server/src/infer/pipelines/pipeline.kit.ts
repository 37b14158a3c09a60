// Models for tests of pipelines: each has a real queue and an instance that computes here.
import { systemClock } from "../../base/clock.ts";
import { type InferRequest, NO_PARAMETERS } from "../../base/infer-request.ts";
import type { Instance } from "../../base/instance.ts";
import type { Pipeline } from "../../base/pipeline.ts";
import { createPrometheusMetrics } from "../../base/prometheus-metrics.ts";
import type { RunRequest, RunResult } from "../../base/run.ts";
import type { Signature, TensorSpec } from "../../base/signature.ts";
import type { NamedTensor } from "../../base/tensor.ts";
import { Timeline } from "../../base/timeline.ts";
import { describe, SETTINGS, silentLogger } from "../../models/models.kit.ts";
import { createServedModel } from "../../models/served-model.ts";
import type { ServedModelHandle } from "../../models/served-model-handle.ts";
import { completeQueueConfig } from "../../queue/queue-config.ts";
import { createScheduler } from "../../queue/scheduler.ts";
import { createCheckedSubmit } from "../checked-submit.ts";
import { type OpenedPipeline, openPipeline } from "./open-pipeline.ts";
import { createPipelineObserver } from "./pipeline-observer.ts";
import type { StepModels } from "./step-models.ts";

export const WIDTH = 2;

function rows(name: string): TensorSpec {
  return { name, datatype: "FP32", dims: [{ symbol: "batch", min: 1, max: undefined }, WIDTH] };
}

export function rowSignature(inputs: readonly string[], outputs: readonly string[]): Signature {
  return {
    inputs: inputs.map(rows),
    outputs: outputs.map(rows),
    batching: { kind: "on", symbol: "batch", maxRows: undefined },
  };
}

/** What a model does with one element of each input: one element of each output. */
export type Elementwise = (values: readonly number[]) => readonly number[];

/** A model that computes here, behind a real queue, once `held` has resolved. */
export function elementwiseModel(
  name: string,
  signature: Signature,
  compute: Elementwise,
  held: Promise<void> = Promise.resolve(),
): ServedModelHandle {
  const instance: Instance = {
    id: "0",
    state: { kind: "ready" },
    residentBytes: async () => undefined,
    async run({ inputs }: RunRequest): Promise<RunResult> {
      await held;
      const given = inputs.map(({ chunks }) => floats(Buffer.concat(chunks)));
      const outputs = signature.outputs.map(() => new Float32Array(given[0]!.length));
      for (let i = 0; i < given[0]!.length; i++)
        for (const [o, value] of compute(given.map((values) => values[i]!)).entries()) outputs[o]![i] = value;
      const { datatype, shape } = inputs[0]!;
      return {
        outputs: outputs.map((values) => ({
          datatype,
          shape: [...shape],
          bytes: new Uint8Array(values.buffer),
        })),
        computeMs: 0.01,
      };
    },
  };
  return createServedModel({
    name,
    version: "1",
    logger: silentLogger,
    settings: SETTINGS,
    wallNowMs: () => 0,
    loaded: {
      description: describe(name, signature),
      instances: [instance],
      onStateChange: () => () => {},
      close: async () => {},
      destroy() {},
    },
    createQueue: (parts) =>
      createScheduler({
        ...parts,
        clock: systemClock,
        defer: setImmediate,
        config: completeQueueConfig({ maxBatchSize: 4 }, signature, 1),
      }),
  });
}

/** The models of a test by name, and what tells pipelines of changes. */
export class TestModels implements StepModels {
  readonly models: Map<string, ServedModelHandle> = new Map();
  readonly #listeners = new Set<(model: string) => void>();

  find(model: string): ServedModelHandle | undefined {
    return this.models.get(model);
  }

  isReady(model: string): boolean {
    return this.models.has(model);
  }

  whyNot(model: string): string {
    return `model "${model}" is not ready`;
  }

  async waitForLoad(): Promise<void> {}

  onChange(listener: (model: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  set(name: string, model: ServedModelHandle | undefined): void {
    if (model === undefined) this.models.delete(name);
    else this.models.set(name, model);
    for (const listener of this.#listeners) listener(name);
  }
}

/** Counts what is held. */
export class TestLedger {
  bytes = 0;
  most = 0;

  grow(bytes: number): void {
    this.bytes += bytes;
    this.most = Math.max(this.most, this.bytes);
  }

  shrink(bytes: number): void {
    this.bytes -= bytes;
  }
}

export function openTestPipeline(
  pipeline: Pipeline,
  models: StepModels,
  ledger: TestLedger = new TestLedger(),
): OpenedPipeline {
  return openPipeline({
    name: "pipeline",
    version: "1",
    pipeline,
    ports: undefined,
    maxBatchSize: undefined,
    loadTimeoutMs: 1000,
    models,
    known: [],
    submit: createCheckedSubmit(systemClock),
    ledger,
    observer: createPipelineObserver({
      metrics: createPrometheusMetrics({ processMetrics: false }),
      model: "pipeline",
      version: "1",
      wallNowMs: () => 0,
    }),
    labelsOf: () => undefined,
    clock: systemClock,
    logger: silentLogger,
    wallNowMs: () => 0,
  });
}

export function rowTensor(name: string, values: readonly number[]): NamedTensor {
  const bytes = new Uint8Array(Float32Array.from(values).buffer);
  return { name, datatype: "FP32", shape: [values.length / WIDTH, WIDTH], bytes };
}

export function floats(bytes: Uint8Array): Float32Array {
  return new Float32Array(new Uint8Array(bytes).buffer);
}

export function requestOf(inputs: readonly NamedTensor[], more: Partial<InferRequest> = {}): InferRequest {
  const timeline = new Timeline(systemClock.nowMs());
  timeline.bodyMs = timeline.receivedMs;
  timeline.enqueuedMs = timeline.receivedMs;
  return {
    model: "pipeline",
    version: undefined,
    id: undefined,
    inputs,
    outputs: undefined,
    parameters: NO_PARAMETERS,
    priority: 0,
    deadlineMs: undefined,
    signal: new AbortController().signal,
    timeline,
    ...more,
  };
}
