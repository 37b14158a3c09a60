import { failuresWithReasons, publishCalibrated, sumOf } from "../calibration.ts";
import { readJournal } from "../journal.ts";
import type { LoadStream } from "../load-plan.ts";
import { monotonicMs, sleep, until } from "../monotonic.ts";
import { atLeast, atMost, exactly, type Finding, type Procedure, type Rig } from "../procedure.ts";
import { childrenOf, isAlive, openFiles } from "../process-facts.ts";

const KILLS = 200;
const SHORT_KILLS = 4;
const RESTART_LIMIT_MS = 500;
const PATIENCE_MS = 60_000;
/** Both protocols together half of what one instance can do. */
const LOAD = 0.125;
/** Room for what waits while both instances are away. */
const QUEUE_SIZE = 1_000;

/** F5: workers are killed one after the other under load; no client notices. */
export const killLoop: Procedure = {
  id: "F5",
  title: "kill -9 of workers under load",
  prepare: (folder, calibration) =>
    publishCalibrated(folder, "main", { calibration, options: { max_queue_size: QUEUE_SIZE } }),
  async run(rig) {
    const { isShort, budgetMs } = rig.effort;
    await rig.load(500, streams(rig));
    const before = { files: openFiles(rig.server.pid), children: childrenOf(rig.server.pid).length };
    const load = rig.startLoad(budgetMs + PATIENCE_MS, streams(rig));
    await sleep(300);
    const backMs: number[] = [];
    const endMs = monotonicMs() + budgetMs;
    while (backMs.length < (isShort ? SHORT_KILLS : KILLS) && monotonicMs() < endMs) {
      backMs.push(await killOne(rig));
      await sleep(isShort ? 150 : rig.random.integer(700, 1_700));
    }
    await load.stop();
    const { streams: results } = await load.result;
    const worstMs = Math.max(...backMs);
    return [
      atLeast("kills", backMs.length, { min: isShort ? 2 : KILLS, kind: isShort ? "must" : "pace" }),
      exactly("failed requests", failuresWithReasons(results), "0"),
      exactly(
        "wrong answers",
        sumOf(results, (stream) => stream.wrong),
        0,
      ),
      atMost("back after a kill, slowest", worstMs, { max: RESTART_LIMIT_MS, unit: " ms", kind: "pace" }),
      atMost("back after a kill at all", worstMs, { max: PATIENCE_MS, unit: " ms" }),
      ...(await leaks(rig, before)),
    ];
  },
};

function streams({ calibration }: Rig): LoadStream[] {
  const common = { model: "main", perSecond: LOAD * calibration.capacity };
  return [
    { ...common, name: "rest", protocol: "rest", connections: 100 },
    { ...common, name: "grpc", protocol: "grpc", connections: 2 },
  ];
}

/** Kills a worker that has the model loaded; resolves with how long its place stayed empty. */
async function killOne(rig: Rig): Promise<number> {
  const loads = () => readJournal(rig.folder.journalOf("main")).loads;
  const before = loads();
  const victim = rig.random.pick(before.map((load) => load.pid).filter(isAlive));
  const atMs = monotonicMs();
  process.kill(victim, "SIGKILL");
  const isBack = await until(() => loads().length > before.length, { withinMs: PATIENCE_MS });
  return isBack ? loads().at(-1)!.atMs - atMs : Number.POSITIVE_INFINITY;
}

/** Once the spare was replaced and the load's connections are gone, all is as before. */
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
