import type { Measurement } from "../bench/measure.ts";
import type { RunOutcome } from "./search.ts";
import type { Goal } from "./slo.ts";
import { excessOf } from "./slo.ts";

/** One window under one level of load. */
export interface LoadedWindow extends RunOutcome {
  /** Connections, or arrivals per second with `--rate`. */
  readonly level: number;
  readonly perSecond: number;
  readonly latencyMs: Measurement["latencyMs"];
  readonly answered: number;
  readonly failures: Measurement["failures"];
  readonly stageMs: Measurement["stageMs"];
  /** Processor time of the client by elapsed time: near 1 the client is what limits. */
  readonly clientShare: number;
}

/** What a server can carry: the best level that keeps the goal, or the one that comes closest. */
export interface Capacity extends LoadedWindow {
  /** The next higher level that was measured and broke the goal; undefined: more load gave no more. */
  readonly broken: LoadedWindow | undefined;
  /** It was left off because it could not become the best any more. */
  readonly isStopped: boolean;
  /** Windows that it took. */
  readonly windows: number;
}

/** So much more load has to give at least so much more throughput to go on. */
const STEP = 2;
const WORTH_IT = 1.05;

/**
 * Finds the number of connections at which a server answers most while it keeps the goal, beginning at `start`. `best`: what the best so far
 * carries; less load never gives more, so that a server that breaks the goal and is below that is left off.
 */
export async function findCapacity(
  measureAt: (connections: number) => Promise<LoadedWindow>,
  {
    start,
    most,
    best,
    margin,
  }: { readonly start: number; readonly most: number; readonly best: number; readonly margin: number },
): Promise<Capacity> {
  let windows = 0;
  const look = async (connections: number): Promise<LoadedWindow> => {
    windows += 1;
    return measureAt(connections);
  };
  let here = await look(start);
  let broken: LoadedWindow | undefined;
  while (!here.meets && here.level > 1) {
    if (here.perSecond < best * (1 - margin)) return { ...here, broken: here, isStopped: true, windows };
    broken = here;
    here = await look(Math.max(1, Math.floor(here.level / STEP)));
  }
  if (!here.meets) return { ...here, broken: here, isStopped: false, windows };
  while (broken === undefined && here.level < most) {
    const next = await look(Math.min(most, here.level * STEP));
    if (!next.meets) broken = next;
    else if (next.perSecond < here.perSecond * WORTH_IT) {
      return { ...(next.perSecond > here.perSecond ? next : here), broken, isStopped: false, windows };
    } else here = next;
  }
  // Between the last that held and the first that did not.
  const between = broken === undefined ? here.level : Math.floor((here.level + broken.level) / 2);
  if (between > here.level) {
    const next = await look(between);
    if (!next.meets) broken = next;
    else if (next.perSecond > here.perSecond) here = next;
  }
  return { ...here, broken, isStopped: false, windows };
}

/** A measurement as a window, judged. `score`: of one that keeps the goal. */
export function judged(
  measured: Measurement,
  goals: readonly Goal[],
  level: { readonly at: number; readonly rate: number | undefined },
): LoadedWindow {
  const { perSecond, latencyMs, answered, failures, stageMs, client } = measured;
  const excess = answered === 0 ? Number.POSITIVE_INFINITY : excessOf(goals, latencyMs);
  const isBehind =
    level.rate !== undefined && (client.dropped > 0 || client.waiting > 2 + level.rate * LATE_S);
  const meets = excess <= 1 && Object.keys(failures).length === 0 && !isBehind;
  return {
    level: level.at,
    meets,
    // With a rate that is given, what can be better is the latency.
    score: level.rate === undefined ? perSecond : 1 / excess,
    excess: meets ? excess : Math.max(excess, 1.01),
    perSecond,
    latencyMs,
    answered,
    failures,
    stageMs,
    clientShare: client.cpuShare,
  };
}

/** More than what arrives in this many seconds waits for a connection: the server does not keep up. */
const LATE_S = 0.05;
