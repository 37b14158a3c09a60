import { failuresWithReasons, maxOf, outcomesOf, sumOf } from "../calibration.ts";
import type { LoadStream } from "../load-plan.ts";
import { monotonicMs, until } from "../monotonic.ts";
import { atLeast, atMost, exactly, type Finding, type Procedure, type Rig } from "../procedure.ts";
import { residentBytes } from "../process-facts.ts";

const MIB = 1024 * 1024;
const RELOADS = 300;
const SHORT_RELOADS = 4;
/** By then the front's young generation, which may have 64 MiB, is as large as this load makes it. */
const SETTLED_AFTER = 150;
const RELOAD_LIMIT_MS = 30_000;
const SLEEP_MS = 2;
const BATCH_ROWS = 4;
/** Requests have up to three batches of rows, six and a half rows on average: together a third of what one version can do. */
const PER_SECOND = 100;
const SLOWEST_MS = 1_000;

/** F14: new versions take over under load, one after the other; nobody fails, and no answer comes from two of them. */
export const reload: Procedure = {
  id: "F14",
  title: "hot reload under load",
  flags: ["--model-control=poll", "--poll-interval=100ms", "--spare-workers=2"],
  prepare: (folder) =>
    folder.publish("main", 1, {
      model: { sleepMs: SLEEP_MS },
      options: { instances: 1, max_batch_size: BATCH_ROWS, warmup_runs: 0, max_queue_size: 2_000 },
    }),
  async run(rig) {
    const { isShort, budgetMs } = rig.effort;
    const load = rig.startLoad(budgetMs + 2 * RELOAD_LIMIT_MS, streams());
    const wanted = isShort ? SHORT_RELOADS : RELOADS;
    const endMs = monotonicMs() + (isShort ? Number.POSITIVE_INFINITY : budgetMs);
    let version = 1;
    let settledBytes = residentBytes(rig.server.pid);
    let isStuck = false;
    while (version <= wanted && monotonicMs() < endMs && !isStuck) {
      version += 1;
      rig.folder.publish("main", version, { model: { sleepMs: SLEEP_MS } });
      isStuck = !(await takesOver(rig, version));
      if (version > 2) rig.folder.retire("main", version - 2);
      if (version === SETTLED_AFTER) settledBytes = residentBytes(rig.server.pid);
    }
    const grownMib = (residentBytes(rig.server.pid) - settledBytes) / MIB;
    await load.stop();
    const { streams: results } = await load.result;
    const since = version > SETTLED_AFTER ? `since reload ${SETTLED_AFTER}` : "since the start";
    return [
      atLeast("reloads", version - 1, { min: wanted, kind: "pace" }),
      exactly("a version did not take over", String(isStuck), "false"),
      ...judge(results),
      atMost(`memory grown ${since}`, grownMib, { max: isShort ? 128 : 32, unit: " MiB" }),
    ];
  },
};

function judge(results: Parameters<typeof sumOf>[0]): Finding[] {
  return [
    atLeast("answers", outcomesOf(results, /^ok$/), { min: 1 }),
    // Above it, requests queue up: the machine is too busy for the load, and old versions drain for long.
    atMost("slowest answer", maxOf(results, "okMs", "max"), { max: SLOWEST_MS, unit: " ms", kind: "pace" }),
    exactly("failed requests", failuresWithReasons(results), "0"),
    exactly(
      "wrong answers",
      sumOf(results, (stream) => stream.wrong),
      0,
    ),
    exactly(
      "answers of mixed versions",
      sumOf(results, (stream) => stream.mixed),
      0,
    ),
    exactly(
      "versions going back on a connection",
      sumOf(results, (stream) => stream.backwards),
      0,
    ),
  ];
}

/** Requests of up to twelve rows: three runs, which may not be of different versions. */
function streams(): LoadStream[] {
  const common = { model: "main", rows: [1, 3 * BATCH_ROWS] as const, tagIsVersion: true };
  return [
    { ...common, name: "rest", protocol: "rest", perSecond: 0.4 * PER_SECOND, connections: 60 },
    { ...common, name: "grpc", protocol: "grpc", perSecond: 0.3 * PER_SECOND, connections: 2 },
    { ...common, name: "stream", protocol: "grpc-stream", perSecond: 0.3 * PER_SECOND, connections: 2 },
  ];
}

function takesOver({ server }: Rig, version: number): Promise<boolean> {
  const url = `${server.url}/v2/models/main/versions/${version}/ready`;
  return until(async () => (await fetch(url)).ok, { withinMs: RELOAD_LIMIT_MS, everyMs: 20 });
}
