import type { NodePlace } from "@sconce/torch";

/** One operation of a run: what the engine ran, where in the model it comes from, and how long it took. */
export interface ProfileSample {
  /** Undefined: it belongs to no module that is known. */
  readonly place: NodePlace | undefined;
  /** Other modules whose operations the engine made part of it, in the order in which they were. */
  readonly along: readonly NodePlace[];
  /** What ran it, such as ONNX Runtime's `FusedConv`. */
  readonly kernel: string;
  /** In a run, without what ran inside it. */
  readonly ms: number;
  /** How often in a run. */
  readonly calls: number;
}

/** What the runs of a model spent their time on. */
export interface RunProfile {
  /** Of one run as a whole. */
  readonly runMs: number;
  readonly samples: readonly ProfileSample[];
}

/**
 * The faster half of some runs: what else the machine did in the others says nothing of the model. A mean over them, unlike medians of parts,
 * is the sum of its parts.
 */
export function fasterHalf<T>(runs: readonly T[], msOf: (run: T) => number): readonly T[] {
  return [...runs].sort((a, b) => msOf(a) - msOf(b)).slice(0, Math.ceil(runs.length / 2));
}

/** 0 for nothing. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}
