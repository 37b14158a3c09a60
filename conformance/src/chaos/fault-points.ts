import { DIGITS_FILES } from "./digits-files.ts";
import { askDigits } from "./digits-probe.ts";
import { createFaultSwitch, FAULT_CODES, type FaultCode, type FaultPlan } from "./fault-plan.ts";
import { monotonicMs } from "./monotonic.ts";
import type { Rig } from "./procedure.ts";
import { loadModel, repositoryIndex } from "./repository-client.ts";

const MODEL = "digits";

/** What an operator must find in the error, by what the file system said. */
const WORDS: Readonly<Record<FaultCode, RegExp>> = {
  EIO: /read error/,
  ENOSPC: /the disk is full/,
  EMFILE: /too many open files/,
  EACCES: /permission denied/,
  ENOENT: /does not exist|is gone|is missing/,
};
const FILE = /(?:model\.(?:pt2|pt|onnx|yaml)|digits\.safetensors|weights\.bin|the folder \w+|models) (?:cannot be read|is missing|is gone)/;

/** What became of one fault. */
export interface FaultRound {
  readonly kind: string;
  readonly plan: Pick<FaultPlan, "at" | "lasts" | "code">;
  /** False: the load was over before the planned call. */
  readonly isHit: boolean;
  /** The load went on in spite of it. */
  readonly isTolerated: boolean;
  /** What was not as it should be; empty: nothing. */
  readonly problem: string;
}

export interface FaultSeries {
  readonly rounds: readonly FaultRound[];
  /** Kinds of files all of whose calls were failed. */
  readonly finished: number;
  readonly version: number;
}

interface Point {
  readonly kind: string;
  readonly plan: Pick<FaultPlan, "at" | "lasts" | "code">;
}

/**
 * Loads the next version beside the one that serves, again and again, with another file system call failing each time; then once more
 * without a fault. `points` says which; undefined: every call, in turn, with every code, until the time is over.
 */
export async function failEveryCall(rig: Rig, endMs: number, points?: readonly Point[]): Promise<FaultSeries> {
  const rounds: FaultRound[] = [];
  let version = 1;
  let finished = 0;
  const next = async (point: Point): Promise<FaultRound> => {
    version += 1;
    const round = await oneRound(rig, version, point);
    rounds.push(round);
    return round;
  };
  if (points !== undefined) {
    for (const point of points) await next(point);
    return { rounds, finished, version };
  }
  for (const kind of Object.keys(DIGITS_FILES)) {
    for (const lasts of ["once", "on"] as const) {
      for (let at = 0, isHit = true; isHit && monotonicMs() < endMs; at++) {
        const code = FAULT_CODES[at % FAULT_CODES.length]!;
        ({ isHit } = await next({ kind, plan: { at, lasts, code } }));
        if (!isHit) finished += 1;
      }
    }
  }
  return { rounds, finished, version };
}

async function oneRound(rig: Rig, version: number, { kind, plan }: Point): Promise<FaultRound> {
  const { server, folder } = rig;
  folder.publishFiles(MODEL, version, DIGITS_FILES[kind]!);
  const faults = createFaultSwitch(folder.faultPlan, folder.path);
  faults.arm(plan);
  const first = await loadModel(server.url, MODEL);
  const isHit = faults.calls().length > plan.at;
  const call = faults.calls()[plan.at] ?? "";
  faults.disarm();
  const told = [first.error, ...(await repositoryIndex(server.url)).map(({ reason }) => reason)].join("\n");
  const during = await askDigits(server.url, MODEL);
  const retried = await loadModel(server.url, MODEL);
  const after = await askDigits(server.url, MODEL);
  folder.retire(MODEL, version - 1);
  const problems: string[] = [];
  if (first.isOk && during.version !== version) problems.push("said to be loaded, but is not");
  if (!first.isOk && during.version !== version - 1) problems.push("version changed by a failed load");
  if (!first.isOk && !(WORDS[plan.code].test(told) && FILE.test(told))) problems.push(`told: ${told}`);
  if (!during.isRight) problems.push(`then answered: ${during.status} ${during.detail}`);
  if (!retried.isOk) problems.push(`the retry: ${retried.error}`);
  if (!after.isRight || after.version !== version)
    problems.push(`after the retry version ${after.version} answered: ${after.status} ${after.detail}`);
  const where = `${kind}, ${plan.code} at ${call} (${plan.at}, ${plan.lasts})`;
  const problem = problems.length === 0 ? "" : `${where}: ${problems.join("; ")}`;
  return { kind, plan, isHit, isTolerated: isHit && first.isOk, problem };
}
