import { bothProtocols, failuresWithReasons, publishCalibrated, streamsOf, sumOf } from "../calibration.ts";
import { readJournal } from "../journal.ts";
import type { LoadResult, LoadStream } from "../load-plan.ts";
import { monotonicMs, sleep, until } from "../monotonic.ts";
import { atLeast, atMost, exactly, type Finding, type Procedure, type Rig } from "../procedure.ts";
import { childrenOf, openFiles } from "../process-facts.ts";
import { createRestTransport } from "../rest-transport.ts";
import { makeRow, rowId } from "../row.ts";

const HOUR_MS = 3_600_000;
/** Shorter than every stop: a run that is under way has no time left by the real clock. */
const EXECUTION_TIMEOUT_MS = 1_200;
/** A run that every stop finds under way. */
const LONG_RUN_MS = 700;
const SHORT_STOP_MS = 2_000;
const STOP_MS = 10_000;
/** The front wakes up first and finds its workers silent. */
const WORKERS_LATER_MS = 250;
const ROUNDS = 3;
const PATIENCE_MS = 60_000;
/** A hundred times what an answer takes; less than a stop, so that a server that takes that for the model's pace rejects all of them. */
const DEADLINE_MS = [4_000, 8_000] as const;
/** Beside other tests everything may take seconds. */
const SHORT_DEADLINE_MS = [10_000, 15_000] as const;
const LOAD = 0.15;

/** F18: the wall clock jumps by an hour, and the server is stopped for longer than its time limits: nobody is held to time that did not pass. */
export const clock: Procedure = {
  id: "F18",
  title: "clock jumps and suspension",
  flags: ["--health-address=127.0.0.1:0"],
  prepare(folder, calibration) {
    const options = { execution_timeout: `${EXECUTION_TIMEOUT_MS}ms`, max_queue_size: 10_000 };
    publishCalibrated(folder, "main", { calibration, options });
    folder.publish("long", 1, {
      model: { sleepMs: LONG_RUN_MS },
      options: { ...options, instances: 1, warmup_runs: 0 },
    });
  },
  async run(rig) {
    await rig.load(300, inTime(rig));
    const { pid } = rig.server;
    const before = { files: openFiles(pid), children: childrenOf(pid).length };
    const findings = await jumps(rig);
    const { isShort } = rig.effort;
    const loadsBefore = loads(rig);
    for (let round = 0; round < (isShort ? 1 : ROUNDS); round++) {
      findings.push(...(await suspension(rig, "server and workers", () => [pid, ...childrenOf(pid)])));
      if (!isShort) findings.push(...(await suspension(rig, "the server alone", () => [pid])));
    }
    const files = (): number => openFiles(pid) - before.files;
    const children = (): number => childrenOf(pid).length - before.children;
    await until(() => files() <= 2 && children() === 0, { withinMs: PATIENCE_MS, everyMs: 50 });
    return [
      ...findings,
      exactly("workers that were replaced", loads(rig) - loadsBefore, 0),
      atMost("file descriptors more than before", files(), { max: 2 }),
      exactly("child processes more than before", children(), 0),
    ];
  },
};

/** Rows of long runs are told apart by it. */
let stops = 0;

/** Requests with deadlines, which a wrong clock or a wrong estimate would refuse. */
function inTime({ calibration, effort }: Rig): LoadStream[] {
  return bothProtocols({
    name: "in time",
    model: "main",
    perSecond: LOAD * calibration.capacity,
    connections: 50,
    timeoutMs: effort.isShort ? SHORT_DEADLINE_MS : DEADLINE_MS,
  });
}

/** Requests that wait as long as it takes. */
function patient({ calibration }: Rig): LoadStream[] {
  return bothProtocols({
    name: "patient",
    model: "main",
    perSecond: LOAD * calibration.capacity,
    connections: 200,
  });
}

