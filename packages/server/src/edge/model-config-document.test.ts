import assert from "node:assert/strict";
import { test } from "node:test";
import type { Dim } from "../base/signature.ts";
import type { ModelConfiguration } from "../infer/inference.ts";
import { modelConfigDocument } from "./model-config-document.ts";

const BATCH: Dim = { symbol: "batch", min: 1, max: undefined };
const LENGTH: Dim = { symbol: "length", min: 1, max: 512 };

const TEXT: ModelConfiguration = {
  version: "1",
  name: "text",
  platform: "pytorch_pt2",
  runtime: "onnx",
  inputs: [{ name: "ids", datatype: "INT64", dims: [BATCH, LENGTH] }],
  outputs: [
    { name: "score", datatype: "FP32", dims: [BATCH] },
    { name: "label", datatype: "BYTES", dims: [BATCH, 2] },
  ],
  settings: {
    maxBatchSize: 16,
    maxQueueDelayMs: 0.25,
    preferredBatchSizes: [4, 8],
    priorityLevels: 3,
    defaultPriority: 2,
    instances: 2,
    executionTimeoutMs: 30_000,
    loadTimeoutMs: 120_000,
    maxQueueSize: 64,
    cached: true,
  },
  isBatching: true,
};

test("a model that batches: the batch dimension is left out of dims", () => {
  assert.deepEqual(modelConfigDocument(TEXT), {
    name: "text",
    platform: "pytorch_pt2",
    backend: "onnx",
    max_batch_size: 16,
    input: [{ name: "ids", data_type: "TYPE_INT64", dims: [-1] }],
    output: [
      { name: "score", data_type: "TYPE_FP32", dims: [1], reshape: { shape: [] } },
      { name: "label", data_type: "TYPE_STRING", dims: [2] },
    ],
    instance_group: [{ name: "text", count: 2, kind: "KIND_CPU" }],
    dynamic_batching: {
      preferred_batch_size: [4, 8],
      max_queue_delay_microseconds: 250,
      priority_levels: 3,
      default_priority_level: 2,
    },
    model_transaction_policy: { decoupled: false },
    response_cache: { enable: true },
  });
});

test("a scalar is [1], reshaped, as Triton writes it; one that has a size of 1 is not", () => {
  const inputs = [
    { name: "scalar", datatype: "FP32", dims: [] },
    { name: "one", datatype: "FP32", dims: [1] },
    { name: "rows", datatype: "FP32", dims: [BATCH] },
  ] as const;
  const { input } = modelConfigDocument({ ...TEXT, inputs, isBatching: false });
  assert.deepEqual(
    input.map(({ dims, reshape }) => [dims, reshape]),
    [
      [[1], { shape: [] }],
      [[1], undefined],
      [[-1], undefined],
    ],
  );
});

test("a model that does not: max_batch_size is 0, dims are complete, and nothing is said about batching", () => {
  const document = modelConfigDocument({ ...TEXT, isBatching: false });
  assert.equal(document.max_batch_size, 0);
  assert.deepEqual(document.input[0]?.dims, [-1, -1]);
  assert.equal(document.dynamic_batching, undefined);
});
