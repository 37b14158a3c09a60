import { execFile } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { isReady, startChildServer } from "../child-server.ts";
import { httpLoad } from "../http-load.ts";
import type { LoadResult } from "../load-result.ts";
import { treeCpuMs } from "../process-tree.ts";
import { BENCH_MODELS, pythonWithModels, SCRIPTS } from "../python-with-models.ts";
import { SCONCE } from "../sconce-command.ts";
import type { Suite } from "../suite.ts";
import { table } from "../table.ts";
import { takeTurns } from "../take-turns.ts";

const CONNECTIONS = 8;
const SECONDS = 4;
const ROUNDS = 3;
const TEXT = "Angela Merkel met Barack Obama in Berlin; they walked along the Spree for an hour.";
/** Each model, and what it is sent: the name of a file, or a text. */
const CASES: readonly (readonly [model: string, file: string | undefined])[] = [
  ["small-image", "small.jpg"],
  ["small-image", "photo.jpg"],
  ["resnet18", "photo.jpg"],
  ["small-text", undefined],
  ["minilm", undefined],
];

/** Photographs and texts, as bytes and JSON, beside a Python server around transformers' pipelines. */
export const tasks: Suite = {
  summary: `tasks over POST /predict at ${CONNECTIONS} connections, beside transformers' pipelines behind Python's own HTTP server, taking turns (median of ${ROUNDS} rounds)`,
  async run(print, { only = "" }) {
    const python = await pythonWithModels();
    const folder = join(BENCH_MODELS, "tasks");
    mkdirSync(folder, { recursive: true });
    const program = join(SCRIPTS, "python/bench_tasks.py");
    await promisify(execFile)(python, [program, "models", folder]);
    const serving = ["serve", join(folder, "models"), "--port", "0", "--log-level", "error"];
    const sconce = await startChildServer([...SCONCE, ...serving], isReady);
    const pipelines = await startChildServer([program, "serve", folder], undefined, python);
    try {
      const rows = [];
      for (const [model, file] of CASES.filter(([name]) => name.includes(only))) {
        const body = file === undefined ? JSON.stringify({ input: TEXT }) : readFileSync(join(folder, file));
        const urls = { sconce: sconce.url, transformers: pipelines.url };
        await checkAnswers(urls, model, body);
        const pids = new Map([sconce, pipelines].map(({ url, pid }) => [url, pid]));
        const results = await compare(urls, pids, { model, body });
        rows.push(rowOf(`${model}, ${file ?? "a text"}`, results));
      }
      print(table(rows));
      return rows;
    } finally {
      await Promise.all([sconce.stop(), pipelines.stop()]);
    }
  },
};

type Urls = Readonly<Record<"sconce" | "transformers", string>>;

async function checkAnswers(urls: Urls, model: string, body: string | Buffer): Promise<void> {
  const asked = Object.values(urls).map(async (url) => {
    const response = await fetch(`${url}/predict/${model}`, {
      method: "POST",
      body: typeof body === "string" ? body : new Uint8Array(body),
      headers: { "content-type": "application/octet-stream" },
    });
    const { prediction } = (await response.json()) as { readonly prediction: { readonly label: string }[] };
    return prediction.map(({ label }) => label).join();
  });
  const [ours, theirs] = await Promise.all(asked);
  if (ours !== theirs) throw new Error(`${model}: sconce says ${ours}, transformers ${theirs}`);
}

interface Asked {
  readonly model: string;
  readonly body: string | Buffer;
}

function compare(
  urls: Urls,
  pids: ReadonlyMap<string, number>,
  { model, body }: Asked,
): Promise<Record<string, LoadResult>> {
  const headers = { "content-type": "application/octet-stream" };
  return takeTurns(urls, {
    rounds: ROUNDS,
    async measure(url, round) {
      const pid = pids.get(url)!;
      const before = treeCpuMs(pid);
      const result = await httpLoad({
        url: `${url}/predict/${model}`,
        body: Buffer.from(body),
        headers,
        connections: CONNECTIONS,
        seconds: round === 0 ? 1 : SECONDS,
      });
      return { ...result, cpuMicros: (1000 * (treeCpuMs(pid) - before)) / result.requests };
    },
  });
}

function rowOf(what: string, results: Record<string, LoadResult>): Record<string, string | number> {
  const [ours, theirs] = [results["sconce"]!, results["transformers"]!];
  return {
    what,
    "sconce req/s": ours.requestsPerSecond,
    "transformers req/s": theirs.requestsPerSecond,
    ratio: ours.requestsPerSecond / theirs.requestsPerSecond,
    "sconce p50 ms": ours.p50Ms,
    "transformers p50 ms": theirs.p50Ms,
    "sconce CPU ms": ours.cpuMicros! / 1000,
    "transformers CPU ms": theirs.cpuMicros! / 1000,
    "CPU ratio": theirs.cpuMicros! / ours.cpuMicros!,
    failures: ours.failures + theirs.failures,
  };
}
