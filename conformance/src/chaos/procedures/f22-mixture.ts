import { failuresWithReasons, outcomesOf, publishCalibrated, streamsOf, sumOf } from "../calibration.ts";
import { runSchedule } from "../fault-schedule.ts";
import type { LoadStream } from "../load-plan.ts";
import { mixedFaults } from "../mixed-faults.ts";
import { sleep, until } from "../monotonic.ts";
import { atLeast, atMost, exactly, type Finding, type Procedure, type Rig } from "../procedure.ts";
import { childrenOf, openFiles, residentBytes } from "../process-facts.ts";

const MIB = 1024 * 1024;
const PATIENCE_MS = 60_000;
const SHORT_MS = 2_500;
const PAUSE_MS = [100, 900] as const;
const SHORT_PAUSE_MS = [20, 120] as const;
/** Of what `main` can do; the other models get less. */
const LOAD = 0.2;
const GROWN_MIB = 128;

/** F22: the faults of the other procedures, drawn by the seed, on one server with several models; those who did nothing wrong notice none. */
export const mixture: Procedure = {
  id: "F22",
  title: "everything at once",
  flags: [
    "--model-control=poll",
    "--poll-interval=100ms",
    "--spare-workers=2",
    "--health-address=127.0.0.1:0",
  ],
  prepare(folder, calibration) {
    publishCalibrated(folder, "main", { calibration, options: { max_queue_size: 2_000 } });
    publishCalibrated(folder, "flood", { calibration });
    const common = { warmup_runs: 0, max_queue_size: 2_000 };
    folder.publish("victim", 1, {
      model: { sleepMs: 5 },
      options: { ...common, instances: 2, max_batch_size: 8, execution_timeout: "1s" },
    });
    folder.publish("rolling", 1, { options: { ...common, instances: 1, max_batch_size: 4 } });
    folder.publish("hungry", 1, {
      options: { ...common, instances: 1, memory_limit: "256MiB", execution_timeout: "20s" },
    });
  },
  async run(rig) {
    const { server, effort, random } = rig;
    const { pid } = server;
    const durationMs = effort.isShort ? SHORT_MS : effort.budgetMs;
    await rig.load(300, streams(rig));
    const before = { files: openFiles(pid), children: childrenOf(pid).length, bytes: residentBytes(pid) };
    const load = rig.startLoad(durationMs + 20 * PATIENCE_MS, streams(rig));
    await sleep(200);
    const faults = mixedFaults(rig);
    const pauseMs = effort.isShort ? SHORT_PAUSE_MS : PAUSE_MS;
    const { counts, complaints } = await runSchedule(faults, { durationMs, pauseMs, random });
    await load.stop();
    const { streams: results } = await load.result;
    const files = (): number => openFiles(pid) - before.files;
    const children = (): number => childrenOf(pid).length - before.children;
    await until(() => files() <= 2 && children() === 0, { withinMs: PATIENCE_MS, everyMs: 50 });
    const happened = [...counts.values()].reduce((sum, count) => sum + count, 0);
    return [
      atLeast("faults", happened, { min: 3 }),
      ...[...counts].map(([name, count]) =>
        atLeast(`  ${name}`, count, { min: effort.isShort ? 0 : 1, kind: "pace" }),
      ),
      exactly(
        "faults that ended otherwise than they should",
        complaints.length === 0 ? "0" : `${complaints.length}: ${complaints.slice(0, 3).join("; ")}`,
        "0",
      ),
      ...judge(results),
      atMost("file descriptors more than before", files(), { max: 2 }),
      exactly("child processes more than before", children(), 0),
      atMost("memory grown", (residentBytes(pid) - before.bytes) / MIB, { max: GROWN_MIB, unit: " MiB" }),
      exactly("front restarts", server.exitCode() === undefined ? 0 : 1, 0),
    ];
  },
};

/** Steady traffic of clients that do nothing wrong. */
function streams({ calibration }: Rig): LoadStream[] {
  const perSecond = (LOAD * calibration.capacity) / 3;
  const rolling = { model: "rolling", tagIsVersion: true, rows: [1, 6] as const };
  const common = { perSecond, connections: 2 };
  return [
    { ...common, name: "main/rest", protocol: "rest", model: "main", connections: 100 },
    { ...common, name: "main/grpc", protocol: "grpc", model: "main" },
    { ...common, name: "main/stream", protocol: "grpc-stream", model: "main" },
    { ...common, name: "victim/rest", protocol: "rest", model: "victim", connections: 100 },
    { ...common, name: "victim/grpc", protocol: "grpc", model: "victim" },
    { ...common, ...rolling, name: "rolling/rest", protocol: "rest", connections: 60 },
    { ...common, ...rolling, name: "rolling/grpc", protocol: "grpc" },
  ];
}

function judge(results: Parameters<typeof sumOf>[0]): Finding[] {
  return [
    atLeast("answers", outcomesOf(results, /^ok$/), { min: 20 }),
    ...["main", "victim", "rolling"].map((model) =>
      exactly(
        `failed requests of ${model}`,
        failuresWithReasons(streamsOf({ streams: results }, model)),
        "0",
      ),
    ),
    exactly(
      "wrong answers",
      sumOf(results, ({ wrong }) => wrong),
      0,
    ),
    exactly(
      "answers of mixed versions",
      sumOf(results, ({ mixed }) => mixed),
      0,
    ),
    exactly(
      "versions going back on a connection",
      sumOf(results, ({ backwards }) => backwards),
      0,
    ),
  ];
}
