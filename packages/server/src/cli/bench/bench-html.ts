import { STAGES } from "../../base/timeline.ts";
import { benchText } from "./bench-text.ts";
import { levelText } from "./load-levels.ts";
import type { Latencies, Measurement } from "./measure.ts";
import { type Bar, barPlot, escapeMarkup, type Line, linePlot } from "./plot.ts";

const STYLE =
  "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}svg{max-width:100%;display:block;margin:1rem 0}text{font:12px system-ui,sans-serif;fill:#222}pre{overflow:auto;background:#f4f4f4;padding:1rem}";

/** A page with the table and plots of all measurements; it loads nothing. */
export function benchHtml(head: string, measurements: readonly Measurement[]): string {
  const plots = [latencyByThroughput(measurements), percentiles(measurements), ...stages(measurements)];
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"><title>${escapeMarkup(head)}</title><style>${STYLE}</style></head>
<body>
<h1>sconce bench</h1>
<pre>${escapeMarkup(benchText(head, measurements))}</pre>
${plots.join("\n")}
</body>
</html>
`;
}

function latencyByThroughput(measurements: readonly Measurement[]): string {
  const sorted = [...measurements].sort((a, b) => a.perSecond - b.perSecond);
  const line = (name: keyof Latencies): Line => ({
    name,
    points: sorted.map(({ perSecond, latencyMs }) => [perSecond, latencyMs[name]] as const),
  });
  return linePlot([line("p50"), line("p90"), line("p99")], {
    title: "Latency by throughput",
    xLabel: "answered requests per second",
    yLabel: "ms",
  });
}

/** The place of a percentile on an axis on which each further nine is as wide as the one before. */
function nines(percentile: number): number {
  return percentile >= 100 ? 4.5 : -Math.log10(1 - percentile / 100);
}

function percentiles(measurements: readonly Measurement[]): string {
  const lines = measurements.map(({ level, curve }) => ({
    name: levelText(level),
    points: curve.map(([percentile, ms]) => [nines(percentile), ms] as const),
  }));
  return linePlot(lines, {
    title: "Latency by percentile",
    xLabel: "percentile",
    yLabel: "ms",
    xTicks: [0, 50, 90, 99, 99.9, 99.99].map((value) => [nines(value), String(value)] as const),
  });
}

function stages(measurements: readonly Measurement[]): string[] {
  const bars = measurements.flatMap(({ level, stageMs, latencyMs }): Bar[] => {
    if (stageMs === undefined) return [];
    const parts = STAGES.map((stage) => [stage, stageMs[stage] ?? 0] as const);
    const inServer = parts.reduce((sum, [, ms]) => sum + ms, 0);
    const rest = Math.max(0, latencyMs.mean - inServer);
    return [{ name: levelText(level), parts: [...parts, ["client, network", rest]] }];
  });
  if (bars.length === 0) return [];
  return [barPlot(bars, { title: "Mean time by stage", xLabel: "load", yLabel: "ms" })];
}
