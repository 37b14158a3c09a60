import { BATCH_SIZE, DIGITS_FILES } from "../digits-files.ts";
import { startDigitsProbe } from "../digits-probe.ts";
import { FAULT_CODES } from "../fault-plan.ts";
import { type FaultPoint, type FaultSeries, failEveryCall, failOneCall } from "../fault-points.ts";
import { fillDisk } from "../full-disk.ts";
import { monotonicMs } from "../monotonic.ts";
import { atLeast, exactly, type Finding, type Procedure, type Rig } from "../procedure.ts";
import { ADMIN_TOKEN } from "../repository-client.ts";
import { leaksSince, restingFacts } from "../resting-facts.ts";

const SHORT_POINTS = 3;
const SHORT_CALLS = 60;
const SHORT_ROOMS: readonly number[] = [0.6];
const ROOMS: readonly number[] = Array.from({ length: 48 }, (_, index) => index / 48);
const SPARES = 2;
const MOST_PROBLEMS = 10;
const KINDS = Object.keys(DIGITS_FILES);

/** F12: the file system fails, or is full, while a new version is loaded beside the one that serves. */
export const disk: Procedure = {
  id: "F12",
  title: "failing file system at load",
  flags: [
    "--model-control=explicit",
    "--load-models=digits",
    `--admin-token=${ADMIN_TOKEN}`,
    `--spare-workers=${SPARES}`,
  ],
  runtime: "onnx",
  prepare(folder) {
    folder.publishFiles("digits", 1, DIGITS_FILES[KINDS[0]!]!);
    folder.configure("digits", { max_batch_size: BATCH_SIZE });
  },
  run: async (rig) => [...(await failCalls(rig)), ...(await fillUp(rig))],
};

async function failCalls(rig: Rig): Promise<Finding[]> {
  const { isShort, budgetMs } = rig.effort;
  const probe = startDigitsProbe(rig.server.url, "digits");
  // The first load also opens the connections that later ones use again.
  const first = await failOneCall(rig, 2, { kind: KINDS[0]!, plan: { at: 0, lasts: "once", code: "EIO" } });
  const before = await restingFacts(rig.server, 1 + SPARES);
  const { rounds, finished } = isShort
    ? await failDrawnCalls(rig, 2)
    : await failEveryCall(rig, 2, monotonicMs() + budgetMs);
  const failed = await probe.stop();
  const problems = [first, ...rounds].map(({ problem }) => problem).filter((problem) => problem !== "");
  return [
    atLeast("loads with a failing call", rounds.filter(({ isHit }) => isHit).length, { min: 1 }),
    atLeast("series in which every call failed in turn", finished, {
      min: isShort ? 0 : 2 * KINDS.length,
      kind: "pace",
    }),
    exactly("loads that did not end as they should", textOf(problems), "0"),
    atLeast("answers meanwhile", probe.answers, { min: 1 }),
    exactly("failed requests meanwhile", failed, "0"),
    ...(await leaksSince(rig.server, before)),
  ];
}

async function failDrawnCalls(rig: Rig, version: number): Promise<FaultSeries> {
  const rounds: FaultSeries["rounds"][number][] = [];
  while (rounds.length < SHORT_POINTS) {
    rounds.push(await failOneCall(rig, version + 1 + rounds.length, drawPoint(rig)));
  }
  return { rounds, finished: 0 };
}

function drawPoint({ random }: Rig): FaultPoint {
  return {
    kind: random.pick(KINDS),
    plan: {
      at: random.integer(0, SHORT_CALLS),
      lasts: random.pick(["once", "on"] as const),
      code: random.pick(FAULT_CODES),
    },
  };
}

async function fillUp(rig: Rig): Promise<Finding[]> {
  const result = await fillDisk(rig, rig.effort.isShort ? SHORT_ROOMS : ROOMS);
  if (typeof result === "string") return [exactly("full disk", `skipped: ${result}`, `skipped: ${result}`)];
  const { copies, problems, answers, failed } = result;
  return [
    atLeast("copies to a disk with too little room", copies, { min: 1 }),
    exactly("copies that did not end as they should", textOf(problems), "0"),
    atLeast("answers meanwhile, full disk", answers, { min: 1 }),
    exactly("failed requests meanwhile, full disk", failed, "0"),
  ];
}

function textOf(problems: readonly string[]): string {
  return problems.length === 0 ? "0" : `${problems.length} (${problems.slice(0, MOST_PROBLEMS).join("\n")})`;
}
