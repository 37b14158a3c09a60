import { failuresOf, failuresWithReasons, outcomesOf, sumOf } from "../calibration.ts";
import { percentile } from "../distribution.ts";
import { heavyRequests, ROW_ELEMENTS } from "../heavy-requests.ts";
import type { LoadStream } from "../load-plan.ts";
import type { LoopLateness } from "../loop-meter.ts";
import { monotonicMs, sleep, until } from "../monotonic.ts";
import { atLeast, atMost, exactly, type Finding, type Procedure, type Rig } from "../procedure.ts";

const GOOD_PER_SECOND = 100;
const TARGET_MS = 20;
/** What the loop itself may take in one go, at the worst. */
const LONGEST_MS = 50;
/** So long the loop is watched before anything heavy comes. */
const BASE_MS = 2_000;
/** 63 MiB, and 16 MiB as JSON: about the most that a body may have. */
const BODY_ROWS = { binary: 63, json: 8 };
const SHORT_BODY_ROWS = { binary: 8, json: 1 };
const NOTICED_STALL_MS = 700;
const UNREADY_STALL_MS = 5_000;
const DEAD_STALL_MS = 32_000;
/** The order to stand still may take a while to arrive. */
const SLACK_MS = 300;
const PROBE_MS = 20;
const PATIENCE_MS = 60_000;
/** What a machine too busy for the load does by itself. */
const QUEUE_FULL = /^(503|14) queue_full$/;
const ANSWERED = /^(ok|(503|14) queue_full)$/;

/** F17: bodies that cost the event loop much do not keep it; while it stands still all the same, another thread answers for it. */
export const stall: Procedure = {
  id: "F17",
  title: "event loop stalls",
  flags: ["--health-address=127.0.0.1:0", "--max-in-flight=1GiB"],
  prepare(folder) {
    folder.publish("good", 1, { model: { sleepMs: 1 }, options: { instances: 1, warmup_runs: 0 } });
    folder.publish("wide", 1, {
      model: { width: ROW_ELEMENTS },
      options: { instances: 1, max_batch_size: BODY_ROWS.binary, warmup_runs: 0 },
    });
  },
  async run(rig) {
    const findings = await heavyTraffic(rig);
    findings.push(...(await stalls(rig)));
    return findings;
  },
};

async function heavyTraffic(rig: Rig): Promise<Finding[]> {
  const { isShort, budgetMs } = rig.effort;
  const { server } = rig;
  const requests = heavyRequests(isShort ? SHORT_BODY_ROWS : BODY_ROWS);
  const load = rig.startLoad(budgetMs + 60 * PATIENCE_MS, streams());
  await sleep(isShort ? 300 : BASE_MS);
  await server.lateness();
  await sleep(isShort ? 300 : BASE_MS);
  const findings = judge("good traffic alone", await server.lateness());
  const told: string[] = [];
  for (const { name, send } of requests) {
    const endMs = monotonicMs() + (isShort ? 0 : budgetMs / requests.length);
    let sent = 0;
    do {
      const outcome = await send(server.url);
      if (outcome !== "right") told.push(`${name}: ${outcome}`);
      sent += 1;
    } while (monotonicMs() < endMs);
    findings.push(...judge(`${sent} × ${name}`, await server.lateness()));
  }
  await load.stop();
  const { streams: results } = await load.result;
  const wrong = told.length === 0 ? "0" : `${told.length} (${told[0]})`;
  const failed = failuresOf(results, ANSWERED) === 0 ? "0" : failuresWithReasons(results);
  return [
    ...findings,
    exactly("heavy requests not answered as they should be", wrong, "0"),
    exactly("failed good requests", failed, "0"),
    atMost("those rejected because the queue was full", outcomesOf(results, QUEUE_FULL), {
      max: 0,
      kind: "pace",
    }),
    exactly(
      "wrong answers",
      sumOf(results, (stream) => stream.wrong),
      0,
    ),
  ];
}

function judge(what: string, { real, own }: LoopLateness): Finding[] {
  const limit = { max: TARGET_MS, unit: " ms", kind: "pace" } as const;
  return [
    atMost(`loop delay p99.9, ${what}`, percentile(real, 0.999), limit),
    atMost(`  in processor time, p99.9`, percentile(own, 0.999), limit),
    atMost(`  in processor time, longest`, percentile(own, 1), { ...limit, max: LONGEST_MS }),
  ];
}

