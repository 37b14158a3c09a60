import { spawnSync } from "node:child_process";
import { publishCalibrated } from "../calibration.ts";
import { type ConnectionFlood, startFlood } from "../connection-flood.ts";
import { readJournal } from "../journal.ts";
import { monotonicMs, sleep, until } from "../monotonic.ts";
import { atLeast, atMost, exactly, type Finding, type Procedure, type Rig } from "../procedure.ts";
import { childrenOf, isAlive, openFiles } from "../process-facts.ts";
import { createRestTransport } from "../rest-transport.ts";
import { makeRow } from "../row.ts";
import type { Reply, Transport } from "../transport.ts";

/** Changes the limit of a process that runs. */
const PRLIMIT = "/usr/bin/prlimit";
const OPEN_FILES = 256;
const FLOOD = 400;
const RECOVERY_MS = 1_000;
const PATIENCE_MS = 60_000;
/** Longer than five tries to start a worker take. */
const EXHAUSTED_MS = 3_000;
const NEWCOMER_MS = 1_000;
const STRAYS = 2;

/** F20: more connections than the server may have descriptors; and, apart from that, none left to start a worker with. */
export const fileDescriptors: Procedure = {
  id: "F20",
  title: "file descriptors run out",
  flags: ["--model-control=poll", "--poll-interval=100ms", "--health-address=127.0.0.1:0"],
  openFiles: OPEN_FILES,
  prepare: (folder, calibration) => publishCalibrated(folder, "main", { calibration }),
  async run(rig) {
    const transport = createRestTransport(rig.server.url, 1);
    try {
      const { outcome } = await ask(rig, transport);
      const base = openFiles(rig.server.pid);
      return [
        exactly("answered before", outcome, "ok"),
        ...(await flooded(rig, transport)),
        ...(await exhausted(rig)),
        ...(await leaks(rig, base)),
      ];
    } finally {
      transport.close();
    }
  },
};

async function ask(
  { random }: Rig,
  transport: Transport,
  withinMs: number = PATIENCE_MS,
): Promise<Pick<Reply, "outcome" | "version">> {
  const row = makeRow({ stream: 0, sequence: 0 }, random);
  const sent = transport.ask({ model: "main", rows: [row] });
  const timer = setTimeout(() => sent.cancel(), withinMs);
  return sent.done.finally(() => clearTimeout(timer));
}

async function flooded(rig: Rig, transport: Transport): Promise<Finding[]> {
  const flood = startFlood(rig.server.url, FLOOD);
  try {
    await until(() => flood.refused() >= FLOOD, { withinMs: PATIENCE_MS });
    const files = openFiles(rig.server.pid);
    const restartMs = await killOne(rig);
    const switchMs = await nextVersion(rig, transport);
    if (!rig.effort.isShort) await sleep(rig.effort.budgetMs / 2);
    const during = await ask(rig, transport);
    const ready = await readiness(rig);
    const refused = flood.refused();
    return [
      atLeast("connections refused", refused, { min: FLOOD }),
      atLeast("descriptors in use", files, { min: OPEN_FILES / 2 }),
      atMost("descriptors in use, with some left for workers", files, { max: 0.8 * OPEN_FILES }),
      exactly("answered meanwhile on a connection that was there", during.outcome, "ok"),
      exactly("readiness meanwhile, on the health port", ready, "200"),
      atMost("a killed worker was back after", restartMs, { max: PATIENCE_MS, unit: " ms" }),
      atMost("a new version took over after", switchMs, { max: PATIENCE_MS, unit: " ms" }),
      ...(await recovered(rig, flood)),
    ];
  } finally {
    flood.end();
  }
}

async function readiness({ server }: Rig): Promise<string> {
  const signal = AbortSignal.timeout(NEWCOMER_MS);
  const answer = await fetch(`${server.healthUrl}/v2/health/ready`, { signal }).catch(String);
  return typeof answer === "string" ? answer : String(answer.status);
}

async function recovered(rig: Rig, flood: ConnectionFlood): Promise<Finding[]> {
  flood.end();
  const startMs = monotonicMs();
  const isBack = await until(() => answersNewcomer(rig), { withinMs: PATIENCE_MS });
  const backMs = isBack ? monotonicMs() - startMs : Number.POSITIVE_INFINITY;
  return [
    atMost("a new connection answered after the flood", backMs, {
      max: RECOVERY_MS,
      unit: " ms",
      kind: "pace",
    }),
    atMost("a new connection answered after the flood at all", backMs, { max: PATIENCE_MS, unit: " ms" }),
  ];
}

/** Whether a connection that is opened now is served. */
async function answersNewcomer(rig: Rig): Promise<boolean> {
  const transport = createRestTransport(rig.server.url, 1);
  const { outcome } = await ask(rig, transport, NEWCOMER_MS);
  transport.close();
  return outcome === "ok";
}

/** Kills a worker that has the model loaded; resolves with how long its place stayed empty. */
async function killOne(rig: Rig): Promise<number> {
  const loads = () => readJournal(rig.folder.journalOf("main")).loads;
  const before = loads();
  const atMs = monotonicMs();
  process.kill(rig.random.pick(before.map(({ pid }) => pid).filter(isAlive)), "SIGKILL");
  const isBack = await until(() => loads().length > before.length, { withinMs: PATIENCE_MS });
  return isBack ? loads().at(-1)!.atMs - atMs : Number.POSITIVE_INFINITY;
}

async function nextVersion(rig: Rig, transport: Transport): Promise<number> {
  const startMs = monotonicMs();
  publishCalibrated(rig.folder, "main", { calibration: rig.calibration, version: 2 });
  const hasSwitched = async (): Promise<boolean> => (await ask(rig, transport)).version === 2;
  const isDone = await until(hasSwitched, { withinMs: PATIENCE_MS, everyMs: 20 });
  return isDone ? monotonicMs() - startMs : Number.POSITIVE_INFINITY;
}

/** Every worker dies while the server has not one descriptor left for another. */
async function exhausted(rig: Rig): Promise<Finding[]> {
  const { pid } = rig.server;
  const what = "every worker killed without a descriptor left: back after";
  const problem = limitFiles(pid, 1);
  if (problem !== undefined) {
    return [{ what, target: "run", measured: `skipped: ${problem}`, isMet: false, kind: "pace" }];
  }
  for (const child of childrenOf(pid)) process.kill(child, "SIGKILL");
  await sleep(EXHAUSTED_MS);
  limitFiles(pid, OPEN_FILES);
  const startMs = monotonicMs();
  const isBack = await until(() => answersNewcomer(rig), { withinMs: PATIENCE_MS, everyMs: 20 });
  const backMs = isBack ? monotonicMs() - startMs : Number.POSITIVE_INFINITY;
  return [
    atMost(what, backMs, { max: PATIENCE_MS, unit: " ms" }),
    atMost("and in time", backMs, { max: 2 * RECOVERY_MS, unit: " ms", kind: "pace" }),
  ];
}

/** What went wrong; undefined: nothing. */
function limitFiles(pid: number, count: number): string | undefined {
  const { error, status, stderr } = spawnSync(PRLIMIT, [`--pid=${pid}`, `--nofile=${count}:`], {
    encoding: "utf8",
  });
  if (error !== undefined) return error.message;
  return status === 0 ? undefined : stderr.trim();
}

async function leaks({ server }: Rig, base: number): Promise<Finding[]> {
  const more = (): number => openFiles(server.pid) - base;
  await until(() => more() <= STRAYS, { withinMs: PATIENCE_MS, everyMs: 50 });
  return [atMost("file descriptors more than before", more(), { max: STRAYS })];
}
