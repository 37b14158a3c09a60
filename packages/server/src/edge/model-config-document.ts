import type { StepSettings } from "../base/run-settings.ts";
import { modelShape, wireShape } from "../base/signature.ts";
import type { Datatype } from "../base/tensor.ts";
import type { ModelConfiguration } from "../infer/inference.ts";

/** A model's configuration as protobuf's JSON writes Triton's `inference.ModelConfig`; REST sends it, gRPC encodes it. */
export interface ModelConfigDocument {
  readonly name: string;
  readonly platform: string;
  readonly backend: string;
  readonly max_batch_size: number;
  readonly input: readonly TensorDocument[];
  readonly output: readonly TensorDocument[];
  readonly instance_group?: readonly {
    readonly name: string;
    readonly count: number;
    readonly kind: string;
  }[];
  /** In place of instances and `dynamic_batching`: its steps have both. */
  readonly ensemble_scheduling?: { readonly step: readonly StepDocument[] };
  readonly dynamic_batching?: {
    readonly preferred_batch_size: readonly number[];
    readonly max_queue_delay_microseconds: number;
    readonly priority_levels: number;
    readonly default_priority_level: number;
  };
  /** In place of `dynamic_batching`: Triton has one of the two. */
  readonly sequence_batching?: { readonly max_sequence_idle_microseconds: number };
  readonly model_transaction_policy: { readonly decoupled: boolean };
  readonly response_cache: { readonly enable: boolean };
  /** `batching`: why requests do not share runs, where they do not. `task`: what the model is for, where that is known. */
  readonly parameters?: Readonly<Partial<Record<"batching" | "task", { readonly string_value: string }>>>;
}

interface StepDocument {
  readonly model_name: string;
  /** −1: as the version policy says. */
  readonly model_version: number;
  readonly input_map: Readonly<Record<string, string>>;
  readonly output_map: Readonly<Record<string, string>>;
}

interface TensorDocument {
  readonly name: string;
  readonly data_type: string;
  readonly dims: readonly number[];
  /** What the model itself has in place of `dims`. */
  readonly reshape?: { readonly shape: readonly number[] };
}

/**
 * Spells a configuration as Triton does: `max_batch_size` above 0 means that the batch dimension is left out of `dims`; 0 means that
 * `dims` are complete.
 */
export function modelConfigDocument(model: ModelConfiguration): ModelConfigDocument {
  const { name, platform, runtime, settings, inputs, outputs, isBatching, batchingReason, task } = model;
  const tensor = (spec: (typeof inputs)[number]): TensorDocument => ({
    name: spec.name,
    data_type: typeName(spec.datatype),
    ...dimsOf(wireShape(spec).slice(isBatching ? 1 : 0)),
    ...(spec.wireDims !== undefined && {
      reshape: { shape: modelShape(spec).slice(isBatching ? 1 : 0) },
    }),
  });
  return {
    name,
    platform,
    backend: settings.steps === undefined ? runtime : "",
    max_batch_size: isBatching ? settings.maxBatchSize : 0,
    input: inputs.map(tensor),
    output: outputs.map(tensor),
    ...(settings.steps === undefined
      ? { instance_group: [{ name, count: settings.instances, kind: "KIND_CPU" }] }
      : { ensemble_scheduling: { step: settings.steps.map(stepDocument) } }),
    // As with Triton, whose ensembles leave the states to their models: it is one kind of scheduling or the other.
    ...(settings.sequences !== undefined &&
      settings.steps === undefined && {
        sequence_batching: {
          max_sequence_idle_microseconds: Math.round(settings.sequences.idleMs * 1000),
        },
      }),
    ...(isBatching && settings.sequences === undefined && settings.steps === undefined
      ? {
          dynamic_batching: {
            preferred_batch_size: settings.preferredBatchSizes,
            max_queue_delay_microseconds: Math.round(settings.maxQueueDelayMs * 1000),
            priority_levels: settings.priorityLevels,
            default_priority_level: settings.defaultPriority,
          },
        }
      : {}),
    model_transaction_policy: { decoupled: false },
    response_cache: { enable: settings.cached },
    ...((batchingReason ?? task) !== undefined && {
      parameters: {
        ...(batchingReason !== undefined && { batching: { string_value: `off: ${batchingReason}` } }),
        ...(task !== undefined && { task: { string_value: task } }),
      },
    }),
  };
}

function stepDocument({ model, version, inputs, outputs }: StepSettings): StepDocument {
  return {
    model_name: model,
    // Triton's versions are 64-bit; protobuf's JSON writes those as numbers only where they are exact.
    model_version: version === undefined ? -1 : Number(version),
    input_map: Object.fromEntries(inputs),
    output_map: Object.fromEntries(outputs),
  };
}

/** Triton has no empty `dims`: a scalar is `[1]`, reshaped (its "Reshape" in model_configuration.md). */
function dimsOf(shape: readonly number[]): Pick<TensorDocument, "dims" | "reshape"> {
  return shape.length === 0 ? { dims: [1], reshape: { shape: [] } } : { dims: shape };
}

function typeName(datatype: Datatype): string {
  return datatype === "BYTES" ? "TYPE_STRING" : `TYPE_${datatype}`;
}
