import { failuresOf, outcomesOf, problemsOf, sumOf } from "../calibration.ts";
import { startChaosServer } from "../chaos-server.ts";
import type { LoadStream } from "../load-plan.ts";
import { startLoad } from "../load-process.ts";
import { monotonicMs, sleep, until } from "../monotonic.ts";
import { atLeast, atMost, exactly, type Finding, type Procedure, type Rig } from "../procedure.ts";

const ROUNDS = 50;
const SHORT_ROUNDS = 2;
const IN_FLIGHT = 50;
const PATIENCE_MS = 20_000;
const DRAIN_DELAY_MS = 1_500;
const SERVICE_MS = 200;
const PER_SECOND = 250;
/** A request waits for the run before its own. */
const EXIT_LIMIT_MS: number = DRAIN_DELAY_MS + 2 * SERVICE_MS + 1_000;

/** F16: SIGTERM in the middle of work, over REST, gRPC and gRPC streams; new requests come until the balancer has noticed. */
export const sigterm: Procedure = {
  id: "F16",
  title: "SIGTERM under load",
  prepare: (folder) =>
    folder.publish("main", 1, {
      model: { sleepMs: SERVICE_MS },
      options: { instances: 1, max_batch_size: 128, max_queue_size: 2_000, warmup_runs: 0 },
    }),
  async run(rig) {
    const wanted = rig.effort.isShort ? SHORT_ROUNDS : ROUNDS;
    const endMs = monotonicMs() + (rig.effort.isShort ? Number.POSITIVE_INFINITY : rig.effort.budgetMs);
    const rounds: Round[] = [];
    while (rounds.length < wanted && monotonicMs() < endMs) rounds.push(await oneRound(rig));
    return judge(rounds, wanted);
  },
};

interface Round {
  /** The last request was sent before the server stopped listening. */
  readonly isInTime: boolean;
  readonly inFlight: number;
  readonly answered: number;
  /** In words; empty: none. */
  readonly failure: string;
  readonly code: number | null;
  readonly unreadyMs: number;
  /** The same, asked at the health port. */
  readonly toldMs: number;
  readonly elapsedMs: number;
}

async function oneRound(rig: Rig): Promise<Round> {
  const server = await startChaosServer(rig.folder.path, [
    `--drain-delay=${DRAIN_DELAY_MS}ms`,
    "--health-address=127.0.0.1:0",
  ]);
  const load = startLoad(
    {
      seed: rig.random.integer(0, 1e9),
      url: server.url,
      durationMs: PATIENCE_MS,
      graceMs: PATIENCE_MS,
      streams: streams(),
    },
    {},
  );
  await until(() => load.inFlight() >= IN_FLIGHT, { withinMs: PATIENCE_MS / 2 });
  const inFlight = load.inFlight();
  const startMs = monotonicMs();
  const stopping = server.stop();
  const [unreadyMs, toldMs] = await Promise.all(
    [server.url, server.healthUrl].map(async (url) => {
      const isUnready = async (): Promise<boolean> => (await fetch(`${url}/v2/health/ready`)).status === 503;
      await until(isUnready, { withinMs: DRAIN_DELAY_MS / 3 });
      return monotonicMs() - startMs;
    }),
  );
  // The balancer has noticed; what it sent is on its way.
  await sleep(DRAIN_DELAY_MS / 6);
  await load.stop();
  const isInTime = monotonicMs() - startMs < DRAIN_DELAY_MS;
  const { code, elapsedMs } = await stopping;
  const { streams: results } = await load.result;
  const failed = failuresOf(results) + sumOf(results, (stream) => stream.wrong);
  // On a busy machine the balancer can be later than the server waits for it; what it sent then is lost on any server.
  const failure = failed === 0 || !isInTime ? "" : `${failed} (${problemsOf(results)})`;
  return {
    isInTime,
    inFlight,
    answered: outcomesOf(results, /^ok$/),
    failure,
    code,
    unreadyMs: unreadyMs!,
    toldMs: toldMs!,
    elapsedMs,
  };
}

function streams(): LoadStream[] {
  const common = { model: "main" };
  return [
    { ...common, name: "rest", protocol: "rest", perSecond: PER_SECOND, connections: 1_000 },
    { ...common, name: "grpc", protocol: "grpc", perSecond: PER_SECOND / 2, connections: 2 },
    { ...common, name: "stream", protocol: "grpc-stream", perSecond: PER_SECOND / 2, connections: 2 },
  ];
}

function judge(rounds: readonly Round[], wanted: number): Finding[] {
  const worst = (figure: (round: Round) => number): number => Math.max(...rounds.map(figure));
  const failures = rounds.filter((round) => round.failure !== "");
  const exitMs = worst((round) => round.elapsedMs);
  return [
    atLeast("runs", rounds.length, { min: wanted, kind: "pace" }),
    atMost("runs in which the balancer was too late", rounds.filter((round) => !round.isInTime).length, {
      max: 0,
      kind: "pace",
    }),
    atLeast("in flight at SIGTERM, fewest", Math.min(...rounds.map((round) => round.inFlight)), {
      min: IN_FLIGHT,
    }),
    atLeast("answers, fewest", Math.min(...rounds.map((round) => round.answered)), { min: IN_FLIGHT }),
    exactly(
      "runs with failed requests",
      failures.length === 0 ? "0" : `${failures.length}: ${failures[0]!.failure}`,
      "0",
    ),
    exactly("exit codes", [...new Set(rounds.map((round) => String(round.code)))].join(", "), "0"),
    atMost(
      "not ready after SIGTERM, slowest",
      worst((round) => round.unreadyMs),
      { max: 100, unit: " ms", kind: "pace" },
    ),
    atMost(
      "the same on the health port",
      worst((round) => round.toldMs),
      { max: 100, unit: " ms", kind: "pace" },
    ),
    atMost("exit after SIGTERM, slowest", exitMs, { max: EXIT_LIMIT_MS, unit: " ms", kind: "pace" }),
    atMost("exit after SIGTERM at all", exitMs, { max: PATIENCE_MS, unit: " ms" }),
  ];
}
