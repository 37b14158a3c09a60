import { writeFileSync } from "node:fs";
import { failuresWithReasons, publishCalibrated } from "../calibration.ts";
import { readJournal } from "../journal.ts";
import { monotonicMs, sleep, until } from "../monotonic.ts";
import { atMost, exactly, type Procedure, type Rig } from "../procedure.ts";
import { childrenOf, processorMs } from "../process-facts.ts";

const PATIENCE_MS = 30_000;
const GOOD_PER_SECOND = 20;

/** F6: a model whose workers die as they start is given up; the others do not notice, and the processor rests. */
export const crashLoop: Procedure = {
  id: "F6",
  title: "crash loop",
  flags: ["--readiness=settled"],
  prepare(folder, calibration) {
    publishCalibrated(folder, "good", { calibration });
    folder.publish("bad", 1, {
      model: { fuse: fuseOf(folder.journalOf("bad")) },
      options: { instances: 1, warmup_runs: 0 },
    });
  },
  async run(rig) {
    const load = rig.startLoad(2 * PATIENCE_MS, [
      { name: "good", protocol: "rest", model: "good", perSecond: GOOD_PER_SECOND, connections: 50 },
    ]);
    await sleep(300);
    const journal = rig.folder.journalOf("bad");
    writeFileSync(fuseOf(journal), "");
    const startMs = monotonicMs();
    process.kill(readJournal(journal).loads.at(-1)!.pid, "SIGKILL");
    const reason = /died 5 times in 60 s/;
    await until(async () => reason.test((await verdictOn(rig, "bad")).reason), {
      withinMs: PATIENCE_MS,
      everyMs: 20,
    });
    const givenUpMs = monotonicMs() - startMs;
    await load.stop();
    const { streams } = await load.result;
    const { state, reason: why } = await verdictOn(rig, "bad");
    const [bad, good] = await Promise.all(["bad", "good"].map((model) => readyStatus(rig, model)));
    return [
      exactly("the model's state in the index", state, "UNAVAILABLE"),
      exactly("the index says why", reason.test(why) ? "died 5 times in 60 s" : why, "died 5 times in 60 s"),
      atMost("until then", givenUpMs, { max: 60_000, unit: " ms" }),
      exactly("its readiness, and the other model's", `${bad}, ${good}`, "503, 200"),
      exactly("failed requests of the other model", failuresWithReasons(streams), "0"),
      atMost(
        "processor time afterwards, server and workers",
        await processorShare(rig, rig.effort.isShort ? 500 : 10_000),
        { max: 5, unit: " %", kind: "pace" },
      ),
    ];
  },
};

function fuseOf(journal: string): string {
  return `${journal}.fuse`;
}

async function readyStatus({ server }: Rig, model: string): Promise<number> {
  return (await fetch(`${server.url}/v2/models/${model}/ready`)).status;
}

interface IndexRow {
  readonly name: string;
  readonly state: string;
  readonly reason: string;
}

async function verdictOn({ server }: Rig, model: string): Promise<IndexRow> {
  const response = await fetch(`${server.url}/v2/repository/index`, { method: "POST" });
  const index = (await response.json()) as readonly IndexRow[];
  return index.find(({ name }) => name === model)!;
}

/** Percent of one core. */
async function processorShare({ server }: Rig, windowMs: number): Promise<number> {
  const pids = [server.pid, ...childrenOf(server.pid)];
  const used = (): number => pids.reduce((sum, pid) => sum + processorMs(pid), 0);
  const before = used();
  await sleep(windowMs);
  return ((used() - before) / windowMs) * 100;
}
