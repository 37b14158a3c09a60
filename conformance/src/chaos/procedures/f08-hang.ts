import { POISON } from "../../calibrated/calibrated-model.ts";
import { readJournal } from "../journal.ts";
import { monotonicMs, until } from "../monotonic.ts";
import { atLeast, atMost, exactly, type Procedure, type Rig } from "../procedure.ts";
import { isAlive } from "../process-facts.ts";
import { createRestTransport } from "../rest-transport.ts";
import { makeRow, rowId } from "../row.ts";
import type { Transport } from "../transport.ts";

const TIMEOUT_MS = 1_000;
const GRACE_MS = 250;
const SLOW_GRACE_MS = 60_000;
const MATES = 7;
const ROUNDS = 20;
const SHORT_ROUNDS = 2;

/** F8: a model that never answers is killed in time, and those who shared its batch are answered. */
export const hang: Procedure = {
  id: "F8",
  title: "hang",
  prepare(folder) {
    folder.publish("main", 1, {
      options: {
        instances: 2,
        max_batch_size: MATES + 1,
        max_queue_delay: "200ms",
        execution_timeout: `${TIMEOUT_MS}ms`,
        warmup_runs: 0,
      },
    });
  },
  async run(rig) {
    const transport = createRestTransport(rig.server.url, MATES + 1);
    const killedMs: number[] = [];
    let hurt = 0;
    for (let round = 0; round < (rig.effort.isShort ? SHORT_ROUNDS : ROUNDS); round++) {
      const { afterMs, matesHurt } = await oneHang(rig, transport, round);
      killedMs.push(afterMs);
      hurt += matesHurt;
    }
    transport.close();
    const latestMs = Math.max(...killedMs);
    return [
      atLeast("earliest kill", Math.min(...killedMs), { min: TIMEOUT_MS - 10, unit: " ms", kind: "pace" }),
      atMost("latest kill", latestMs, { max: TIMEOUT_MS + GRACE_MS, unit: " ms", kind: "pace" }),
      atMost("killed at all", latestMs, { max: TIMEOUT_MS + SLOW_GRACE_MS, unit: " ms" }),
      exactly("mates hurt", hurt, 0),
    ];
  },
};

async function oneHang(
  rig: Rig,
  transport: Transport,
  round: number,
): Promise<{ readonly afterMs: number; readonly matesHurt: number }> {
  const rows = Array.from({ length: MATES + 1 }, (_, index) =>
    makeRow({ stream: 0, sequence: round * 100 + index }, rig.random, index === 0 ? POISON.hang : 0),
  );
  const replies = Promise.all(rows.map((row) => transport.ask({ model: "main", rows: [row] }).done));
  const afterMs = await killedAfter(rig, rowId(rows[0]!));
  const [, ...mates] = await replies;
  return { afterMs, matesHurt: mates.filter((reply) => !reply.isRight).length };
}

/** How long the first worker that took this row lived on. */
async function killedAfter(rig: Rig, row: string): Promise<number> {
  const runOf = () =>
    readJournal(rig.folder.journalOf("main")).runs.find((candidate) => candidate.rows.includes(row));
  await until(() => runOf() !== undefined, { withinMs: SLOW_GRACE_MS, everyMs: 2 });
  const run = runOf();
  if (run === undefined) return Number.POSITIVE_INFINITY;
  const isGone = await until(() => !isAlive(run.pid), {
    withinMs: TIMEOUT_MS + SLOW_GRACE_MS,
    everyMs: 2,
  });
  return isGone ? monotonicMs() - run.atMs : Number.POSITIVE_INFINITY;
}
