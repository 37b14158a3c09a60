import { type Series, spreadOf, total } from "../base/metrics-text.ts";
import { TASK_STAGES } from "../base/timeline.ts";
import { type Chart, type ChartLine, type ChartOptions, chart } from "./chart.ts";
import { element } from "./element.ts";
import { type LiveStore, MAX_TICKS, type Tick } from "./live-store.ts";
import { modelSelect } from "./model-select.ts";
import type { ServerApi } from "./server-api.ts";

type Labels = Readonly<Record<string, string>>;

/** A chart, and how its lines come out of ticks. */
interface Panel extends Omit<ChartOptions, "places"> {
  readonly lines: readonly (readonly [
    name: string,
    colour: string,
    value: (tick: Tick, of: Labels) => number,
  ])[];
}

const MS = 1000;
const MIB = 2 ** 20;
const LATENCY = "sconce_inference_seconds";

const gained =
  (name: string, more: Labels = {}) =>
  ({ counts, seconds }: Tick, of: Labels): number =>
    total(counts, name, { ...of, ...more }) / seconds;
const standing =
  (name: string, unit = 1) =>
  ({ gauges }: Tick, of: Labels): number =>
    total(gauges, name, of) / unit;

const latency =
  (which: "p50" | "p95" | "p99") =>
  ({ counts }: Tick, of: Labels): number => {
    const spread = spreadOf(counts, LATENCY, of);
    return spread.count === 0 ? Number.NaN : spread[which] * MS;
  };

/** What a stage takes of a mean request. */
const stageShare =
  (stage: string) =>
  ({ counts }: Tick, of: Labels): number =>
    (total(counts, "sconce_inference_stage_seconds_sum", { ...of, stage }) * MS) /
    total(counts, `${LATENCY}_count`, of);

const PANELS: readonly Panel[] = [
  {
    title: "Throughput",
    unit: "inferences/s",
    lines: [
      ["answered", "good", gained("sconce_inferences_total", { code: "ok" })],
      [
        "not answered",
        "bad",
        (tick, of) =>
          gained("sconce_inferences_total")(tick, of) -
          gained("sconce_inferences_total", { code: "ok" })(tick, of),
      ],
    ],
  },
  {
    title: "Latency in the server",
    unit: "ms",
    digits: 1,
    lines: [
      ["p50", "s3", latency("p50")],
      ["p95", "s4", latency("p95")],
      ["p99", "s7", latency("p99")],
    ],
  },
  {
    title: "Where the time goes",
    unit: "ms",
    digits: 2,
    isStacked: true,
    lines: TASK_STAGES.map((stage) => [stage, stage, stageShare(stage)] as const),
  },
  {
    title: "Queue",
    unit: "requests",
    lines: [
      ["waiting", "s4", standing("sconce_queue_requests")],
      ["running", "s7", standing("sconce_running_requests")],
    ],
  },
  {
    title: "Batches",
    unit: "rows, mean",
    digits: 1,
    lines: [["rows in a run", "s2", ({ counts }, of) => emptyAsGap(counts, of)]],
  },
  {
    title: "Lost or repeated",
    unit: "requests/s",
    digits: 1,
    lines: [
      ["rejected", "s4", gained("sconce_rejections_total")],
      ["failed", "bad", gained("sconce_failures_total")],
      ["run again", "s1", gained("sconce_reruns_total")],
      ["worker restarts", "s7", gained("sconce_worker_restarts_total")],
    ],
  },
  {
    title: "Workers' memory",
    unit: "MiB",
    lines: [["resident", "s1", standing("sconce_worker_resident_bytes", MIB)]],
  },
  {
    title: "Workers",
    unit: "instances",
    lines: [
      ["ready", "good", standing("sconce_instances_ready")],
      ["loaded", "s6", standing("sconce_instances")],
    ],
  },
];

function emptyAsGap(counts: readonly Series[], of: Labels): number {
  const { count, mean } = spreadOf(counts, "sconce_batch_rows", of);
  return count === 0 ? Number.NaN : mean;
}

/** Charts of the last two minutes, of all models or of one. */
export async function liveView(
  api: ServerApi,
  store: LiveStore,
  {
    model,
    signal,
    trouble,
  }: { readonly model: string | undefined; readonly signal: AbortSignal; trouble(error: unknown): void },
): Promise<HTMLElement> {
  const charts = PANELS.map((panel) => [panel, chart({ ...panel, places: MAX_TICKS })] as const);
  const of: Labels = model === undefined ? {} : { model };
  const render = (): void => {
    for (const [panel, drawn] of charts) drawPanel(panel, drawn, store.ticks, of);
  };
  render();
  store.follow(signal, render).catch(trouble);
  return element(
    "div",
    { class: "live" },
    element(
      "header",
      { class: "page-head" },
      element("h1", {}, "Live"),
      await modelSelect(api, { chosen: model, page: "live", everything: "all models" }),
      element("p", { class: "quiet" }, "two minutes, one look a second"),
    ),
    element("div", { class: "charts" }, ...charts.map(([, { view }]) => view)),
  );
}

function drawPanel({ lines, isStacked }: Panel, { draw }: Chart, ticks: readonly Tick[], of: Labels): void {
  const drawn = lines.map(
    ([name, colour, value]): ChartLine => ({ name, colour, values: ticks.map((tick) => value(tick, of)) }),
  );
  // Stages that no request went through only take room.
  draw(isStacked === true ? drawn.filter(({ values }) => values.some((value) => value > 0)) : drawn);
}
