import { bothProtocols, failuresOf, maxOf, outcomesOf, publishCalibrated } from "../calibration.ts";
import type { LoadStream } from "../load-plan.ts";
import { sleep, until } from "../monotonic.ts";
import { atLeast, atMost, exactly, type Procedure, type Rig } from "../procedure.ts";
import { watchMemory } from "../process-facts.ts";
import { makeRow } from "../row.ts";
import {
  type SlowAsk,
  type SlowClients,
  slowGrpcReader,
  slowGrpcWriter,
  slowRestReader,
  slowRestWriter,
  startSlowClients,
} from "../slow-clients.ts";

const MIB = 1024 * 1024;
const ANSWER_BYTES = 4 * MIB;
const READERS = 400;
const WRITERS = 100;
const SHORT_SHARE = 0.2;
const GOOD_LOAD = 0.4;
const GOOD_CONNECTIONS = 50;
const BUDGET = 64 * MIB;
const PATIENCE_MS = 20_000;
/** What a machine too busy for the load does by itself. */
const QUEUE_FULL = /^(503|14) queue_full$/;
const ANSWERED = /^(ok|(503|14) queue_full)$/;

/** F10: clients that read 4 MiB answers, or send bodies of 4 MiB, at 1 KiB a second, while others are served. */
export const slow: Procedure = {
  id: "F10",
  title: "slow readers and writers",
  flags: [`--max-in-flight=${BUDGET}`],
  prepare(folder, calibration) {
    publishCalibrated(folder, "main", { calibration });
    folder.publish("wide", 1, {
      model: { answerWidth: ANSWER_BYTES, isBatching: false },
      options: { instances: 1, max_queue_size: 1_000, warmup_runs: 0 },
    });
  },
  async run(rig) {
    const { isShort, budgetMs } = rig.effort;
    const stepMs = isShort ? 1_500 : budgetMs / 2;
    await readOneAnswer(rig);
    const before = await rig.load(stepMs, goodTraffic(rig));
    const memory = watchMemory(rig.server.pid);
    const readers = startReaders(rig);
    const writers = startWriters(rig);
    const load = rig.startLoad(PATIENCE_MS + budgetMs, goodTraffic(rig));
    await sleep(stepMs);
    // A busy machine may need longer until the server holds all that it is going to hold.
    const enough = countOf(rig, READERS) / 2;
    await until(() => readers.reached() >= enough, { withinMs: PATIENCE_MS / 2, everyMs: 50 });
    await load.stop();
    const during = await load.result;
    const grownBytes = memory.stop();
    const [reached, ended] = [readers.reached(), readers.ended() + writers.ended()];
    readers.stop();
    writers.stop();
    const [baseMs, p99Ms] = [maxOf(before.streams, "okMs"), maxOf(during.streams, "okMs")];
    return [
      atMost("memory above the base", grownBytes / MIB, { max: 128, unit: " MiB" }),
      atLeast("answered good clients", outcomesOf(during.streams, /^ok$/), { min: 1 }),
      exactly("their requests that failed", failuresOf(during.streams, ANSWERED), 0),
      atMost("those refused because the queue was full", outcomesOf(during.streams, QUEUE_FULL), {
        max: 0,
        kind: "pace",
      }),
      atMost(`good clients' p99 within 10 % of ${Math.round(baseMs)} ms`, p99Ms, {
        max: 1.1 * baseMs,
        unit: " ms",
        kind: "pace",
      }),
      atLeast("slow readers that were answered or refused", reached, {
        min: isShort ? 10 : enough,
        kind: isShort ? "must" : "pace",
      }),
      atLeast("slow clients that were cut off or refused", ended, { min: 1 }),
      exactly("a large answer afterwards", await largeAnswerAfterwards(rig), ANSWER_BYTES),
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

function startReaders(rig: Rig): SlowClients {
  return startSlowClients(countOf(rig, READERS), (index) =>
    index % 5 === 0 ? slowGrpcReader(askOf(rig)) : slowRestReader(askOf(rig)),
  );
}

function startWriters(rig: Rig): SlowClients {
  return startSlowClients(countOf(rig, WRITERS), (index) =>
    index % 5 === 0 ? slowGrpcWriter(askOf(rig), ANSWER_BYTES) : slowRestWriter(askOf(rig), ANSWER_BYTES),
  );
}

function countOf({ effort }: Rig, count: number): number {
  return effort.isShort ? count * SHORT_SHARE : count;
}

function askOf({ server, random }: Rig): SlowAsk {
  return { url: server.url, model: "wide", row: makeRow({ stream: 0, sequence: 0 }, random) };
}

/** Bytes of the output `y`; what went wrong when there is none. */
async function readOneAnswer(rig: Rig): Promise<number | string> {
  const { url, model, row } = askOf(rig);
  const inputs = [{ name: "x", datatype: "UINT8", shape: [1, row.length], data: [...row] }];
  const body = JSON.stringify({ inputs, outputs: [{ name: "y", parameters: { binary_data: true } }] });
  const answer = await fetch(`${url}/v2/models/${model}/infer`, { method: "POST", body });
  const bytes = await answer.arrayBuffer();
  if (answer.status !== 200) return `${answer.status} ${Buffer.from(bytes).toString().slice(0, 200)}`;
  return bytes.byteLength - Number(answer.headers.get("inference-header-content-length"));
}

async function largeAnswerAfterwards(rig: Rig): Promise<number | string> {
  let last: number | string = "none";
  const isAnswered = async (): Promise<boolean> => {
    last = await readOneAnswer(rig);
    return last === ANSWER_BYTES;
  };
  await until(isAnswered, { withinMs: PATIENCE_MS, everyMs: 100 });
  return last;
}
