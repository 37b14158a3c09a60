import { copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isReady, startChildServer } from "../child-server.ts";
import { httpLoad } from "../http-load.ts";
import { inferBody } from "../infer-body.ts";
import { median } from "../median.ts";
import { ortRun } from "../ort-run.ts";
import { BENCH_MODELS } from "../python-with-models.ts";
import { SCONCE } from "../sconce-command.ts";
import type { Suite } from "../suite.ts";
import { table } from "../table.ts";

const CONNECTIONS = 32;
const ROUNDS = 3;
const PROBE_MS = 6_000;
const SETTLE_MS = 2_000;
const POLL_MS = 100;

interface Case {
  readonly model: string;
  /** Per input: datatype, PyTorch's dtype, and the shape of one row. */
  readonly inputs: Readonly<
    Record<string, readonly ["FP32" | "INT64", "float32" | "int64", readonly number[]]>
  >;
  readonly batches: readonly number[];
  /** Of each measurement: long enough that what is under way at its end weighs little. */
  readonly seconds: number;
}

const TEXT = ["INT64", "int64", [128]] as const;
const CASES: readonly Case[] = [
  { model: "digits", inputs: { input: ["FP32", "float32", [1, 8, 8]] }, batches: [1, 8, 32], seconds: 5 },
  {
    model: "bert-base",
    inputs: { input_ids: TEXT, attention_mask: TEXT },
    batches: [1, 2, 4, 8],
    seconds: 40,
  },
  {
    model: "resnet50",
    inputs: { x: ["FP32", "float32", [3, 224, 224]] },
    batches: [1, 2, 4, 8],
    seconds: 25,
  },
];

export const batching: Suite = {
  summary: `${CONNECTIONS} connections × 1 row, batching on and off, beside one session in a bare loop at its best batch, which is also the served maximum (1 thread; median of ${ROUNDS} rounds in turn)`,
  async run(print) {
    const rows: Record<string, string | number>[] = [];
    for (const one of CASES) {
      if (!existsSync(join(BENCH_MODELS, `${one.model}.pt2`))) {
        print(`${one.model}: not there yet; run the benchmark "running" first`);
        continue;
      }
      const row = await measure(one);
      rows.push(row);
      print(JSON.stringify(row));
    }
    print(table(rows));
    return rows;
  },
};

async function measure(one: Case): Promise<Record<string, string | number>> {
  const folder = mkdtempSync(join(tmpdir(), "sconce-batching-"));
  try {
    copyFileSync(join(BENCH_MODELS, `${one.model}.pt2`), join(folder, "model.pt2"));
    const batch = await bestBatch(one);
    const rounds: Round[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const bare = await bareLoop(one, batch, one.seconds * 1000);
      const on = await served(one, folder, ["--max-batch-size", String(batch)]);
      const off = batch === 1 ? on : await served(one, folder, ["--max-batch-size", "1"]);
      rounds.push({ bare, on, off });
    }
    return {
      model: one.model,
      "best batch": batch,
      "bare rows/s": median(rounds.map(({ bare }) => bare)),
      "batching on rows/s": median(rounds.map(({ on }) => on)),
      "batching off rows/s": median(rounds.map(({ off }) => off)),
      "on / bare": median(rounds.map(({ on, bare }) => on / bare)),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Rows per second of the three sides, measured one after the other. */
interface Round {
  readonly bare: number;
  readonly on: number;
  readonly off: number;
}

async function bestBatch(one: Case): Promise<number> {
  let best = { batch: 1, rowsPerSecond: 0 };
  for (const batch of one.batches) {
    const rowsPerSecond = await bareLoop(one, batch, PROBE_MS);
    if (rowsPerSecond > best.rowsPerSecond) best = { batch, rowsPerSecond };
  }
  return best.batch;
}

async function bareLoop(one: Case, batch: number, budgetMs: number): Promise<number> {
  const shapes = Object.fromEntries(
    Object.entries(one.inputs).map(([name, [, dtype, row]]) => [name, [dtype, [batch, ...row]] as const]),
  );
  const inputs = Buffer.concat(Object.values(one.inputs).map((input) => rowBytes(input, batch)));
  const program = join(BENCH_MODELS, `${one.model}.pt2`);
  const work = { program, inputs, shapes, threads: 1, precision: "float32", budgetMs } as const;
  const { meanMs } = await ortRun(work);
  return (batch / meanMs) * 1000;
}

async function served(one: Case, folder: string, flags: readonly string[]): Promise<number> {
  const args = [
    ...SCONCE,
    "serve",
    join(folder, "model.pt2"),
    "--port",
    "0",
    "--log-level",
    "error",
    "--threads",
    "1",
    ...flags,
  ];
  const server = await startChildServer(args, isReady);
  try {
    const tensors = Object.entries(one.inputs).map(([name, input]) => ({
      name,
      datatype: input[0],
      shape: [1, ...input[2]],
      bytes: rowBytes(input, 1),
    }));
    const load = {
      ...inferBody(tensors),
      url: `${server.url}/v2/models/model/infer`,
      connections: CONNECTIONS,
    };
    const pace = watchRows(server.url);
    const result = await httpLoad({ ...load, seconds: one.seconds });
    const rowsPerSecond = await pace.stop();
    if (result.failures > 0) throw new Error(`${one.model}: ${result.failures} requests failed`);
    return rowsPerSecond;
  } finally {
    await server.stop();
  }
}

/**
 * The pace of a loaded server from one finished run to another, as its own metrics count rows. What a load generator counts within a fixed
 * time leaves out the runs that it started and did not see the end of: of a large model, that is a tenth of all.
 */
function watchRows(url: string): { stop(): Promise<number> } {
  const seen: { readonly ms: number; readonly rows: number }[] = [];
  let isOver = false;
  const watching = (async () => {
    await sleep(SETTLE_MS);
    while (!isOver) {
      const rows = await rowsAnswered(url);
      if (rows !== seen.at(-1)?.rows) seen.push({ ms: performance.now(), rows });
      await sleep(POLL_MS);
    }
  })();
  return {
    async stop() {
      isOver = true;
      await watching;
      // The first entry is not an end of a run, just what had been answered by then.
      const [first, last] = [seen[1]!, seen.at(-1)!];
      return ((last.rows - first.rows) / (last.ms - first.ms)) * 1000;
    },
  };
}

async function rowsAnswered(url: string): Promise<number> {
  const text = await fetch(`${url}/metrics`).then((answer) => answer.text());
  return Number(/^sconce_rows_total\{.*\} (\S+)$/m.exec(text)?.[1] ?? 0);
}

/** Plausible values: small floats, token ids, masks of ones. */
function rowBytes([, dtype, row]: Case["inputs"][string], batch: number): Uint8Array {
  const count = row.reduce((product, size) => product * size, batch);
  const values =
    dtype === "int64"
      ? BigInt64Array.from({ length: count }, () => 1n)
      : Float32Array.from({ length: count }, (_, i) => (i % 17) / 17);
  return new Uint8Array(values.buffer);
}
