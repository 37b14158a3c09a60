import { type CorruptLoad, LOAD_LIMIT_MS, loadCorrupt } from "../corrupt-lane.ts";
import { DIGITS_FILES } from "../digits-files.ts";
import { type DigitsProbe, startDigitsProbe } from "../digits-probe.ts";
import { monotonicMs } from "../monotonic.ts";
import { atLeast, atMost, exactly, type Finding, type Procedure, type Rig } from "../procedure.ts";
import { residentBytes } from "../process-facts.ts";
import { leaksSince, restingFacts } from "../resting-facts.ts";

const MIB = 1024 * 1024;
const MODELS: readonly string[] = ["a", "b", "c", "d"];
const SPARES = 2;
const FILES = 100_000;
const SHORT_FILES = 8;
const MOST_SEED = 2 ** 31;
const MOST_PROBLEMS = 10;
/** The server has grown to its working size by then. */
const SETTLED_AFTER = 100;

/** F13: broken files appear beside a version that serves; they load or say why not, and no other model notices. */
export const corrupt: Procedure = {
  id: "F13",
  title: "corrupt model files",
  flags: [
    "--model-control=poll",
    "--poll-interval=100ms",
    `--spare-workers=${SPARES}`,
    `--load-concurrency=${MODELS.length}`,
  ],
  runtime: "onnx",
  prepare(folder) {
    // Not in a model.yaml: that may be the file that is broken.
    folder.configureAll({
      version_policy: "all",
      instances: 1,
      load_timeout: `${LOAD_LIMIT_MS}ms`,
      execution_timeout: "5s",
    });
    for (const model of MODELS) folder.publishFiles(model, 1, DIGITS_FILES["exported program"]!);
  },
  async run(rig) {
    const probes = MODELS.map((model) =>
      startDigitsProbe(rig.server.url, `${model}/versions/1`, { clients: 1, pauseMs: 20 }),
    );
    // The first loads also open the connections that later ones use again.
    const first = await Promise.all(MODELS.map((model) => loadDrawn(rig, model)));
    const before = await restingFacts(rig.server, MODELS.length + SPARES);
    const { loads: others, grownMib } = await loadAll(rig);
    const loads = [...first, ...others];
    return [
      ...judge(rig, loads),
      ...(await judgeOthers(probes)),
      atMost("the front's memory grown", grownMib, { max: 64, unit: " MiB" }),
      ...(await leaksSince(rig.server, before)),
    ];
  },
};

async function loadAll(
  rig: Rig,
): Promise<{ readonly loads: readonly CorruptLoad[]; readonly grownMib: number }> {
  const { isShort, budgetMs } = rig.effort;
  const endMs = monotonicMs() + (isShort ? Number.POSITIVE_INFINITY : budgetMs);
  const wanted = isShort ? SHORT_FILES : FILES;
  const loads: CorruptLoad[] = [];
  let begun = 0;
  let settledBytes = residentBytes(rig.server.pid);
  const lane = async (model: string): Promise<void> => {
    while (begun < wanted && monotonicMs() < endMs && rig.server.exitCode() === undefined) {
      begun += 1;
      loads.push(await loadDrawn(rig, model));
      if (loads.length === SETTLED_AFTER) settledBytes = residentBytes(rig.server.pid);
    }
  };
  await Promise.all(MODELS.map(lane));
  return { loads, grownMib: (residentBytes(rig.server.pid) - settledBytes) / MIB };
}

function loadDrawn(rig: Rig, model: string): Promise<CorruptLoad> {
  return loadCorrupt(rig, model, rig.random.integer(1, MOST_SEED));
}

function judge(rig: Rig, loads: readonly CorruptLoad[]): Finding[] {
  const problems = loads.map(({ problem }) => problem).filter((problem) => problem !== "");
  const slowest = Math.max(...loads.map(({ elapsedMs }) => elapsedMs));
  return [
    atLeast("corrupt files", loads.length, { min: rig.effort.isShort ? SHORT_FILES : FILES, kind: "pace" }),
    exactly("of which", countsOf(loads), countsOf(loads)),
    exactly("without an end", loads.filter(({ outcome }) => outcome === "no end").length, 0),
    atMost("until loaded or refused, slowest", slowest / 1000, { max: LOAD_LIMIT_MS / 1000, unit: " s" }),
    exactly(
      "loads that did not end as they should",
      problems.length === 0 ? "0" : `${problems.length} (${problems.slice(0, MOST_PROBLEMS).join("\n")})`,
      "0",
    ),
    exactly("the front's exit code", String(rig.server.exitCode()), "undefined"),
  ];
}

function countsOf(loads: readonly CorruptLoad[]): string {
  const counts: Record<string, number> = {};
  for (const { outcome } of loads) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return Object.entries(counts)
    .map(([outcome, count]) => `${outcome} ${count}`)
    .sort()
    .join(", ");
}

async function judgeOthers(probes: readonly DigitsProbe[]): Promise<Finding[]> {
  const failed = await Promise.all(probes.map((probe) => probe.stop()));
  return [
    atLeast(
      "answers of the version before",
      probes.reduce((sum, probe) => sum + probe.answers, 0),
      { min: 10 },
    ),
    exactly("failed requests to it", failed.find((text) => text !== "0") ?? "0", "0"),
  ];
}
