import { bothProtocols, failuresOf, publishCalibrated, sumOf } from "../calibration.ts";
import { readJournal } from "../journal.ts";
import type { LoadResult, LoadStream } from "../load-plan.ts";
import { atLeast, atMost, exactly, type Finding, type Procedure, type Rig } from "../procedure.ts";

const CONNECTIONS = 800;
/** Enough that who stays waits much longer than the news of a leaving takes. */
const OVERLOAD = 2;
const QUEUE_SIZE = 512;
/** How long the news of a client's leaving may take, through two processes and a socket. */
const NEWS_MS = 5;

/** F3: nobody runs what nobody waits for any more. */
export const deadWork: Procedure = {
  id: "F3",
  title: "dead work",
  prepare: (folder, calibration) =>
    publishCalibrated(folder, "main", { calibration, options: { max_queue_size: QUEUE_SIZE } }),
  async run(rig) {
    const durationMs = rig.effort.isShort ? 2_000 : rig.effort.budgetMs / 2;
    const { serviceMs, capacity } = rig.calibration;
    const perSecond = OVERLOAD * capacity;
    const leaving = streams({ perSecond, cancelShare: 0.5, cancelAfterMs: [5, 3 * serviceMs] });
    const hasty = streams({ perSecond, timeoutMs: [serviceMs / 2, 2 * serviceMs] });
    return [
      ...judge(rig, await rig.load(durationMs, leaving), "half of the clients leave: "),
      ...judge(rig, await rig.load(durationMs, hasty), "deadlines of ½–2 × service: "),
    ];
  },
};

function streams(load: Partial<LoadStream> & Pick<LoadStream, "perSecond">): LoadStream[] {
  return bothProtocols({ name: "impatient", model: "main", connections: CONNECTIONS, ...load });
}

function judge(rig: Rig, result: LoadResult, when: string): Finding[] {
  const deadAt = new Map(result.streams.flatMap((stream) => stream.dead));
  const runs = readJournal(rig.folder.journalOf("main")).runs.filter((run) => run.atMs >= result.startMs);
  const executed = runs.reduce((sum, run) => sum + run.rows.length, 0);
  const isDead = (row: string, atMs: number): boolean =>
    atMs > (deadAt.get(row) ?? Number.POSITIVE_INFINITY) + NEWS_MS;
  const dead = runs.reduce((sum, run) => sum + run.rows.filter((row) => isDead(row, run.atMs)).length, 0);
  const deadShare = (dead / Math.max(1, executed)) * 100;
  const ran = new Set(runs.flatMap((run) => run.rows));
  const spared = [...deadAt.keys()].filter((row) => !ran.has(row)).length;
  const explained = /^(ok|cancelled|503 queue_full|14 queue_full|504 .*|4 .*)$/;
  return [
    atLeast(`${when}rows nobody waited for`, deadAt.size, { min: 1 }),
    atLeast(`${when}rows run`, executed, { min: 1 }),
    atMost(`${when}run ${NEWS_MS} ms or more after that`, deadShare, {
      max: 0.1,
      unit: " %",
      kind: "pace",
    }),
    atLeast(`${when}never run`, spared, { min: 1 }),
    exactly(`${when}unexplained failures`, failuresOf(result.streams, explained), 0),
    exactly(
      `${when}wrong answers`,
      sumOf(result.streams, (stream) => stream.wrong),
      0,
    ),
  ];
}
