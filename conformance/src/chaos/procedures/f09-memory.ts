import { POISON } from "../../calibrated/calibrated-model.ts";
import { failuresWithReasons, publishCalibrated } from "../calibration.ts";
import { readJournal } from "../journal.ts";
import { until } from "../monotonic.ts";
import { atMost, exactly, type Procedure, type Rig } from "../procedure.ts";
import { residentBytes } from "../process-facts.ts";
import { createRestTransport } from "../rest-transport.ts";
import { makeRow, ROW_BYTES } from "../row.ts";
import type { Transport } from "../transport.ts";

const MIB = 1024 * 1024;
const ROUNDS = 10;
const PATIENCE_MS = 20_000;
const GOOD_PER_SECOND = 20;
/** Announced, never sent: 2 GiB, and 64 PiB. */
const CLAIMS: readonly (readonly number[])[] = [
  [2 ** 31 / ROW_BYTES, ROW_BYTES],
  [2 ** 52, ROW_BYTES],
];

/** F9: a worker that eats memory is ended at its limit; the front and the other models go on. */
export const memory: Procedure = {
  id: "F9",
  title: "out of memory",
  prepare(folder, calibration) {
    publishCalibrated(folder, "good", { calibration });
    folder.publish("hungry", 1, {
      options: { instances: 1, memory_limit: "256MiB", warmup_runs: 0, execution_timeout: "20s" },
    });
  },
  async run(rig) {
    const load = rig.startLoad(10 * PATIENCE_MS, [
      { name: "good", protocol: "grpc", model: "good", perSecond: GOOD_PER_SECOND, connections: 2 },
    ]);
    const goodLoads = () => readJournal(rig.folder.journalOf("good")).loads.length;
    const goodBefore = goodLoads();
    const rounds = rig.effort.isShort ? 1 : ROUNDS;
    const told = new Set<string>();
    let comeBacks = 0;
    const transport = createRestTransport(rig.server.url, 4);
    for (let round = 0; round < rounds; round++) {
      const eater = makeRow({ stream: 0, sequence: 2 * round }, rig.random, POISON.allocate);
      told.add((await transport.ask({ model: "hungry", rows: [eater] }).done).outcome);
      if (await answersAgain(rig, transport, round)) comeBacks += 1;
    }
    const claims = await Promise.all(CLAIMS.map((shape) => claim(rig, shape)));
    await load.stop();
    const { streams } = await load.result;
    transport.close();
    return [
      exactly("what the hungry request is told", [...told].join(", "), "400 quarantined"),
      exactly("answered again afterwards", comeBacks, rounds),
      exactly("deaths among the other model's workers", goodLoads() - goodBefore, 0),
      exactly("failed requests of the other model", failuresWithReasons(streams), "0"),
      exactly("tensors of 2 GiB and 64 PiB announced", claims.join(", "), "400, 400"),
      atMost("memory of the front", residentBytes(rig.server.pid) / MIB, { max: 300, unit: " MiB" }),
      exactly("front restarts", rig.server.exitCode() === undefined ? 0 : 1, 0),
    ];
  },
};

function answersAgain(rig: Rig, transport: Transport, round: number): Promise<boolean> {
  const row = makeRow({ stream: 0, sequence: 2 * round + 1 }, rig.random);
  const isAnswered = async (): Promise<boolean> =>
    (await transport.ask({ model: "hungry", rows: [row] }).done).isRight;
  return until(isAnswered, { withinMs: PATIENCE_MS, everyMs: 50 });
}

async function claim({ server }: Rig, shape: readonly number[]): Promise<number> {
  const body = JSON.stringify({ inputs: [{ name: "x", datatype: "UINT8", shape, data: [1] }] });
  return (await fetch(`${server.url}/v2/models/hungry/infer`, { method: "POST", body })).status;
}
