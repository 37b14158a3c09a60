import type { Capacity } from "./capacity.ts";
import type { FinalVerdict } from "./final-rounds.ts";
import type { Point, Tried } from "./search.ts";
import type { Goal } from "./slo.ts";

/** All that a search found. Plain data: `--json` prints it. */
export interface TuneReport {
  readonly model: string;
  readonly goals: readonly Goal[];
  /** Requests per second that were asked for; undefined: as many as possible. */
  readonly rate: number | undefined;
  readonly cores: number;
  readonly current: Point;
  readonly tried: readonly Tried<Capacity>[];
  /** Measurements of settings, and windows of load in them. */
  readonly runs: number;
  readonly windows: number;
  readonly isCut: boolean;
  readonly noise: number;
  /** Of the last rounds; undefined: no settings were worth them. */
  readonly final: { readonly point: Point; readonly verdict: FinalVerdict } | undefined;
  /** What to serve it with: the present settings where no others were better. */
  readonly chosen: Point;
  readonly isMet: boolean;
  /** How far answers are off, by precision. */
  readonly errors: Readonly<Record<string, number>>;
  readonly limits: readonly string[];
  readonly seconds: number;
}
