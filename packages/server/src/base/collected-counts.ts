import type { Counter, Gauge, Histogram, Labels, Metrics } from "./metrics.ts";

/** What was counted under one name and labels. */
export interface CollectedCount {
  readonly name: string;
  readonly help: string;
  readonly labels: Labels;
  /** Of a counter: how much was added. */
  readonly added?: number;
  /** Of a histogram: in each bucket, the last one for what is above all bounds, and the sum. */
  readonly observed?: {
    readonly buckets: readonly number[];
    readonly counts: readonly number[];
    readonly sum: number;
    /** The newest of each bucket that belongs to a trace. */
    readonly exemplars?: readonly (readonly [value: number, traceId: string])[];
  };
}

export type CollectedCounts = readonly CollectedCount[];

/** Metrics of a process whose counts another process shows. */
export interface CountingMetrics extends Metrics {
  /** What was counted since the last call. */
  take(): CollectedCounts;
}

interface Counting extends Counter, Gauge, Histogram {
  take(): CollectedCount | undefined;
}

/** Counts for somebody else. There are no gauges: what two processes have set cannot be added up. */
export function createCountingMetrics(): CountingMetrics {
  const known = new Map<string, Counting>();
  const bind = (name: string, labels: Labels, make: () => Counting): Counting => {
    const key = `${name} ${JSON.stringify(labels)}`;
    let found = known.get(key);
    if (found === undefined) {
      found = make();
      known.set(key, found);
    }
    return found;
  };
  return {
    counter: (name, help, labels = {}) => bind(name, labels, () => newCounter({ name, help, labels })),
    gauge(name) {
      throw new Error(`${name}: a gauge of one process says nothing about the others`);
    },
    histogram: (name, help, { labels = {}, buckets }) =>
      bind(name, labels, () => newHistogram({ name, help, labels }, buckets)),
    collect() {},
    drop(labels) {
      const wanted = Object.entries(labels);
      for (const [key] of known) {
        const own = JSON.parse(key.slice(key.indexOf(" ") + 1)) as Labels;
        if (wanted.every(([name, value]) => own[name] === value)) known.delete(key);
      }
    },
    render: () => Promise.resolve(""),
    take: () => Array.from(known.values(), (counting) => counting.take()).filter((one) => one !== undefined),
  };
}

type Named = Pick<CollectedCount, "name" | "help" | "labels">;

function newCounter(named: Named): Counting {
  let total = 0;
  let isNew = true;
  const add = (value: number): void => {
    total += value;
  };
  return {
    add,
    set: add,
    observe: add,
    exemplify() {},
    merge() {},
    take() {
      // A counter shows from its binding on, at 0.
      if (total === 0 && !isNew) return undefined;
      const added = total;
      isNew = false;
      total = 0;
      return { ...named, added };
    },
  };
}

function newHistogram(named: Named, buckets: readonly number[]): Counting {
  let counts = new Array<number>(buckets.length + 1).fill(0);
  let sum = 0;
  let isTouched = true;
  let exemplars: Map<number, readonly [number, string]> | undefined;
  const bucketOf = (value: number): number => {
    let i = 0;
    while (i < buckets.length && value > buckets[i]!) i++;
    return i;
  };
  const observe = (value: number): void => {
    counts[bucketOf(value)]!++;
    sum += value;
    isTouched = true;
  };
  return {
    add: observe,
    set: observe,
    observe,
    exemplify(value, traceId) {
      exemplars ??= new Map();
      exemplars.set(bucketOf(value), [value, traceId]);
    },
    merge(more, moreSum) {
      for (let i = 0; i < counts.length; i++) counts[i]! += more[i]!;
      sum += moreSum;
      isTouched = true;
    },
    take() {
      if (!isTouched) return undefined;
      const observed = {
        buckets,
        counts,
        sum,
        ...(exemplars !== undefined && { exemplars: [...exemplars.values()] }),
      };
      exemplars = undefined;
      counts = new Array<number>(buckets.length + 1).fill(0);
      sum = 0;
      isTouched = false;
      return { ...named, observed };
    },
  };
}

/** Adds what another process has counted to what this one shows. */
export function addCounts(metrics: Metrics, counts: CollectedCounts): void {
  for (const { name, help, labels, added, observed } of counts) {
    if (added !== undefined) metrics.counter(name, help, labels).add(added);
    if (observed !== undefined) {
      const { buckets, counts: inBuckets, sum, exemplars = [] } = observed;
      const histogram = metrics.histogram(name, help, { labels, buckets });
      histogram.merge(inBuckets, sum);
      for (const [value, traceId] of exemplars) histogram.exemplify(value, traceId);
    }
  }
}
