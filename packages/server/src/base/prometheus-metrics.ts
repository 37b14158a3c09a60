import { collectDefaultMetrics, Registry } from "prom-client";
import type { CollectedFamily, Counter, Gauge, Histogram, Labels, Metrics } from "./metrics.ts";

export interface PrometheusMetricsOptions {
  /** Adds the process's own figures (memory, CPU, event loop lag, garbage collection, handles) from prom-client. */
  readonly processMetrics?: boolean;
  /** Label combinations kept per metric; later ones are dropped and counted in `sconce_metrics_dropped_series_total`. */
  readonly maxSeriesPerMetric?: number;
}

const MAX_SERIES = 10_000;

/** Gauges of prom-client that end as only counters may; the same figures by type stay. */
const MISNAMED = [
  "nodejs_active_handles_total",
  "nodejs_active_requests_total",
  "nodejs_active_resources_total",
];

interface Family {
  readonly kind: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly series: Map<string, Series>;
}

interface Series extends Counter, Gauge, Histogram {
  render(name: string, exemplars: boolean): string;
}

/**
 * Metrics in Prometheus' text format 0.0.4. Handles write to plain numbers: prom-client hashes the labels again on every
 * observation, which seven stages a request would feel, so it only supplies the process's own figures here.
 */
export function createPrometheusMetrics(options: PrometheusMetricsOptions = {}): Metrics {
  const families = new Map<string, Family>();
  const registry = new Registry();
  if (options.processMetrics === true) {
    collectDefaultMetrics({ register: registry });
    for (const name of MISNAMED) registry.removeSingleMetric(name);
  }
  const maxSeries = options.maxSeriesPerMetric ?? MAX_SERIES;
  const dropped = newNumber("");
  const collected: (() => Promise<readonly CollectedFamily[]>)[] = [];

  const bind = (
    name: string,
    family: Omit<Family, "series">,
    labels: Labels,
    make: (labels: string) => Series,
  ): Series => {
    const known = families.get(name);
    const { series } = known ?? addFamily(families, name, family);
    const key = labelText(labels);
    const existing = series.get(key);
    if (existing !== undefined) return existing;
    const made = make(key);
    if (series.size < maxSeries) series.set(key, made);
    else dropped.add(1);
    return made;
  };

  addFamily(families, "sconce_metrics_dropped_series_total", {
    kind: "counter",
    help: "Label combinations not kept because a metric had too many.",
  }).series.set("", dropped);

  return {
    counter: (name, help, labels = {}) => bind(name, { kind: "counter", help }, labels, newNumber),
    gauge: (name, help, labels = {}) => bind(name, { kind: "gauge", help }, labels, newNumber),
    histogram: (name, help, { labels = {}, buckets }) =>
      bind(name, { kind: "histogram", help }, labels, (key) => newHistogram(key, buckets)),
    collect: (read) => collected.push(read),
    drop(labels) {
      const leading = labelText(labels);
      for (const { series } of families.values()) {
        for (const key of series.keys()) {
          if (key === leading || key.startsWith(`${leading},`)) series.delete(key);
        }
      }
    },
    async render({ exemplars = false } = {}) {
      let text = "";
      for (const [name, { kind, help, series }] of families) {
        text += headText(name, help, kind);
        for (const one of series.values()) text += one.render(name, exemplars);
      }
      for (const read of collected) text += (await read()).map(collectedText).join("");
      return text + (await registry.metrics());
    },
  };
}

function addFamily(families: Map<string, Family>, name: string, family: Omit<Family, "series">): Family {
  const added: Family = { ...family, series: new Map() };
  families.set(name, added);
  return added;
}

function headText(name: string, help: string, kind: Family["kind"]): string {
  return `# HELP ${name} ${escapeText(help, false)}\n# TYPE ${name} ${kind}\n`;
}

function collectedText({ name, help, kind, values }: CollectedFamily): string {
  const lines = values.map(({ labels, value }) => `${name}{${labelText(labels)}} ${valueText(value)}\n`);
  return headText(name, help, kind) + lines.join("");
}

function newNumber(labels: string): Series {
  let value = 0;
  return {
    add(more) {
      value += more;
    },
    set(next) {
      value = next;
    },
    observe(next) {
      value = next;
    },
    exemplify() {},
    merge() {},
    render: (name) => `${name}${labels === "" ? "" : `{${labels}}`} ${valueText(value)}\n`,
  };
}

function newHistogram(labels: string, buckets: readonly number[]): Series {
  const bounds = Float64Array.from(buckets);
  // One more for what is above all bounds.
  const counts = new Float64Array(bounds.length + 1);
  let sum = 0;
  /** By bucket; undefined as long as nothing is traced. */
  let exemplars: { readonly traceId: string; readonly value: number }[] | undefined;
  const bucketOf = (value: number): number => {
    let i = 0;
    while (i < bounds.length && value > bounds[i]!) i++;
    return i;
  };
  const observe = (value: number): void => {
    counts[bucketOf(value)]!++;
    sum += value;
  };
  const prefix = labels === "" ? "" : `${labels},`;
  return {
    observe,
    add: observe,
    set: observe,
    exemplify(value, traceId) {
      exemplars ??= [];
      exemplars[bucketOf(value)] = { traceId, value };
    },
    merge(more, moreSum) {
      for (let i = 0; i < counts.length; i++) counts[i]! += more[i]!;
      sum += moreSum;
    },
    render(name, withExemplars) {
      const shown = withExemplars ? exemplars : undefined;
      let text = "";
      let total = 0;
      for (let i = 0; i < counts.length; i++) {
        total += counts[i]!;
        text += `${name}_bucket{${prefix}le="${i < bounds.length ? valueText(bounds[i]!) : "+Inf"}"} ${total}${exemplarText(shown?.[i])}\n`;
      }
      const braces = labels === "" ? "" : `{${labels}}`;
      return `${text}${name}_sum${braces} ${valueText(sum)}\n${name}_count${braces} ${total}\n`;
    },
  };
}

function exemplarText(exemplar: { readonly traceId: string; readonly value: number } | undefined): string {
  return exemplar === undefined ? "" : ` # {trace_id="${exemplar.traceId}"} ${valueText(exemplar.value)}`;
}

/** Labels as they stand between the braces, in the order given. */
function labelText(labels: Labels): string {
  return Object.keys(labels)
    .map((key) => `${key}="${escapeText(labels[key]!, true)}"`)
    .join(",");
}

function escapeText(text: string, quoted: boolean): string {
  const escaped = text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
  return quoted ? escaped.replaceAll('"', '\\"') : escaped;
}

function valueText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
}
