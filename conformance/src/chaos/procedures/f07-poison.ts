import { POISON } from "../../calibrated/calibrated-model.ts";
import { createGrpcTransport } from "../grpc-transport.ts";
import { readJournal } from "../journal.ts";
import { monotonicMs } from "../monotonic.ts";
import { atLeast, atMost, exactly, type Finding, type Procedure, type Rig } from "../procedure.ts";
import { createRestTransport } from "../rest-transport.ts";
import { makeRow, rowId } from "../row.ts";
import type { Transport } from "../transport.ts";

const BATCH_ROWS = 32;
const BATCHES = 1_000;
const SHORT_BATCHES = 8;
/** Far longer than a batch takes on a busy machine. */
const HANG_LIMIT_MS = 600;
const INSTANCES = 2;
const KINDS = [POISON.throw, POISON.wrongShape, POISON.segfault, POISON.hang] as const;
/** Every second kind costs a worker. */
const LETHAL_SHARE = 0.5;

/** F7: one row of a full batch breaks, kills or hangs it; the other 31 are answered all the same. */
export const poison: Procedure = {
  id: "F7",
  title: "poison in a batch",
  prepare(folder) {
    folder.publish("main", 1, {
      options: {
        instances: INSTANCES,
        max_batch_size: BATCH_ROWS,
        max_queue_delay: "200ms",
        execution_timeout: `${HANG_LIMIT_MS}ms`,
        warmup_runs: 0,
      },
    });
  },
  async run(rig) {
    const { isShort, budgetMs } = rig.effort;
    const { url } = rig.server;
    const transports = [createRestTransport(url, BATCH_ROWS), createGrpcTransport(url, 2)];
    const outcome: Outcome = { batches: 0, hurt: [], answeredPoison: 0, poisons: new Set() };
    const batches = isShort ? SHORT_BATCHES : BATCHES;
    const endMs = monotonicMs() + (isShort ? Number.POSITIVE_INFINITY : budgetMs);
    while (outcome.batches < batches && monotonicMs() < endMs) await oneBatch(rig, transports, outcome);
    for (const transport of transports) transport.close();
    return judge(rig, outcome, batches);
  },
};

interface Outcome {
  batches: number;
  /** What mates got instead of their answer. */
  readonly hurt: string[];
  answeredPoison: number;
  readonly poisons: Set<string>;
}

async function oneBatch(rig: Rig, transports: readonly Transport[], outcome: Outcome): Promise<void> {
  const kind = KINDS[outcome.batches % KINDS.length]!;
  const place = rig.random.integer(0, BATCH_ROWS - 1);
  const sequence = outcome.batches++ * BATCH_ROWS;
  const rows = Array.from({ length: BATCH_ROWS }, (_, index) =>
    makeRow({ stream: 0, sequence: sequence + index }, rig.random, index === place ? kind : 0),
  );
  outcome.poisons.add(rowId(rows[place]!));
  const replies = await Promise.all(
    rows.map((row, index) => transports[index % transports.length]!.ask({ model: "main", rows: [row] }).done),
  );
  for (const [index, reply] of replies.entries()) {
    if (index === place) outcome.answeredPoison += reply.outcome === "ok" ? 1 : 0;
    else if (!reply.isRight) outcome.hurt.push(`${kind.toString(16)}: ${reply.outcome} ${reply.detail}`);
  }
}

function judge(rig: Rig, outcome: Outcome, batches: number): Finding[] {
  const { runs, loads } = readJournal(rig.folder.journalOf("main"));
  const isPoison = (row: string): boolean => outcome.poisons.has(row);
  const full = runs.filter(({ rows }) => rows.length === BATCH_ROWS && rows.some(isPoison));
  const deaths = loads.length - INSTANCES;
  return [
    atLeast("poisoned batches", outcome.batches, { min: batches, kind: "pace" }),
    atLeast("of them run with all 31 mates", (full.length / outcome.batches) * 100, {
      min: 90,
      unit: " %",
      kind: "pace",
    }),
    exactly(
      "mates hurt",
      outcome.hurt.length === 0 ? "0" : `${outcome.hurt.length} (${outcome.hurt[0]})`,
      "0",
    ),
    exactly("poisoned rows answered", outcome.answeredPoison, 0),
    atMost("worker deaths per lethal poison", deaths / Math.ceil(outcome.batches * LETHAL_SHARE), { max: 2 }),
    exactly("front restarts", rig.server.exitCode() === undefined ? 0 : 1, 0),
  ];
}
