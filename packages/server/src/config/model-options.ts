import type { OptionValues } from "./option.ts";

/** A model's options: keys of its `model.yaml`; as flags of `sconce serve` they are defaults for every model. */
export const MODEL_OPTIONS = {
  instances: {
    kind: "count-or-auto",
    min: 1,
    max: 256,
    default: 1,
    doc: "Worker processes that hold this model. auto: one per core.",
  },
  threads: {
    kind: "count-or-auto",
    min: 1,
    max: 256,
    default: "auto",
    doc: "Threads each instance computes with. auto: cores shared out, so that instances × threads ≤ cores.",
  },
  isolation: {
    kind: "choice",
    choices: ["process", "thread"],
    default: "process",
    doc: "process: a crash costs one worker. thread: a few microseconds less, for trusted models only: a native crash ends the server.",
  },
  batching: {
    kind: "flag",
    default: true,
    doc: "Let requests of different clients share a run, where the signature allows it.",
  },
  maxBatchSize: {
    kind: "integer",
    min: 1,
    max: 65_536,
    default: 32,
    doc: "Most rows in one run. A request with more rows is split.",
  },
  maxQueueDelayMs: {
    kind: "duration",
    min: 0,
    max: 60_000,
    default: 0,
    doc: "How long an idle instance waits for more rows. 0: it never waits; batches form while it is busy.",
  },
  preferredBatchSize: {
    kind: "integers",
    default: [],
    doc: "Batch sizes worth waiting for within max_queue_delay.",
  },
  maxQueueSize: {
    kind: "integer",
    min: 1,
    max: 1_000_000,
    default: null,
    doc: "Requests that may wait. Default: 4 × max_batch_size × instances, at least 64.",
  },
  maxQueueBytes: {
    kind: "bytes",
    min: 1024,
    max: 1_125_899_906_842_624,
    default: 268_435_456,
    doc: "Bytes of tensors that may wait.",
  },
  executionTimeoutMs: {
    kind: "duration",
    min: 1,
    max: 86_400_000,
    default: 30_000,
    doc: "A run that takes longer is killed with its worker.",
  },
  loadTimeoutMs: {
    kind: "duration",
    min: 100,
    max: 86_400_000,
    default: 60_000,
    doc: "A load that takes longer fails.",
  },
  memoryLimitBytes: {
    kind: "bytes",
    min: 1_048_576,
    max: 1_125_899_906_842_624,
    default: null,
    doc: "A worker whose resident memory passes this is replaced. No limit when unset.",
  },
  memory: {
    kind: "choice",
    choices: ["fast", "shared"],
    default: "fast",
    doc: "shared: instances share the file's pages and skip weight packing: starts faster and saves memory, runs slower.",
  },
  warmupRuns: {
    kind: "integer",
    min: 0,
    max: 1000,
    default: 1,
    doc: "Runs with sample inputs before the model is ready.",
  },
} as const;

export type ModelConfig = OptionValues<typeof MODEL_OPTIONS>;
