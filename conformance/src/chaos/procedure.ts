import type { Calibration } from "./calibration.ts";
import type { ChaosServer } from "./chaos-server.ts";
import type { LoadResult, LoadStream } from "./load-plan.ts";
import type { RunningLoad } from "./load-process.ts";
import type { ModelFolder } from "./model-folder.ts";
import type { Random } from "./random.ts";

/** One figure of a procedure beside what it should be. */
export interface Finding {
  readonly what: string;
  readonly target: string;
  readonly measured: string;
  readonly isMet: boolean;
  /** `must`: holds on any machine, however busy. `pace`: a time or a rate, which a busy machine can spoil. */
  readonly kind: "must" | "pace";
}

/** How long and how hard: seconds in `npm test`, minutes on the command line. */
export interface Effort {
  readonly isShort: boolean;
  /** How long a procedure's load may last in all. */
  readonly budgetMs: number;
}

/** A server with its models, and the means to load it and to hurt it. */
export interface Rig {
  readonly server: ChaosServer;
  readonly folder: ModelFolder;
  readonly random: Random;
  readonly effort: Effort;
  readonly calibration: Calibration;
  startLoad(durationMs: number, streams: readonly LoadStream[]): RunningLoad;
  load(durationMs: number, streams: readonly LoadStream[]): Promise<LoadResult>;
}

export interface Procedure {
  /** As in docs/dev/procedures.md: `F5`. */
  readonly id: string;
  readonly title: string;
  /** How long its load lasts when nobody says; default: a minute. */
  readonly minutes?: number;
  /** Programs of the system that it cannot do without, by their names on PATH. */
  readonly needs?: readonly ("redis-server" | "haproxy")[];
  /** Flags of the server. */
  readonly flags?: readonly string[];
  /** Limit on the server's open files. */
  readonly openFiles?: number;
  /** What runs the models; default: the calibrated runtime. */
  readonly runtime?: "calibrated" | "onnx";
  /** Puts the models in place before the server starts. */
  prepare(folder: ModelFolder, calibration: Calibration): void | Promise<void>;
  run(rig: Rig): Promise<Finding[]>;
}

type Kind = Finding["kind"];

export function exactly(what: string, measured: number | string, target: number | string): Finding {
  return {
    what,
    target: String(target),
    measured: String(measured),
    isMet: measured === target,
    kind: "must",
  };
}

export function atMost(
  what: string,
  measured: number,
  limit: { max: number; unit?: string; kind?: Kind },
): Finding {
  const { max, unit = "", kind = "must" } = limit;
  return {
    what,
    target: `≤ ${text(max)}${unit}`,
    measured: `${text(measured)}${unit}`,
    isMet: measured <= max,
    kind,
  };
}

export function atLeast(
  what: string,
  measured: number,
  limit: { min: number; unit?: string; kind?: Kind },
): Finding {
  const { min, unit = "", kind = "must" } = limit;
  return {
    what,
    target: `≥ ${text(min)}${unit}`,
    measured: `${text(measured)}${unit}`,
    isMet: measured >= min,
    kind,
  };
}

function text(value: number): string {
  return String(Math.abs(value) >= 100 ? Math.round(value) : Math.round(value * 100) / 100);
}
