import type { ProfileSample, RunProfile } from "./profile-sample.ts";
import { type GroupTime, grouped, kindOf, type ModuleTime, moduleTree, sum } from "./profile-tree.ts";

/** What `sconce profile` found out about a model. */
export interface ProfileReport {
  readonly model: string;
  /** `onnx` or `python`. */
  readonly runtime: string;
  readonly rows: number;
  readonly runs: number;
  readonly threads: number;
  /** Of a run without a profile, and of one with it: means over the faster half of the runs. */
  readonly plainMs: number;
  readonly profiledMs: number;
  /** What operations took of the latter. */
  readonly operationsMs: number;
  /** The rest: the engine's own work between operations; of that, at most as much is the noting down of operations as a run took longer with it. */
  readonly betweenMs: number;
  readonly notingMs: number;
  /** Of the operations' time, what belongs to a module that is known: between 0 and 1. */
  readonly attributed: number;
  readonly tree: ModuleTime;
  /** By module, repeated ones as one, without what is inside them. */
  readonly modules: readonly GroupTime[];
  /** By what PyTorch calls the operation. */
  readonly ops: readonly GroupTime[];
  readonly samples: readonly ProfileSample[];
}

export type ReportFacts = Pick<ProfileReport, "model" | "runtime" | "rows" | "runs" | "threads" | "plainMs">;

export function profileReport({ runMs, samples }: RunProfile, facts: ReportFacts): ProfileReport {
  const operationsMs = sum(samples);
  const betweenMs = Math.max(0, runMs - operationsMs);
  const placed = samples.filter(({ place }) => place !== undefined);
  return {
    ...facts,
    profiledMs: runMs,
    operationsMs,
    betweenMs,
    notingMs: Math.min(betweenMs, Math.max(0, runMs - facts.plainMs)),
    attributed: operationsMs === 0 ? 0 : sum(placed) / operationsMs,
    tree: moduleTree(samples),
    modules: grouped(placed, ({ place }) => kindOf(place!)),
    ops: grouped(samples, ({ place, kernel }) => place?.op || kernel),
    samples,
  };
}
