import type { Attack, Target } from "../../hostile/attack.ts";
import { ATTACKS } from "../../hostile/attacks.ts";
import { random as hostileRandom } from "../../hostile/random.ts";
import {
  bothProtocols,
  failuresOf,
  maxOf,
  outcomesOf,
  problemsOf,
  publishCalibrated,
  sumOf,
} from "../calibration.ts";
import type { ChaosServer } from "../chaos-server.ts";
import type { LoadStream } from "../load-plan.ts";
import { sleep, until } from "../monotonic.ts";
import { atLeast, atMost, exactly, type Procedure, type Rig } from "../procedure.ts";
import { childrenOf, openFiles, watchMemory } from "../process-facts.ts";
import { makeRow } from "../row.ts";

const MIB = 1024 * 1024;
const MAX_GROWN_MIB = 128;
/** Of the thread itself: how long it waits for its core is the machine's business. */
const MAX_LATE_MS = 100;
const LOOK_MS = 1_000;
const GOOD_LOAD = 0.2;
const GOOD_CONNECTIONS = 50;
/** Of the time, before the attack, to know what calm is. */
const CALM_SHARE = 0.15;
const MOST_CALM_MS = 60_000;
const LANES = 2;
const PATIENCE_MS = 60_000;
/** What a machine too busy for the load does by itself. */
const QUEUE_FULL = /^(503|14) queue_full$/;
const ANSWERED = /^(ok|(503|14) queue_full)$/;
/** The server of these procedures installs no handlers of signals, and has its models already; observers take long. */
const ATTACKS_HERE = ATTACKS.filter(({ group }) => !["signals", "files", "observers"].includes(group));

/** F23: every attack of `npm run hostile`, drawn by the seed, two at a time, beside steady traffic. */
export const hostile: Procedure = {
  id: "F23",
  title: "a mixed attack",
  minutes: 60,
  flags: ["--max-in-flight=64MiB", "--max-body=4MiB"],
  prepare(folder, calibration) {
    publishCalibrated(folder, "main", { calibration });
  },
  async run(rig) {
    const { server, effort } = rig;
    const { pid } = server;
    await rig.load(300, goodTraffic(rig));
    const calm = await rig.load(Math.min(MOST_CALM_MS, CALM_SHARE * effort.budgetMs), goodTraffic(rig));
    const before = { files: openFiles(pid), children: childrenOf(pid).length };
    const memory = watchMemory(pid);
    const load = rig.startLoad(effort.budgetMs + 20 * PATIENCE_MS, goodTraffic(rig));
    await server.lateness();
    const lateness = watchLateness(server);
    const { count, problems } = await attackFor(rig, (1 - CALM_SHARE) * effort.budgetMs);
    await load.stop();
    const { streams } = await load.result;
    const grownBytes = memory.stop();
    const lateMs = await lateness.stop();
    const files = (): number => openFiles(pid) - before.files;
    await until(() => files() <= 2, { withinMs: PATIENCE_MS, everyMs: 50 });
    const calmMs = maxOf(calm.streams, "okMs");
    return [
      atLeast("attacks", count, { min: effort.isShort ? 1 : 50 }),
      exactly("attacks that did what they must not", told(problems), "0"),
      atLeast("answered good clients", outcomesOf(streams, /^ok$/), { min: effort.isShort ? 1 : 20 }),
      exactly(
        "their requests that failed",
        told(failuresOf(streams, ANSWERED) === 0 ? [] : [problemsOf(streams)]),
        "0",
      ),
      exactly(
        "wrong answers",
        sumOf(streams, ({ wrong }) => wrong),
        0,
      ),
      atMost("those refused because the queue was full", outcomesOf(streams, QUEUE_FULL), {
        max: 0,
        kind: "pace",
      }),
      atMost(`good clients' p99 within 2 × of ${Math.round(calmMs)} ms`, maxOf(streams, "okMs"), {
        max: 2 * calmMs,
        unit: " ms",
        kind: "pace",
      }),
      atMost("processor time that the loop was late at the worst", lateMs, { max: MAX_LATE_MS, unit: " ms" }),
      atMost("memory above the base", grownBytes / MIB, { max: MAX_GROWN_MIB, unit: " MiB" }),
      atMost("file descriptors more than before", files(), { max: 2 }),
      exactly("child processes more than before", childrenOf(pid).length - before.children, 0),
    ];
  },
};

function goodTraffic({ calibration }: Rig): LoadStream[] {
  return bothProtocols({
    name: "good",
    model: "main",
    perSecond: GOOD_LOAD * calibration.capacity,
    connections: GOOD_CONNECTIONS,
  });
}

/** The most processor time that an event loop was late by. */
function watchLateness(server: ChaosServer): { stop(): Promise<number> } {
  let isOver = false;
  let worstMs = 0;
  const watch = async (): Promise<void> => {
    while (!isOver) {
      await sleep(LOOK_MS);
      worstMs = (await server.lateness()).own.reduce((most, late) => Math.max(most, late), worstMs);
    }
  };
  const watching = watch();
  return {
    async stop() {
      isOver = true;
      await watching;
      return worstMs;
    },
  };
}

interface Attacked {
  readonly count: number;
  readonly problems: readonly string[];
}

/** Several attackers, each with one attack after the other. */
async function attackFor(rig: Rig, durationMs: number): Promise<Attacked> {
  const endMs = performance.now() + durationMs;
  const target = targetOf(rig);
  const problems: string[] = [];
  let count = 0;
  const attack = async (): Promise<void> => {
    while (performance.now() < endMs) {
      const chosen: Attack = target.random.pick(ATTACKS_HERE);
      const problem = await chosen.run(target).catch(String);
      count += 1;
      if (problem !== "") problems.push(`${chosen.group}: ${chosen.name}: ${problem}`);
    }
  };
  await Promise.all(Array.from({ length: LANES }, attack));
  return { count, problems };
}

function targetOf({ server, random }: Rig): Target {
  const row = makeRow({ stream: 250, sequence: 0 }, random);
  const input = { name: "x", datatype: "UINT8", shape: [1, row.length], data: [...row] };
  return {
    url: server.url,
    port: Number(new URL(server.url).port),
    pid: server.pid,
    model: "main",
    body: JSON.stringify({ inputs: [input] }),
    random: hostileRandom(random.integer(0, 0xffffffff)),
  };
}

function told(problems: readonly string[]): string {
  return problems.length === 0 ? "0" : `${problems.length}: ${problems.slice(0, 5).join("; ")}`;
}
