import { BATCH_SIZE, DIGITS_FILES } from "./digits-files.ts";
import { askDigits, type DigitsAnswer } from "./digits-probe.ts";
import { createFaultSwitch, FAULT_CODES, type FaultCode, type FaultPlan } from "./fault-plan.ts";
import { monotonicMs } from "./monotonic.ts";
import type { Rig } from "./procedure.ts";
import { batchSizeOf, loadModel, repositoryIndex } from "./repository-client.ts";

const MODEL = "digits";

/** What an operator must find in the error, by what the file system said. */
const WORDS: Readonly<Record<FaultCode, RegExp>> = {
  EIO: /read error/,
  ENOSPC: /the disk is full/,
  EMFILE: /too many open files/,
  EACCES: /permission denied/,
  ENOENT: /does not exist|is gone|is missing/,
};
const FILE =
  /(?:model\.(?:pt2|pt|onnx|yaml)|digits\.safetensors|weights\.bin|the folder \w+|models) (?:cannot be read|is missing|is gone)/;

/** A load and the file system call that fails in it. */
export interface FaultPoint {
  /** A key of DIGITS_FILES. */
  readonly kind: string;
  readonly plan: Pick<FaultPlan, "at" | "lasts" | "code">;
}

/** What became of one fault. */
export interface FaultRound {
  /** False: the load was over before the planned call. */
  readonly isHit: boolean;
  /** The load went on in spite of it. */
  readonly isTolerated: boolean;
  /** What was not as it should be; empty: nothing. */
  readonly problem: string;
}

/** Every call of every kind of load, in turn; one error code each, once or from there on. A load without the call ends its series. */
export async function failEveryCall(rig: Rig, version: number, endMs: number): Promise<FaultSeries> {
  const rounds: FaultRound[] = [];
  let finished = 0;
  for (const lasts of ["once", "on"] as const) {
    for (const kind of Object.keys(DIGITS_FILES)) {
      let isHit = true;
      for (let at = 0; isHit && monotonicMs() < endMs; at++) {
        const code = FAULT_CODES[at % FAULT_CODES.length]!;
        const round = await failOneCall(rig, ++version, { kind, plan: { at, lasts, code } });
        rounds.push(round);
        ({ isHit } = round);
      }
      if (!isHit) finished += 1;
    }
  }
  return { rounds, finished };
}

export interface FaultSeries {
  readonly rounds: readonly FaultRound[];
  /** Kinds of loads all of whose calls have failed in turn. */
  readonly finished: number;
}

/** Loads a version beside the one before it while a call fails, then once more without a fault. */
export async function failOneCall(
  rig: Rig,
  version: number,
  { kind, plan }: FaultPoint,
): Promise<FaultRound> {
  const { server, folder } = rig;
  folder.publishFiles(MODEL, version, DIGITS_FILES[kind]!);
  const faults = createFaultSwitch(folder.faultPlan, folder.path);
  faults.arm(plan);
  const first = await loadModel(server.url, MODEL);
  const calls = faults.calls();
  faults.disarm();
  const reasons = (await repositoryIndex(server.url)).map(({ reason }) => reason);
  const during = await askDigits(server.url, MODEL);
  const retried = await loadModel(server.url, MODEL);
  const after = await askDigits(server.url, MODEL);
  const batchSize = await batchSizeOf(server.url, MODEL);
  folder.retire(MODEL, version - 1);
  const isHit = calls.length > plan.at;
  const problems = [
    ...problemsDuring({ version, code: plan.code, first, during, reasons }),
    ...(retried.isOk ? [] : [`the retry: ${retried.error}`]),
    ...(after.isRight && after.version === version ? [] : [`after the retry: ${textOf(after)}`]),
    ...(batchSize === BATCH_SIZE ? [] : [`max_batch_size is ${batchSize}`]),
  ];
  const where = `${kind}, ${plan.code} at ${calls[plan.at]} (${plan.at}, ${plan.lasts})`;
  const problem = problems.length === 0 ? "" : `${where}: ${problems.join("; ")}`;
  return { isHit, isTolerated: isHit && first.isOk, problem };
}

function problemsDuring(round: {
  readonly version: number;
  readonly code: FaultCode;
  readonly first: Awaited<ReturnType<typeof loadModel>>;
  readonly during: DigitsAnswer;
  readonly reasons: readonly string[];
}): string[] {
  const { version, code, first, during, reasons } = round;
  const expected = first.isOk ? version : version - 1;
  const problems: string[] = [];
  if (!during.isRight || during.version !== expected)
    problems.push(`the load ${first.isOk ? "succeeded" : "failed"}, then ${textOf(during)}`);
  if (first.isOk) return problems;
  for (const [where, told] of [
    ["the answer", first.error],
    ["the index", reasons.join("\n")],
  ] as const) {
    if (!WORDS[code].test(told) || !FILE.test(told)) problems.push(`${where} says: ${told}`);
  }
  return problems;
}

function textOf({ status, version, detail }: DigitsAnswer): string {
  return `status ${status} of version ${version} ${detail}`;
}
