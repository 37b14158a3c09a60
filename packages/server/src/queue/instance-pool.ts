import type { Instance } from "../base/instance.ts";

/** An instance, and what it is busy with. */
export interface PooledInstance {
  readonly instance: Instance;
  outstanding: number;
  /** Since when it could have taken another run. */
  freeSinceMs: number;
  wasReady: boolean;
}

/** The instances of one model version: which can take a run. The list it is given may change; `refresh` takes notice. */
export class InstancePool {
  readonly #instances: readonly Instance[];
  readonly #depth: number;
  #pooled: PooledInstance[] = [];

  constructor(instances: readonly Instance[], depth: number, nowMs: number) {
    this.#instances = instances;
    this.#depth = depth;
    this.refresh(nowMs);
  }

  /** Looks again which instances there are and which are ready. */
  refresh(nowMs: number): void {
    const known = new Map(this.#pooled.map((pooled) => [pooled.instance, pooled]));
    this.#pooled = this.#instances.map(
      (instance) => known.get(instance) ?? { instance, outstanding: 0, freeSinceMs: nowMs, wasReady: false },
    );
    for (const pooled of this.#pooled) {
      const isNowReady = isReady(pooled.instance);
      if (isNowReady && !pooled.wasReady) pooled.freeSinceMs = nowMs;
      pooled.wasReady = isNowReady;
    }
  }

  /** The ready instance with the fewest runs outstanding, the first of the list among equals (its caches are warm); undefined: none is free. */
  free(): PooledInstance | undefined {
    let best: PooledInstance | undefined;
    let least = this.#depth;
    for (let i = 0; i < this.#pooled.length; i++) {
      const pooled = this.#pooled[i]!;
      if (pooled.outstanding < least && isReady(pooled.instance)) {
        best = pooled;
        least = pooled.outstanding;
      }
    }
    return best;
  }

  claim(pooled: PooledInstance): void {
    pooled.outstanding += 1;
  }

  release(pooled: PooledInstance, nowMs: number): void {
    pooled.outstanding -= 1;
    pooled.freeSinceMs = nowMs;
  }

  get size(): number {
    return this.#pooled.length;
  }

  get readyCount(): number {
    let count = 0;
    for (let i = 0; i < this.#pooled.length; i++) if (isReady(this.#pooled[i]!.instance)) count += 1;
    return count;
  }

  /** True when no instance will ever be ready again. */
  get isGone(): boolean {
    for (let i = 0; i < this.#pooled.length; i++) {
      const { kind } = this.#pooled[i]!.instance.state;
      if (kind !== "failed" && kind !== "closed") return false;
    }
    return true;
  }
}

function isReady(instance: Instance): boolean {
  return instance.state.kind === "ready";
}
