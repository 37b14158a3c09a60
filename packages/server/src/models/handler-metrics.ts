import type { Logger } from "../base/logger.ts";
import type { MetricReport, ReportListener } from "../base/metric-report.ts";
import type { Counter, Gauge, Histogram, Labels, Metrics } from "../base/metrics.ts";

export interface HandlerMetricsOptions {
  readonly metrics: Metrics;
  /** Of the label `Hostname`, which TorchServe adds to each of them. */
  readonly hostname: string;
  readonly logger: Logger;
}

const MAX_FAMILIES = 200;
/** Of one metric: values that clients choose must not fill the memory. */
const MAX_SERIES = 1000;
const MAX_LABELS = 16;
const MAX_NAME = 100;
const MAX_VALUE = 200;
const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
/** Of the server's own metrics: no handler changes what they say. */
const OWN = /^(sconce|nv|process|nodejs|ts_inference|ts_queue)_/;
/** The buckets of Prometheus' client for Java, which TorchServe leaves as they are. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

interface Family {
  readonly kind: MetricReport["kind"];
  readonly help: string;
  readonly series: Map<string, (value: number) => void>;
}

/**
 * Shows the numbers that handlers report under their own names, as TorchServe shows them. Within limits: what is more than they allow, or has a name that
 * Prometheus cannot hold, is left out, and the log says so once for each reason.
 */
export function createHandlerMetrics(options: HandlerMetricsOptions): ReportListener {
  const metrics = new HandlerMetrics(options);
  return (reports) => {
    for (const report of reports) metrics.take(report);
  };
}

class HandlerMetrics {
  readonly #options: HandlerMetricsOptions;
  readonly #families = new Map<string, Family>();
  readonly #told = new Set<string>();

  constructor(options: HandlerMetricsOptions) {
    this.#options = options;
  }

  take(report: MetricReport): void {
    const problem = this.#show(report);
    if (problem === undefined || this.#told.has(problem)) return;
    this.#told.add(problem);
    this.#options.logger.warn(
      { metric: report.name.slice(0, MAX_NAME) },
      `a metric that a handler reports is not shown: ${problem}`,
    );
  }

  /** Why it is not shown; undefined: it is. */
  #show({ kind, name, value, unit, labels }: MetricReport): string | undefined {
    if (!Number.isFinite(value) || (kind === "counter" && value < 0))
      return "counters only grow, and numbers are finite";
    const family = this.#families.get(name) ?? this.#begin(name, kind, unit);
    if (typeof family === "string") return family;
    if (family.kind !== kind) return "its name is that of a metric of another kind";
    const key = JSON.stringify(labels);
    let show = family.series.get(key);
    if (show === undefined) {
      if (family.series.size >= MAX_SERIES)
        return `it has more than ${MAX_SERIES} combinations of dimensions`;
      const shown = this.#labels(labels);
      if (shown === undefined)
        return `its dimensions are more than ${MAX_LABELS}, or their names are no names`;
      show = this.#bind(name, family, shown);
      family.series.set(key, show);
    }
    show(value);
    return undefined;
  }

  #begin(name: string, kind: MetricReport["kind"], unit: string): Family | string {
    if (name.length > MAX_NAME || !NAME.test(name))
      return "a name has letters, digits, _ and : alone, and no digit in front";
    if (OWN.test(name))
      return "names that begin with sconce_, nv_, process_, nodejs_, ts_inference_ or ts_queue_ are the server's";
    if (this.#families.size >= MAX_FAMILIES) return `handlers report more than ${MAX_FAMILIES} metrics`;
    const help = `Torchserve prometheus ${kind} metric with unit: ${unit.slice(0, MAX_NAME)}`;
    const family: Family = { kind, help, series: new Map() };
    this.#families.set(name, family);
    return family;
  }

  #labels(given: MetricReport["labels"]): Labels | undefined {
    if (given.length > MAX_LABELS) return undefined;
    const labels: Record<string, string> = {};
    for (const [name, value] of given) {
      if (name.length > MAX_NAME || !LABEL_NAME.test(name)) return undefined;
      labels[name] = value.slice(0, MAX_VALUE);
    }
    return { ...labels, Hostname: this.#options.hostname };
  }

  #bind(name: string, { kind, help }: Family, labels: Labels): (value: number) => void {
    const { metrics } = this.#options;
    if (kind === "histogram") {
      const histogram: Histogram = metrics.histogram(name, help, { labels, buckets: BUCKETS });
      return (value) => histogram.observe(value);
    }
    if (kind === "counter") {
      const counter: Counter = metrics.counter(name, help, labels);
      return (value) => counter.add(value);
    }
    const gauge: Gauge = metrics.gauge(name, help, labels);
    return (value) => gauge.set(value);
  }
}
