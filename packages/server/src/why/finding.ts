import type { Evidence, Machine } from "./evidence.ts";

/** A change that a private server can try. */
export type Remedy =
  | { readonly kind: "protocol"; readonly protocol: "binary" }
  /** These outputs alone. */
  | { readonly kind: "outputs"; readonly outputs: readonly string[] }
  /** Options of the model, as flags of `sconce serve`. */
  | { readonly kind: "options"; readonly flags: Readonly<Record<string, string>> };

/** One cause of latency that the evidence shows. */
export interface Finding {
  readonly id: string;
  /** Mean milliseconds of a request that are at stake; 0 where it costs throughput, or requests, and not latency. */
  readonly costMs: number;
  readonly title: string;
  readonly evidence: string;
  readonly change: string;
  readonly remedy?: Remedy;
}

/** Judges the evidence by its thresholds; undefined: this is not the cause. */
export type Rule = (evidence: Evidence) => Finding | undefined;

/** A stage below this share of the server's time is not worth a finding. */
export const LEAST_SHARE = 0.2;
/** And neither is one below this mean. */
export const LEAST_MS = 0.5;

/** What is said where nothing was found. */
export const NOTHING_TO_CHANGE: string = `Nothing to change: no cause that is known takes ${LEAST_SHARE * 100} % of a request and ${LEAST_MS} ms.`;

/** Whether so many milliseconds matter beside all that a request takes. */
export function isWorthIt(ms: number, { serverMs }: Pick<Evidence, "serverMs">): boolean {
  return ms >= LEAST_MS && ms >= LEAST_SHARE * serverMs;
}

/** `12.3 of 20.1 ms`. */
export function ofTotal(ms: number, { serverMs }: Pick<Evidence, "serverMs">): string {
  return `${ms.toFixed(2)} of ${serverMs.toFixed(2)} ms`;
}

/** A share of time that others took matters from here on. */
export const STOLEN = 0.05;
/** So many processes for each processor, and all of them wait for each other. */
const CROWDED = 2;

/** Whether others have so much of the machine that waiting says nothing of the server. */
export function isShared(machine: Machine | undefined): boolean {
  if (machine === undefined) return false;
  return machine.load > CROWDED * machine.cores || machine.stealShare >= STOLEN;
}