function streams(): LoadStream[] {
  const common = { model: "good", perSecond: GOOD_PER_SECOND / 2 };
  return [
    { ...common, name: "rest", protocol: "rest", connections: 100 },
    { ...common, name: "grpc", protocol: "grpc", connections: 2 },
  ];
}

/** What the health port said, and for how long. */
interface Watched {
  readonly unreadyAfterMs: number;
  readonly deadAfterMs: number;
  readonly readyAgainMs: number;
  readonly slowestProbeMs: number;
}

async function stalls(rig: Rig): Promise<Finding[]> {
  const { server, effort } = rig;
  const before = await readCounter(server.url, "sconce_event_loop_stalls_total");
  const noticed = await watchStall(rig, NOTICED_STALL_MS);
  const unready = await watchStall(rig, UNREADY_STALL_MS);
  const dead = effort.isShort ? undefined : await watchStall(rig, DEAD_STALL_MS);
  const counted = (await readCounter(server.url, "sconce_event_loop_stalls_total")) - before;
  const logged = [...server.log().matchAll(/"stalledMs":(\d+)/g)].map(([, ms]) => Number(ms));
  const first = logged.find((ms) => Math.abs(ms - NOTICED_STALL_MS) < 100) ?? Number.NaN;
  const watched = [noticed, unready, ...(dead === undefined ? [] : [dead])];
  const slowest = Math.max(...watched.map(({ slowestProbeMs }) => slowestProbeMs));
  return [
    {
      ...exactly(
        `not ready in a stall of ${NOTICED_STALL_MS} ms`,
        String(noticed.unreadyAfterMs < Number.POSITIVE_INFINITY),
        "false",
      ),
      kind: "pace",
    },
    atLeast(`not ready in a stall of ${UNREADY_STALL_MS} ms, after`, unready.unreadyAfterMs, {
      min: 950,
      unit: " ms",
      kind: "pace",
    }),
    atMost("  at most", unready.unreadyAfterMs, { max: 1_100, unit: " ms", kind: "pace" }),
    atMost("  at all", unready.unreadyAfterMs, { max: UNREADY_STALL_MS + 2 * SLACK_MS, unit: " ms" }),
    atMost("ready again after it ended", unready.readyAgainMs, { max: 100, unit: " ms", kind: "pace" }),
    exactly("not live in it", String(unready.deadAfterMs < Number.POSITIVE_INFINITY), "false"),
    ...(dead === undefined
      ? []
      : [atMost("not live in a stall of 32 s, after", dead.deadAfterMs, { max: 30_200, unit: " ms" })]),
    atMost("slowest probe of the health port", slowest, { max: 100, unit: " ms", kind: "pace" }),
    atLeast("stalls counted", counted, { min: watched.length }),
    atMost(
      `the log's length of a stall of ${NOTICED_STALL_MS} ms, off by`,
      Math.abs(first - NOTICED_STALL_MS),
      { max: 50, unit: " ms", kind: "pace" },
    ),
    atLeast("stalls in the log", logged.length, { min: watched.length }),
  ];
}

/** Stops the server's loop, and asks the health port all the while. */
async function watchStall({ server }: Rig, ms: number): Promise<Watched> {
  const startMs = monotonicMs();
  server.stall(ms);
  let unreadyAfterMs = Number.POSITIVE_INFINITY;
  let deadAfterMs = Number.POSITIVE_INFINITY;
  let readyAgainMs = 0;
  let slowestProbeMs = 0;
  while (monotonicMs() - startMs < ms + SLACK_MS) {
    const askedMs = monotonicMs();
    const [isReady, isLive] = await Promise.all([
      says(server.healthUrl, "ready"),
      says(server.healthUrl, "live"),
    ]);
    const nowMs = monotonicMs();
    slowestProbeMs = Math.max(slowestProbeMs, nowMs - askedMs);
    if (!isReady) {
      unreadyAfterMs = Math.min(unreadyAfterMs, nowMs - startMs);
      readyAgainMs = nowMs - startMs - ms;
    }
    if (!isLive) deadAfterMs = Math.min(deadAfterMs, nowMs - startMs);
    await sleep(PROBE_MS);
  }
  await until(async () => (await says(server.url, "live")) && says(server.healthUrl, "ready"), {
    withinMs: PATIENCE_MS,
  });
  return { unreadyAfterMs, deadAfterMs, readyAgainMs, slowestProbeMs };
}

async function says(url: string, what: "ready" | "live"): Promise<boolean> {
  return (await fetch(`${url}/v2/health/${what}`)).ok;
}

async function readCounter(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\d+)$`, "m").exec(text)?.[1] ?? Number.NaN);
}
