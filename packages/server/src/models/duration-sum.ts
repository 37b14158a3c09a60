/** How often something happened and how long it took together. */
export interface DurationTotal {
  readonly count: number;
  readonly ns: bigint;
}

/** Adds durations up. */
export class DurationSum {
  count = 0;
  #ms = 0;

  add(ms: number): void {
    this.count += 1;
    this.#ms += ms;
  }

  read(): DurationTotal {
    return { count: this.count, ns: BigInt(Math.round(this.#ms * 1e6)) };
  }
}
