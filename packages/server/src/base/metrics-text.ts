/** One series of a page in Prometheus' text format. */
export interface Series {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Every series of a page, by its name and labels as they stand there. */
export type MetricsPage = ReadonlyMap<string, Series>;

const MAX_BYTES = 64 * 2 ** 20;
const LINE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g;

/** Reads a page; lines that are no series are passed over. */
export function readMetrics(text: string): MetricsPage {
  const page = new Map<string, Series>();
  for (const line of text.slice(0, MAX_BYTES).split("\n")) {
    const [, name, labelText = "", value] = LINE.exec(line) ?? [];
    if (name === undefined || line.startsWith("#")) continue;
    const pairs = Array.from(labelText.matchAll(LABEL), ([, key, text]) => [key!, unescaped(text!)] as const);
    page.set(`${name}{${labelText}}`, {
      name,
      labels: Object.fromEntries(pairs),
      value: value === "+Inf" ? Number.POSITIVE_INFINITY : Number(value),
    });
  }
  return page;
}

/** What was counted between two pages of one server: the later figures less the earlier ones, which are 0 where they are not there. */
export function metricsBetween(before: MetricsPage, after: MetricsPage): readonly Series[] {
  return Array.from(after, ([key, series]) => ({
    ...series,
    value: series.value - (before.get(key)?.value ?? 0),
  }));
}

/** Whether a series has a name and these labels. */
export function isOf(series: Series, name: string, labels: Readonly<Record<string, string>> = {}): boolean {
  return series.name === name && Object.entries(labels).every(([key, value]) => series.labels[key] === value);
}

/** A histogram between two moments. */
export interface Spread {
  readonly count: number;
  readonly mean: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

/** The histogram `name`, all its series with these labels together; percentiles are interpolated within a bucket. */
export function spreadOf(
  series: readonly Series[],
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Spread {
  const sum = total(series, `${name}_sum`, labels);
  const count = total(series, `${name}_count`, labels);
  const upTo = new Map<number, number>();
  for (const one of series) {
    if (!isOf(one, `${name}_bucket`, labels)) continue;
    const bound = one.labels["le"] === "+Inf" ? Number.POSITIVE_INFINITY : Number(one.labels["le"]);
    upTo.set(bound, (upTo.get(bound) ?? 0) + one.value);
  }
  const buckets = [...upTo].sort(([a], [b]) => a - b);
  const at = (share: number): number => quantile(buckets, share * count);
  return { count, mean: count === 0 ? 0 : sum / count, p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}

/** The sum of all series with that name and these labels. */
export function total(
  series: readonly Series[],
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  let sum = 0;
  for (const one of series) if (isOf(one, name, labels)) sum += one.value;
  return sum;
}

function quantile(buckets: readonly (readonly [bound: number, upTo: number])[], rank: number): number {
  let lower = 0;
  let below = 0;
  if (rank <= 0) return 0;
  for (const [bound, upTo] of buckets) {
    if (upTo >= rank) {
      // Nothing is known of what lies above the last bound but that it does.
      if (bound === Number.POSITIVE_INFINITY) return lower;
      return lower + ((rank - below) / (upTo - below)) * (bound - lower);
    }
    lower = bound;
    below = upTo;
  }
  return lower;
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/g, (_, char: string) => (char === "n" ? "\n" : char));
}
