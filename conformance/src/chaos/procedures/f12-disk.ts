import { DIGITS_FILES } from "../digits-files.ts";
import { startDigitsProbe } from "../digits-probe.ts";
import { FAULT_CODES } from "../fault-plan.ts";
import { failEveryCall } from "../fault-points.ts";
import { monotonicMs, until } from "../monotonic.ts";
import { atLeast, atMost, exactly, type Finding, type Procedure, type Rig } from "../procedure.ts";
import { childrenOf, openFiles } from "../process-facts.ts";
import { ADMIN_TOKEN } from "../repository-client.ts";

const SHORT_POINTS = 6;
const SHORT_CALLS = 60;
const PATIENCE_MS = 20_000;

/** F12: the file system fails while a new version is loaded beside the one that serves. */
export const disk: Procedure = {
  id: "F12",
  title: "failing file system at load",
  flags: ["--model-control=explicit", "--load-models=digits", `--admin-token=${ADMIN_TOKEN}`],
  runtime: "onnx",
  prepare: (folder) => folder.publishFiles("digits", 1, DIGITS_FILES["exported program"]!),
  async run(rig) {
    const { isShort, budgetMs } = rig.effort;
    const before = { files: openFiles(rig.server.pid), children: childrenOf(rig.server.pid).length };
    const probe = startDigitsProbe(rig.server.url, "digits");
    const points = isShort ? drawPoints(rig) : undefined;
    const { rounds, finished } = await failEveryCall(rig, monotonicMs() + budgetMs, points);
    const failed = await probe.stop();
    const problems = rounds.flatMap(({ problem }) => (problem === "" ? [] : [problem]));
    return [
      atLeast("loads with a fault", rounds.filter(({ isHit }) => isHit).length, { min: 3 }),
      atLeast("series in which every call failed in turn", finished, {
        min: isShort ? 0 : 2 * Object.keys(DIGITS_FILES).length,
        kind: "pace",
      }),
      exactly("loads that did not end as they should", problemText(problems), "0"),
      atLeast("answers meanwhile", probe.answers, { min: 10 }),
      exactly("failed requests meanwhile", failed, "0"),
      ...(await leaks(rig, before)),
    ];
  },
};

function problemText(problems: readonly string[]): string {
  return problems.length === 0 ? "0" : `${problems.length} (${problems.slice(0, 20).join("\n")})`;
}

function drawPoints({ random }: Rig): Parameters<typeof failEveryCall>[2] {
  return Array.from({ length: SHORT_POINTS }, () => ({
    kind: random.pick(Object.keys(DIGITS_FILES)),
    plan: {
      at: random.integer(0, SHORT_CALLS),
      lasts: random.pick(["once", "on"] as const),
      code: random.pick(FAULT_CODES),
    },
  }));
}

async function leaks(
  { server }: Rig,
  before: { readonly files: number; readonly children: number },
): Promise<Finding[]> {
  const files = (): number => openFiles(server.pid) - before.files;
  const children = (): number => childrenOf(server.pid).length - before.children;
  await until(() => files() <= 2 && children() === 0, { withinMs: PATIENCE_MS, everyMs: 50 });
  return [
    atMost("file descriptors more than before", files(), { max: 2 }),
    exactly("child processes more than before", children(), 0),
  ];
}
