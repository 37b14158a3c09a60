import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Metrics } from "../base/metrics.ts";
import type { ModelConfig } from "../config/model-options.ts";
import { GuardedStore } from "../infer/cache/guarded-store.ts";
import type { MemoryCache } from "../infer/cache/memory-cache.ts";
import type { ResponseCache } from "../infer/cache/response-cache.ts";
import { SharedCache } from "../infer/cache/shared-cache.ts";
import type { StoreConnection } from "../infer/cache/store-connection.ts";
import { createStoreMetrics } from "../infer/cache/store-metrics.ts";
import type { LoadedModel, LoadSpec } from "../runtime/runtime.ts";
import { modelIdentity } from "./model-identity.ts";

export interface CacheSharingOptions {
  connect(signal: AbortSignal): Promise<StoreConnection>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly random: () => number;
  readonly timeoutMs: number;
  readonly maxValueBytes: number;
  readonly secret: Buffer | undefined;
}

/** A model that was loaded, and from what. */
export interface SharingModel {
  readonly loaded: LoadedModel;
  readonly spec: LoadSpec;
  readonly config: ModelConfig;
  readonly logger: Logger;
}

/** Shares the answers of models with other servers. */
export interface CacheSharing {
  /** Begins to connect. */
  start(): void;
  /** The same cache, with the store behind it from the moment on at which it is known what the model's files hold. */
  share(local: MemoryCache, model: SharingModel): ResponseCache;
  close(): Promise<void>;
}

const TOKEN_BYTES = 16;

export function createCacheSharing(options: CacheSharingOptions): CacheSharing {
  const { clock, random, metrics, secret } = options;
  const store = new GuardedStore({
    ...options,
    defer: setImmediate,
    metrics: createStoreMetrics(metrics),
  });
  const token = Uint8Array.from({ length: TOKEN_BYTES }, () => Math.floor(256 * random()));
  return {
    share(local, model) {
      const { loaded, spec, config, logger } = model;
      let identity: string | undefined;
      modelIdentity(model).then(
        (known) => {
          identity = known;
          if (known === undefined)
            logger.warn(
              {},
              "its answers are not shared: what it was loaded from has changed since, or is too much",
            );
        },
        (error: unknown) =>
          logger.warn({ err: error }, "its answers are not shared: its files cannot be read"),
      );
      return new SharedCache({
        local,
        store,
        identity: () => identity,
        signature: loaded.description.signature,
        ttlMs: config.cacheTtlMs,
        secret,
        token,
        clock,
        metrics,
        labels: { model: spec.name, version: spec.version },
      });
    },
    start: () => store.start(),
    close: () => store.close(),
  };
}
