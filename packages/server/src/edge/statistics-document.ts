import type { ModelStatistics } from "../models/model-statistics.ts";

/** Statistics as protobuf's JSON writes Triton's `inference.ModelStatisticsResponse`; 64-bit counters are bigints. */
export interface StatisticsDocument {
  readonly model_stats: readonly object[];
}

type Total = ModelStatistics["success"];

export function statisticsDocument(models: readonly ModelStatistics[]): StatisticsDocument {
  return { model_stats: models.map(modelStatistics) };
}

function modelStatistics(model: ModelStatistics): object {
  return {
    name: model.name,
    version: model.version,
    last_inference: model.lastInferenceMs,
    inference_count: model.inferenceCount,
    execution_count: model.executionCount,
    inference_stats: {
      success: total(model.success),
      fail: total(model.fail),
      queue: total(model.queue),
      compute_input: total(model.computeInput),
      compute_infer: total(model.computeInfer),
      compute_output: total(model.computeOutput),
      cache_hit: total(model.cacheHit),
      cache_miss: total(model.cacheMiss),
    },
    // Triton's per-response figures are for models that answer one request many times; none does here.
    response_stats: {},
    batch_stats: model.batches.map((batch) => ({
      batch_size: batch.batchSize,
      compute_input: total(batch.computeInput),
      compute_infer: total(batch.computeInfer),
      compute_output: total(batch.computeOutput),
    })),
    memory_usage: [{ type: "CPU", id: 0, byte_size: model.memoryBytes }],
  };
}

function total({ count, ns }: Total): object {
  return { count, ns };
}
