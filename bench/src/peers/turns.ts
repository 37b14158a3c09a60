import { availableParallelism } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { type LoadResult, medianRun } from "../load-result.ts";
import { median } from "../median.ts";
import {
  identifiedTree,
  isRunning,
  machineCpuMs,
  ownCpuMs,
  signalAll,
  treeCpuMs,
  untilIdle,
} from "../process-tree.ts";
import type { PeersEffort } from "./effort.ts";

/** Between two turns. */
const LOOK_MS = 300;
/** The share of a processor from which on a server that nobody asks would disturb the others' turns. */
const RESTLESS = 0.05;

/** A server that takes turns. */
export interface Target {
  readonly name: string;
  readonly pid: number;
  /** The share of a processor that it takes when nobody asks it. */
  readonly idleShare: number;
}

/** One server in one round. */
export interface Measured extends LoadResult {
  readonly cpuMs: number;
  /** Processor time of everything else on the machine, per second and processor: what disturbed the round. */
  readonly othersShare: number;
}

export interface Turns<T> {
  readonly effort: PeersEffort;
  /** Of one turn after the warm-up. */
  readonly seconds: number;
  measure(target: T, seconds: number): Promise<LoadResult>;
}

type FourFigures = [number, number, number, number];

/** Whether a server works so much when nobody asks it that it is stopped while others take their turns. */
export function isRestless({ idleShare }: Pick<Target, "idleShare">): boolean {
  return idleShare > RESTLESS;
}

/** Stops those that are restless until their own turns, or lets them go on. */
export function pauseRestless(targets: readonly Target[], signal: "SIGSTOP" | "SIGCONT"): void {
  for (const { pid } of targets.filter(isRestless)) signalAll(identifiedTree(pid), signal);
}

/**
 * The median turn of each: each target once in every round, and the first round warms up. One whose process ends is left out from then on. Who is restless is stopped
 * before, and is so afterwards.
 */
export async function inTurn<T extends Target>(
  targets: readonly T[],
  { effort, seconds, measure }: Turns<T>,
): Promise<Map<string, Measured>> {
  const runs = new Map<string, Measured[]>(targets.map(({ name }) => [name, []]));
  for (let round = 0; round <= effort.rounds; round++) {
    for (const target of targets.filter(({ pid }) => isRunning(pid))) {
      pauseRestless([target], "SIGCONT");
      const run = await measured(target, () => measure(target, round === 0 ? effort.warmUpSeconds : seconds));
      pauseRestless([target], "SIGSTOP");
      if (run !== undefined && round > 0) runs.get(target.name)!.push(run);
    }
  }
  return new Map(
    [...runs].filter(([, results]) => results.length > 0).map(([name, results]) => [name, medianOf(results)]),
  );
}

/**
 * One load, with what it cost; undefined: the process ended over it. Returns when the server has come to rest: wrk leaves without its last answers, which
 * would be computed in the next server's turn.
 */
async function measured(target: Target, load: () => Promise<LoadResult>): Promise<Measured | undefined> {
  const { pid } = target;
  const cpusMs = (): readonly number[] => [machineCpuMs(), treeCpuMs(pid), ownCpuMs(), performance.now()];
  const before = cpusMs();
  const run = await load();
  if (!isRunning(pid)) return undefined;
  const [machineMs, cpuMs, ownMs, tookMs] = cpusMs().map((ms, i) => ms - before[i]!) as FourFigures;
  await (isRestless(target) ? sleep(LOOK_MS) : untilIdle(pid, LOOK_MS));
  const othersShare = Math.max(0, machineMs - cpuMs - ownMs) / (tookMs * availableParallelism());
  return { ...run, cpuMs, othersShare };
}

function medianOf(results: readonly Measured[]): Measured {
  const middle = medianRun(results);
  const { cpuMs } = results.find(({ requests }) => requests === middle.requests)!;
  return { ...middle, cpuMs, othersShare: median(results.map(({ othersShare }) => othersShare)) };
}
