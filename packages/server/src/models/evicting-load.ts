import type { Clock } from "../base/clock.ts";
import { ServeError } from "../base/errors.ts";
import { abortReason, createLoadLimit } from "./load-limit.ts";
import type { ModelVersion } from "./model-version.ts";
import type { LoadModel, ServedModelHandle } from "./served-model-handle.ts";
import type { VersionContext } from "./version-state.ts";

/** How much may be in memory at once; undefined: no limit. */
interface CapacityLimits {
  readonly maxModels: number | undefined;
  readonly maxBytes: number | undefined;
}

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

/** Handles belong to whoever asked for the load; their memory counts until `released` is called with them. */
export function createEvictingLoad(options: EvictingLoadOptions): EvictingLoad {
  const limit = createLoadLimit(options.concurrentLoads);
  const places = new Map<ServedModelHandle, Place>();
  const capacity = createCapacity(options.limits, () => evictOne(options.versions()));

  return {
    async load(candidate, signal, onBegin) {
      // It holds nothing, and waits for the loads of others.
      if (candidate.format === "pipeline") {
        // Whoever asks gets to know first what it asked for.
        await Promise.resolve();
        onBegin();
        return await options.load(candidate, signal);
      }
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

/** A pipeline has no place to give back. */
function isIdle(version: ModelVersion): boolean {
  if (version.candidate.format === "pipeline") return false;
  const handle = version.serving;
  return (
    handle !== undefined && handle.inFlight() === 0 && version.pins === 0 && version.pending === undefined
  );
}

/** A place in memory, held from before a load until its instance is closed. */
interface Place {
  /** Corrects the estimate once the real size is known. */
  resize(bytes: number): void;
  /** Idempotent. */
  release(): void;
}

/** Hands out memory to loads, in order of arrival, and makes room by eviction. */
interface Capacity {
  /** Waits until there is room. Rejects when `signal` fires, or with `resource_exhausted` when it can never fit. */
  reserve(bytes: number, signal: AbortSignal): Promise<Place>;
  /** Takes a place at once, past the limits if need be: for what replaces something that serves. */
  exceed(bytes: number): Place;
  /** Tries again to make room: something became idle. */
  retry(): void;
}

interface Waiter {
  readonly bytes: number;
  enter(): void;
}

/**
 * `evict` unloads the least recently used idle model and says whether there was one; its place comes back through `release`.
 * A load is never rejected because others are busy: it waits, as long as its signal allows.
 */
function createCapacity(limits: CapacityLimits, evict: () => boolean): Capacity {
  const waiting: Waiter[] = [];
  const maxModels = limits.maxModels ?? Number.POSITIVE_INFINITY;
  const maxBytes = limits.maxBytes ?? Number.POSITIVE_INFINITY;
  let models = 0;
  let bytes = 0;
  let evicting = 0;
  const fits = (wanted: number): boolean => models + 1 <= maxModels && bytes + wanted <= maxBytes;

  const take = (size: number): Place => {
    let held = size;
    let released = false;
    models += 1;
    bytes += held;
    return {
      resize(next) {
        if (released) return;
        bytes += next - held;
        held = next;
        pump();
      },
      release() {
        if (released) return;
        released = true;
        models -= 1;
        bytes -= held;
        evicting = Math.max(0, evicting - 1);
        pump();
      },
    };
  };
  const pump = (): void => {
    while (waiting[0] !== undefined && fits(waiting[0].bytes)) waiting.shift()!.enter();
    if (waiting.length === 0 || evicting > 0) return;
    // Counted first: eviction itself reports changes that lead back here.
    evicting = 1;
    if (!evict()) evicting = 0;
  };
  return {
    async reserve(size, signal) {
      if (size > maxBytes) {
        const need = `it needs ${size} bytes, the memory budget is ${maxBytes}`;
        throw new ServeError("resource_exhausted", `the model does not fit: ${need}`, {
          reason: "memory_budget",
        });
      }
      if (signal.aborted) throw abortReason(signal);
      return await new Promise<Place>((resolve, reject) => {
        const leave = (): void => {
          waiting.splice(waiting.indexOf(waiter), 1);
          reject(abortReason(signal));
          pump();
        };
        const waiter: Waiter = {
          bytes: size,
          enter() {
            signal.removeEventListener("abort", leave);
            resolve(take(size));
          },
        };
        signal.addEventListener("abort", leave, { once: true });
        waiting.push(waiter);
        pump();
      });
    },
    exceed: take,
    retry: pump,
  };
}