async function jumps(rig: Rig): Promise<Finding[]> {
  const { server, effort } = rig;
  const stepMs = effort.isShort ? 300 : Math.min(10_000, effort.budgetMs / 6);
  const load = rig.startLoad(3 * stepMs + PATIENCE_MS, [...inTime(rig), ...patient(rig)]);
  await sleep(stepMs);
  server.shiftClock(HOUR_MS);
  await sleep(stepMs);
  let ahead = 0;
  const isAhead = async (): Promise<boolean> => {
    ahead = (await lastInferenceMs(rig)) - Date.now();
    return ahead > HOUR_MS - PATIENCE_MS;
  };
  await until(isAhead, { withinMs: PATIENCE_MS, everyMs: 20 });
  server.shiftClock(-HOUR_MS);
  await sleep(stepMs);
  server.shiftClock(0);
  await load.stop();
  return [
    atLeast("the server's wall clock was ahead by", ahead, { min: HOUR_MS - PATIENCE_MS, unit: " ms" }),
    ...judge("clock jumps", await load.result),
  ];
}

async function suspension(rig: Rig, who: string, pids: () => readonly number[]): Promise<Finding[]> {
  const stopMs = rig.effort.isShort ? SHORT_STOP_MS : STOP_MS;
  const { server } = rig;
  const load = rig.startLoad(stopMs + 2 * PATIENCE_MS, patient(rig));
  await sleep(300);
  const transport = createRestTransport(server.url, 1);
  const row = makeRow({ stream: 255, sequence: stops++ }, rig.random);
  const underWay = transport.ask({ model: "long", rows: [row] }).done;
  await until(
    () => readJournal(rig.folder.journalOf("long")).runs.some(({ rows }) => rows[0] === rowId(row)),
    {
      withinMs: PATIENCE_MS,
    },
  );
  const [front, ...workers] = pids();
  const stopped = [front!, ...workers];
  for (const pid of stopped) process.kill(pid, "SIGSTOP");
  await sleep(stopMs);
  process.kill(front!, "SIGCONT");
  const wokenMs = monotonicMs();
  const readyAfter = (url: string): Promise<number> =>
    until(async () => (await fetch(`${url}/v2/health/ready`)).ok, { withinMs: PATIENCE_MS }).then(
      (isReady) => (isReady ? monotonicMs() - wokenMs : Number.POSITIVE_INFINITY),
    );
  const ready = Promise.all([readyAfter(server.url), readyAfter(server.healthUrl)]);
  await sleep(WORKERS_LATER_MS);
  for (const pid of workers) process.kill(pid, "SIGCONT");
  const readyMs = Math.max(...(await ready));
  const { outcome } = await underWay;
  transport.close();
  // Not before the queue that built up is gone.
  await sleep(rig.effort.isShort ? 600 : 3_000);
  const after = await rig.load(rig.effort.isShort ? 800 : 5_000, inTime(rig));
  await load.stop();
  const what = `${who} stopped for ${stopMs / 1000} s`;
  return [
    exactly(`a run that was under way, ${what}`, outcome, "ok"),
    ...judge(what, await load.result),
    ...judge(`after ${what}`, after),
    atMost(`ready again, ${what}`, readyMs, { max: 1_000, unit: " ms", kind: "pace" }),
    atMost(`ready at all, ${what}`, readyMs, { max: PATIENCE_MS, unit: " ms" }),
  ];
}

function judge(what: string, result: LoadResult): Finding[] {
  const all = streamsOf(result, "");
  const [tight, patient] = ["in time", "patient"].map((name) => failuresWithReasons(streamsOf(result, name)));
  return [
    // On a busy machine deadlines do pass.
    { ...exactly(`failed requests with deadlines, ${what}`, tight!, "0"), kind: "pace" },
    exactly(`other failed requests, ${what}`, patient!, "0"),
    exactly(
      `wrong answers, ${what}`,
      sumOf(all, (stream) => stream.wrong),
      0,
    ),
  ];
}

function loads({ folder }: Rig): number {
  return ["main", "long"].reduce((sum, model) => sum + readJournal(folder.journalOf(model)).loads.length, 0);
}

/** By the server's wall clock. */
async function lastInferenceMs({ server }: Rig): Promise<number> {
  const response = await fetch(`${server.url}/v2/models/main/stats`);
  const { model_stats: stats } = (await response.json()) as {
    readonly model_stats: readonly [{ readonly last_inference: number }];
  };
  return stats[0].last_inference;
}
