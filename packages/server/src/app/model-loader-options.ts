import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Metrics } from "../base/metrics.ts";
import type { ModelCaps } from "../config/model-caps.ts";
import type { ModelConfig } from "../config/model-options.ts";
import type { TensorLedger } from "../infer/pipelines/step-models.ts";
import type { ManagedRegistry } from "../models/managed-registry.ts";
import type { Quota } from "../queue/quota.ts";
import type { Runtime, TranslationCacheOptions } from "../runtime/runtime.ts";
import type { SpanTracer } from "../tracing/tracer.ts";
import type { CacheSharing } from "./cache-sharing.ts";

/** What models are loaded with. */
export interface ModelLoaderOptions {
  readonly runtime: Runtime;
  readonly defaults: ModelConfig;
  /** What a model may choose for itself. */
  readonly caps: ModelCaps;
  readonly clock: Clock;
  /** Time without what this process slept through. */
  readonly activeClock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
  readonly metrics: Metrics;
  /** Undefined: nothing is traced. */
  readonly tracer?: SpanTracer | undefined;
  /** Where translations are kept; undefined: nowhere. */
  readonly translationCache?: TranslationCacheOptions | undefined;
  /** Requests per tenant, over all models. */
  readonly quota?: Quota | undefined;
  /** Shares cached answers with other servers. Default: they are not shared. */
  readonly cacheSharing?: CacheSharing | undefined;
  /** The models of this server, for pipelines; made after this loader. */
  readonly registry: () => ManagedRegistry;
  /** What tensors between the steps of pipelines cost. */
  readonly ledger: TensorLedger;
}
