import type { Clock } from "../base/clock.ts";
import { type CapacityLimits, createCapacity, type Place } from "./capacity.ts";
import { createLoadLimit } from "./load-limit.ts";
import type { ModelVersion } from "./model-version.ts";
import type { LoadModel, ServedModelHandle } from "./served-model-handle.ts";
import type { VersionContext } from "./version-state.ts";

export interface EvictingLoadOptions {
  readonly load: LoadModel;
  readonly clock: Clock;
  readonly limits: CapacityLimits;
  /** Loads that run at once. */
  readonly concurrentLoads: number;
  /** Every version there is. */
  versions(): Iterable<ModelVersion>;
  /** Whether loading this candidate replaces something that serves, so that it must not wait for its own predecessor. */
  replaces(name: string, version: string): boolean;
}

/** Loads that wait for their turn and for memory, and evict what is idle to get it. */
export interface EvictingLoad {
  readonly load: VersionContext["load"];
  /** Gives an instance's place back: it is closed. */
  released(handle: ServedModelHandle): void;
  /** Something may have become idle. */
  retry(): void;
  /**
   * Keeps a version in memory while a request waits for it, and after `unpin` until that request had its turn: the promise
   * it waits for has settled, but what follows from it has not run yet.
   */
  pin(version: ModelVersion): void;
  unpin(version: ModelVersion): void;
}

export function createEvictingLoad(options: EvictingLoadOptions): EvictingLoad {
  const limit = createLoadLimit(options.concurrentLoads);
  const places = new Map<ServedModelHandle, Place>();
  const capacity = createCapacity(options.limits, () => evictOne(options.versions()));

  return {
    async load(candidate, signal, onBegin) {
      const place = options.replaces(candidate.name, candidate.version)
        ? capacity.exceed(candidate.bytes)
        : await capacity.reserve(candidate.bytes, signal);
      try {
        const handle = await limit.run(signal, () => {
          onBegin();
          return options.load(candidate, signal);
        });
        place.resize(Math.max(candidate.bytes, handle.memoryBytes));
        places.set(handle, place);
        return handle;
      } catch (error) {
        place.release();
        throw error;
      }
    },
    released(handle) {
      places.get(handle)?.release();
      places.delete(handle);
    },
    retry: () => capacity.retry(),
    pin(version) {
      version.pins += 1;
    },
    unpin(version) {
      options.clock.after(0, () => {
        version.pins -= 1;
        capacity.retry();
      });
    },
  };
}

/** Unloads the least recently used version that nobody uses; false when there is none. */
function evictOne(versions: Iterable<ModelVersion>): boolean {
  let oldest: ModelVersion | undefined;
  for (const version of versions) {
    if (isIdle(version) && (oldest === undefined || version.usedAt < oldest.usedAt)) oldest = version;
  }
  if (oldest === undefined) return false;
  void oldest.unload("unloaded to make room; the next request loads it again");
  return true;
}

function isIdle(version: ModelVersion): boolean {
  const handle = version.serving;
  return (
    handle !== undefined && handle.inFlight() === 0 && version.pins === 0 && version.pending === undefined
  );
}
