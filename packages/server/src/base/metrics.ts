/** Metrics as an argument. Handles are bound to their label values once, at configure time, and used per request. */
export interface Metrics {
  counter(name: string, help: string, labels?: Labels): Counter;
  gauge(name: string, help: string, labels?: Labels): Gauge;
  histogram(
    name: string,
    help: string,
    options: { readonly labels?: Labels; readonly buckets: readonly number[] },
  ): Histogram;
  /** Adds metrics whose values are read whenever the metrics are rendered. */
  collect(read: () => Promise<readonly CollectedFamily[]>): void;
  /** Forgets the series whose labels begin with these. What their handles count from then on, nobody sees. */
  drop(labels: Labels): void;
  /** Prometheus text exposition format, version 0.0.4; `openMetrics` is a spelling of it, and the only one that has `exemplars`. */
  render(options?: { readonly exemplars?: boolean }): Promise<string>;
}

export type Labels = Readonly<Record<string, string>>;

/** The values of one metric at one moment. */
export interface CollectedFamily {
  readonly name: string;
  readonly help: string;
  readonly kind: "gauge" | "counter";
  readonly values: readonly CollectedValue[];
}

export interface CollectedValue {
  readonly labels: Labels;
  readonly value: number;
}

export interface Counter {
  add(value: number): void;
}

export interface Gauge {
  set(value: number): void;
  add(value: number): void;
}

export interface Histogram {
  observe(value: number): void;
  /** A value that was observed belongs to this trace: the newest one of its bucket is shown with it. */
  exemplify(value: number, traceId: string): void;
  /** Adds what somebody else has observed: how often in each bucket, the last one for what is above all bounds, and the sum. */
  merge(counts: readonly number[], sum: number): void;
}
