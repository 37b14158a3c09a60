import { ServeError } from "../base/errors.ts";
import { rowAxis, type Signature } from "../base/signature.ts";
import type { PadConfig } from "./padding.ts";

/** How one model's queue behaves. Complete: every field has a value (see `completeQueueConfig`). */
export interface QueueConfig {
  /** Rows of a full batch. Default: 32, or what the signature allows if that is less. Triton: `max_batch_size`. */
  readonly maxBatchSize: number;
  /** How long a batch that is not full waits for more while an instance is idle. Default 0. Triton: `max_queue_delay_microseconds`. */
  readonly maxQueueDelayMs: number;
  /** Batch sizes worth taking before the delay is over. Default none. Triton: `preferred_batch_size`. */
  readonly preferredBatchSizes: readonly number[];
  /** Runs that may be outstanding per instance. Default 1; 2 lets the next batch travel while one computes. */
  readonly pipelineDepth: number;
  /** Requests that may wait. Default 4 × maxBatchSize × instances, at least 64. Triton: `max_queue_size`. */
  readonly maxQueueSize: number;
  /** Input bytes that may wait. Default 256 MiB. */
  readonly maxQueueBytes: number;
  /** How many priorities there are; 1 is the highest. Default 1. Triton: `priority_levels`. */
  readonly priorityLevels: number;
  /** What priority 0, and any above `priorityLevels`, means. Default the middle one. Triton: `default_priority_level`. */
  readonly defaultPriority: number;
  /** How long a request may wait in the queue. Default undefined: only its own deadline. Triton: `default_timeout_microseconds`. */
  readonly queueTimeoutMs: number | undefined;
  /** Worker deaths that may be followed by re-runs: this share of all runs of the last 10 s … Default 0.1. */
  readonly retryRatio: number;
  /** … and at least this many per 10 s. Default 64; 0 with ratio 0 switches re-runs after a death off. */
  readonly retryMinimum: number;
  /** How long an input that ended two workers is rejected. Default 10 min. */
  readonly quarantineMs: number;
  /** Pads a variable dimension so that different sizes share a batch. Default undefined: they do not. */
  readonly pad: PadConfig | undefined;
}

const MIB = 1024 * 1024;

/** Fills in the defaults. Throws `invalid_argument` naming the field when a value makes no sense. */
export function completeQueueConfig(
  partial: Partial<QueueConfig>,
  signature: Signature,
  instances: number,
): QueueConfig {
  const maxBatchSize = batchSize(partial.maxBatchSize, signature);
  const priorityLevels = partial.priorityLevels ?? 1;
  const config: QueueConfig = {
    maxQueueDelayMs: 0,
    preferredBatchSizes: [],
    pipelineDepth: 1,
    maxQueueSize: Math.max(64, 4 * maxBatchSize * instances),
    maxQueueBytes: 256 * MIB,
    defaultPriority: Math.ceil(priorityLevels / 2),
    queueTimeoutMs: undefined,
    retryRatio: 0.1,
    retryMinimum: 64,
    quarantineMs: 600_000,
    pad: undefined,
    ...partial,
    maxBatchSize,
    priorityLevels,
  };
  check(config);
  return Object.freeze(config);
}

function batchSize(wanted: number | undefined, signature: Signature): number {
  if (signature.batching.kind === "off") return 1;
  const allowed = signature.batching.maxRows ?? Number.POSITIVE_INFINITY;
  const size = Math.min(wanted ?? 32, allowed);
  const [input] = signature.inputs;
  const first = input?.dims[input === undefined ? 0 : rowAxis(input, signature.batching.symbol)];
  const multiple = typeof first === "object" ? (first.multipleOf ?? 1) : 1;
  return multiple === 1 ? size : Math.max(multiple, size - (size % multiple));
}

function check(config: QueueConfig): void {
  integer("maxBatchSize", config.maxBatchSize, 1);
  integer("pipelineDepth", config.pipelineDepth, 1);
  integer("maxQueueSize", config.maxQueueSize, 1);
  integer("maxQueueBytes", config.maxQueueBytes, 1);
  integer("priorityLevels", config.priorityLevels, 1);
  integer("defaultPriority", config.defaultPriority, 1);
  integer("retryMinimum", config.retryMinimum, 0);
  for (const size of config.preferredBatchSizes) integer("preferredBatchSizes", size, 1);
  number("maxQueueDelayMs", config.maxQueueDelayMs);
  number("retryRatio", config.retryRatio);
  number("quarantineMs", config.quarantineMs);
  number("queueTimeoutMs", config.queueTimeoutMs ?? 0);
  if (config.defaultPriority > config.priorityLevels) {
    throw invalid(
      `defaultPriority is ${config.defaultPriority}, but there are ${config.priorityLevels} priorities`,
    );
  }
  if (config.preferredBatchSizes.some((size) => size > config.maxBatchSize)) {
    throw invalid(
      `preferredBatchSizes must not be larger than maxBatchSize, which is ${config.maxBatchSize}`,
    );
  }
}

function integer(name: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least) {
    throw invalid(`${name} must be a whole number of at least ${least}, not ${value}`);
  }
}

function number(name: string, value: number): void {
  if (!Number.isFinite(value) || value < 0)
    throw invalid(`${name} must be a number of at least 0, not ${value}`);
}

function invalid(message: string): ServeError {
  return new ServeError("invalid_argument", `queue settings: ${message}`, { reason: "invalid_config" });
}
