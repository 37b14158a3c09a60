/** Metrics as an argument. Handles are bound to their label values once, at configure time, and used per request. */
export interface Metrics {
  counter(name: string, help: string, labels?: Labels): Counter;
  gauge(name: string, help: string, labels?: Labels): Gauge;
  histogram(
    name: string,
    help: string,
    options: { readonly labels?: Labels; readonly buckets: readonly number[] },
  ): Histogram;
  /** Forgets the series whose labels begin with these. What their handles count from then on, nobody sees. */
  drop(labels: Labels): void;
  /** Prometheus text exposition format, version 0.0.4. */
  render(): Promise<string>;
}

export type Labels = Readonly<Record<string, string>>;

export interface Counter {
  add(value: number): void;
}

export interface Gauge {
  set(value: number): void;
  add(value: number): void;
}

export interface Histogram {
  observe(value: number): void;
}
