import { ServeError } from "../base/errors.ts";
import { abortReason } from "./load-limit.ts";

/** How much may be in memory at once; undefined: no limit. */
export interface CapacityLimits {
  readonly maxModels: number | undefined;
  readonly maxBytes: number | undefined;
}

/** A place in memory, held from before a load until its instance is closed. */
export interface Place {
  /** Corrects the estimate once the real size is known. */
  resize(bytes: number): void;
  /** Idempotent. */
  release(): void;
}

/** Hands out memory to loads, in order of arrival, and makes room by eviction. */
export interface Capacity {
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
 * A load is never refused because others are busy: it waits, as long as its signal allows.
 */
export function createCapacity(limits: CapacityLimits, evict: () => boolean): Capacity {
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
