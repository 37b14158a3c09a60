/** A number that a model's own code reports while it runs, in its own words: nothing of it is checked. */
export interface MetricReport {
  readonly kind: "counter" | "gauge" | "histogram";
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly labels: readonly (readonly [name: string, value: string])[];
}

/** Told of the numbers that models report; must not throw. */
export type ReportListener = (reports: readonly MetricReport[]) => void;
