import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Counter, Metrics } from "../base/metrics.ts";
import type { ModelConfig } from "../config/model-options.ts";
import { createCachedModel } from "../infer/cache/cached-model.ts";
import { createMemoryCache } from "../infer/cache/memory-cache.ts";
import type { ServedModelHandle } from "../models/served-model-handle.ts";
import type { LoadedModel, LoadSpec } from "../runtime/runtime.ts";
import type { CacheSharing } from "./cache-sharing.ts";

interface CacheParts {
  readonly loaded: LoadedModel;
  readonly spec: LoadSpec;
  readonly config: ModelConfig;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Undefined: every server has its own answers. */
  readonly cacheSharing?: CacheSharing | undefined;
}

/** Puts a cache of `cache` bytes before a model, which may share it with other servers. */
export function cacheModel(inner: ServedModelHandle, parts: CacheParts): ServedModelHandle {
  const { config, clock, logger, metrics, cacheSharing } = parts;
  const labels = { model: inner.name, version: inner.version };
  const lookups = (result: string): Counter =>
    metrics.counter("sconce_cache_lookups_total", "Look-ups in the response cache.", { ...labels, result });
  const [hits, misses] = [lookups("hit"), lookups("miss")];
  const local = createMemoryCache({ clock, maxBytes: config.cacheBytes ?? 0, ttlMs: config.cacheTtlMs });
  return createCachedModel(inner, {
    cache: cacheSharing?.share(local, parts) ?? local,
    clock,
    logger,
    // What is shared is known by its content.
    ...(cacheSharing !== undefined && { digest: "" }),
    onLookup: (found) => (found ? hits : misses).add(1),
  });
}
