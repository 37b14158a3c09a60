import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { torchservePython } from "@sconce/conformance/internals/real-torchserve";
import { httpLoad } from "../http-load.ts";
import { type LoadResult, medianRun } from "../load-result.ts";
import { median } from "../median.ts";
import {
  type ArchiveServer,
  type ArchiveServerOptions,
  startRealTorchserve,
  startSconce,
} from "../peers/archive-servers.ts";
import { PEERS } from "../peers/environment.ts";
import { treeCpuMs, treePssBytes } from "../process-tree.ts";
import { BENCH_MODELS } from "../python-with-models.ts";
import type { Suite } from "../suite.ts";
import { table } from "../table.ts";

const ROUNDS = 3;
const STARTS = 3;
const CONNECTIONS = [1, 8, 32];
const WORKERS = [1, 2, 4];
const SECONDS = 4;

type Row = Record<string, string | number>;

interface Archive {
  readonly name: string;
  readonly type: string;
  body(store: string): Buffer;
  readonly workers: readonly number[];
}

const ROW = Buffer.from('{"values":[1,2,3]}');
const ARCHIVES: readonly Archive[] = [
  { name: "handler", type: "application/json", body: () => ROW, workers: WORKERS },
  { name: "batches", type: "application/json", body: () => ROW, workers: [1] },
  {
    name: "resnet18",
    type: "image/png",
    body: (store) => readFileSync(join(store, "ramp.png")),
    workers: [1],
  },
];

/** The real TorchServe and this checkout, on the same archives by the same interpreter, answers compared. */
export const torchserve: Suite = {
  summary: `Sconce beside the real TorchServe 0.12: the same archives, interpreter and client, taking turns (median of ${ROUNDS} rounds; ${STARTS} starts)`,
  async run(print, { only = "" }) {
    const python = await torchservePython();
    const store = join(BENCH_MODELS, "torchserve");
    if (!existsSync(join(store, "resnet18.mar")))
      await promisify(execFile)(python, ["-W", "ignore", join(PEERS, "torchserve_archives.py"), store]);
    const rows: Row[] = [];
    const starts: Row[] = [];
    for (const archive of ARCHIVES.filter(({ name }) => name.includes(only))) {
      for (const workers of archive.workers) {
        const measured = await measure(archive, { store, python, workers });
        rows.push(...measured.rows);
        starts.push(...measured.starts);
        print(table(measured.rows));
      }
    }
    print(table(starts));
    return { rows, starts };
  },
};

async function measure(
  archive: Archive,
  { store, python, workers }: { readonly store: string; readonly python: string; readonly workers: number },
): Promise<{ readonly rows: readonly Row[]; readonly starts: readonly Row[] }> {
  const body = archive.body(store);
  const headers = { "content-type": archive.type };
  const path = `/predictions/${archive.name}`;
  const ask = (url: string): Promise<Response> =>
    fetch(`${url}${path}`, { method: "POST", headers, body: new Uint8Array(body) });
  const options: ArchiveServerOptions = {
    store,
    archive: archive.name,
    workers,
    python,
    answers: async (url) => (await ask(url)).ok,
  };
  const starts = await startRows(archive.name, options);
  const servers: ArchiveServer[] = [];
  try {
    servers.push(await startSconce(options), await startRealTorchserve(options));
    const [ours, theirs] = await Promise.all(servers.map(async ({ url }) => (await ask(url)).text()));
    if (ours !== theirs) throw new Error(`${archive.name}: Sconce says ${ours}, TorchServe ${theirs}`);
    const rows: Row[] = [];
    for (const connections of CONNECTIONS) {
      const load = (url: string, seconds: number): Promise<LoadResult> =>
        httpLoad({ url: `${url}${path}`, body, headers, connections, seconds });
      rows.push(
        ...(await inTurn(servers, load, `${archive.name}, ${workers} workers, ${connections} connections`)),
      );
    }
    return { rows, starts };
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}

/** Each starts alone, several times. */
async function startRows(archive: string, options: ArchiveServerOptions): Promise<Row[]> {
  const rows: Row[] = [];
  for (const start of [startSconce, startRealTorchserve]) {
    const startsMs: number[] = [];
    let [pssBytes, name] = [0, ""];
    for (let round = 0; round < STARTS; round++) {
      const server = await start(options);
      startsMs.push(server.startMs);
      name = server.name;
      pssBytes = treePssBytes(server.pid);
      await server.stop();
    }
    rows.push({
      archive,
      workers: options.workers,
      server: name,
      "first answer s": median(startsMs) / 1000,
      "PSS MiB": pssBytes / 2 ** 20,
    });
  }
  return rows;
}

async function inTurn(
  servers: readonly ArchiveServer[],
  load: (url: string, seconds: number) => Promise<LoadResult>,
  what: string,
): Promise<Row[]> {
  const runs = new Map<string, LoadResult[]>(servers.map(({ name }) => [name, []]));
  // The first round warms up.
  for (let round = 0; round <= ROUNDS; round++) {
    for (const { name, url, pid } of servers) {
      const before = treeCpuMs(pid);
      const run = await load(url, round === 0 ? 1 : SECONDS);
      if (run.failures > 0) throw new Error(`${name}: ${run.failures} requests failed`);
      if (round > 0)
        runs.get(name)!.push({ ...run, cpuMicros: ((treeCpuMs(pid) - before) * 1000) / run.requests });
    }
  }
  const results = new Map([...runs].map(([name, all]) => [name, medianRun(all)]));
  const theirs = results.get("torchserve")!;
  return [...results].map(([server, run]) => ({
    load: what,
    server,
    "req/s": run.requestsPerSecond,
    "p50 ms": run.p50Ms,
    "p99 ms": run.p99Ms,
    "CPU ms": (run.cpuMicros ?? 0) / 1000,
    "times TorchServe": run.requestsPerSecond / theirs.requestsPerSecond,
  }));
}
