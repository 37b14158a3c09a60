import { fileKey } from "../../config/option.ts";
import type { Axis, Point, Space } from "./search.ts";

/** The settings that are searched, as options of a model. */
export const TUNED = [
  "instances",
  "threads",
  "maxBatchSize",
  "maxQueueDelayMs",
  "precision",
  "memory",
] as const;

export type TunedName = (typeof TUNED)[number];

/** What the space of settings depends on. */
export interface SpaceFacts {
  /** Processors that the server may use. */
  readonly cores: number;
  /** Rows of different requests may share a run. */
  readonly isBatching: boolean;
  /** ONNX Runtime runs it: only there precision and memory mean something. */
  readonly isTranslated: boolean;
  /** Answers may change by as much as somebody said. */
  readonly mayChangeAnswers: boolean;
  /** The shortest limit of a latency. */
  readonly limitMs: number;
}

const BATCHES = [1, 4, 8, 16, 32, 64, 128];
const DELAYS_MS = [0, 1, 2, 5, 10, 20];
const PRECISIONS = ["float32", "float16", "int8", "int4"];
/** Whoever waits longer than this share of the limit for company has no time left to be computed. */
const DELAY_SHARE = 0.25;

/** What is searched around `current` on such a machine with such a model. */
export function settingsSpace(current: Point, facts: SpaceFacts): Space {
  const { cores, isBatching, isTranslated, mayChangeAnswers, limitMs } = facts;
  const counts = upTo(cores);
  const axes: Axis[] = [
    axis("instances", counts, current),
    axis("threads", [...counts, "auto"], current),
    ...(isBatching
      ? [
          axis("maxBatchSize", BATCHES, current),
          axis(
            "maxQueueDelayMs",
            DELAYS_MS.filter((ms) => ms <= DELAY_SHARE * limitMs),
            current,
          ),
        ]
      : []),
    // What is not float32 now was chosen, and what answers were before is not known.
    ...(isTranslated && mayChangeAnswers && current["precision"] === "float32"
      ? [axis("precision", PRECISIONS, current)]
      : []),
    ...(isTranslated ? [axis("memory", ["fast", "shared"], current)] : []),
  ];
  return {
    axes: axes.filter(({ values }) => values.length > 1),
    repair: (point, kept) => repaired(point, { kept, cores, counts }),
  };
}

/** Instances × threads stay within the processors: what was not chosen just now gives way. */
function repaired(
  point: Point,
  {
    kept,
    cores,
    counts,
  }: { readonly kept: string; readonly cores: number; readonly counts: readonly number[] },
): Point | undefined {
  const { instances, threads } = point;
  if (typeof instances !== "number" || typeof threads !== "number" || instances * threads <= cores)
    return point;
  const other = kept === "instances" ? "threads" : "instances";
  const fixed = kept === "instances" ? instances : threads;
  const largest = counts.findLast((count) => count * fixed <= cores);
  return largest === undefined ? undefined : { ...point, [other]: largest };
}

/** What to begin with: the corners that pay most often, each from the current settings. */
export function seedsOf(
  current: Point,
  { axes, repair }: Space,
  { cores }: Pick<SpaceFacts, "cores">,
): readonly Point[] {
  const names = new Set(axes.map(({ name }) => name));
  const proposals: Point[] = [
    { instances: cores, threads: 1 },
    { instances: 1, threads: cores },
    ...(cores >= 4 ? [{ instances: Math.ceil(cores / 2), threads: 2 }] : []),
    { instances: cores, threads: 1, maxBatchSize: 1, maxQueueDelayMs: 0 },
    { maxBatchSize: 64, maxQueueDelayMs: 2 },
    ...(names.has("precision") ? [{ precision: "int8" }] : []),
  ];
  return proposals.flatMap((proposal) => {
    const isKnown = Object.entries(proposal).every(
      ([name, value]) => names.has(name) && axes.find((one) => one.name === name)!.values.includes(value),
    );
    const point = isKnown ? repair({ ...current, ...proposal }, "instances") : undefined;
    return point === undefined ? [] : [point];
  });
}

/** `instances 2, threads 1`: what differs from the current settings. */
export function settingsText(point: Point, current: Point): string {
  const changed = changedSettings(point, current);
  return Object.keys(changed).length === 0
    ? "as it is"
    : Object.entries(changed)
        .map(([key, value]) => `${key} ${value}`)
        .join(", ");
}

/** Keys of model.yaml that differ, and what they become. */
export function changedSettings(point: Point, current: Point): Readonly<Record<string, string | number>> {
  return Object.fromEntries(
    Object.entries(point)
      .filter(([name, value]) => value !== current[name])
      .map(([name, value]) => [fileKey(name), name === "maxQueueDelayMs" ? `${value}ms` : value]),
  );
}

function axis(name: TunedName, values: readonly (string | number)[], current: Point): Axis {
  const all = new Set([...values, current[name]!]);
  const numbers = [...all].filter((value) => typeof value === "number").sort((a, b) => a - b);
  const words = [...all].filter((value) => typeof value === "string");
  return { name, values: [...numbers, ...words], isOrdered: numbers.length > 3 };
}

/** 1, 2, 4, … and the number itself. */
function upTo(count: number): number[] {
  const powers = Array.from({ length: Math.floor(Math.log2(count)) + 1 }, (_, i) => 2 ** i);
  return [...new Set([...powers, count])];
}
