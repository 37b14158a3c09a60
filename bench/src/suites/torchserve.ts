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

const FULL: Effort = { rounds: 3, starts: 3, seconds: 4, warmUpSeconds: 1 };
/** To see that everything works; its figures mean little. */
const QUICK: Effort = { rounds: 1, starts: 1, seconds: 3, warmUpSeconds: 1 };
const CONNECTIONS = [1, 8, 32];
const WORKERS = [1, 2, 4];

interface Effort {
  readonly rounds: number;
  readonly starts: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
}

type Row = Record<string, string | number>;

interface Archive {
  readonly name: string;
  readonly type: string;
  body(store: string): Buffer;
  readonly headers?: Readonly<Record<string, string>>;
  /** With how many workers each it is asked; start and memory are measured with all of `WORKERS` where it has a model. */
  readonly workers: readonly number[];
  readonly hasModel: boolean;
}

const row = (): Buffer => Buffer.from('{"values":[1,2,3]}');
const text =
  (said: string): Archive["body"] =>
  () =>
    Buffer.from(said);
const JSON_TYPE = "application/json";
const ARCHIVES: readonly Archive[] = [
  { name: "handler", type: JSON_TYPE, body: row, workers: WORKERS, hasModel: true },
  { name: "batches", type: JSON_TYPE, body: row, workers: [1], hasModel: false },
  { name: "function", type: "text/plain", body: text("list"), workers: [1], hasModel: false },
  { name: "text", type: "text/plain", body: text("the film is good"), workers: [1], hasModel: false },
  { name: "streaming", type: "text/plain", body: text("one two three"), workers: [1], hasModel: false },
  {
    name: "stateful",
    type: "text/plain",
    // Sums stay as they are, so that answers are alike.
    body: text("0"),
    headers: { ts_request_sequence_id: "one" },
    workers: [1],
    hasModel: false,
  },
  {
    name: "resnet18",
    type: "image/png",
    body: (store) => readFileSync(join(store, "ramp.png")),
    workers: [1],
    hasModel: true,
  },
];

/** The real TorchServe and this checkout, on the same archives by the same interpreter, answers compared. */
export const torchserve: Suite = {
  summary: `Sconce beside the real TorchServe 0.12: the same archives, interpreter and client, taking turns (median of ${FULL.rounds} rounds; ${FULL.starts} starts)`,
  async run(print, { only = "", isQuick }) {
    const python = await torchservePython();
    const store = join(BENCH_MODELS, "torchserve");
    const archives = ARCHIVES.filter(({ name }) => name.includes(only));
    if (!archives.every(({ name }) => existsSync(join(store, `${name}.mar`))))
      await promisify(execFile)(python, ["-W", "ignore", join(PEERS, "torchserve_archives.py"), store]);
    const effort = isQuick ? QUICK : FULL;
    const rows: Row[] = [];
    const starts: Row[] = [];
    for (const archive of archives) {
      for (const workers of archive.workers) {
        const measured = await measure(archive, { store, python, workers, effort });
        rows.push(...measured);
        print(table(measured));
      }
      for (const workers of archive.hasModel ? WORKERS : archive.workers) {
        const started = await startRows(archive.name, {
          ...serverOptions(archive, { store, python, workers }),
          rounds: effort.starts,
        });
        starts.push(...started);
        print(table(started));
      }
    }
    print(table(rows));
    print(table(starts));
    return { rows, starts };
  },
};

interface Place {
  readonly store: string;
  readonly python: string;
  readonly workers: number;
}

function serverOptions(archive: Archive, place: Place): ArchiveServerOptions {
  const ask = asking(archive, place.store);
  return { ...place, archive: archive.name, answers: async (url) => (await ask(url)).ok };
}

function asking(archive: Archive, store: string): (url: string) => Promise<Response> {
  const body = new Uint8Array(archive.body(store));
  const headers = headersOf(archive);
  return (url) => fetch(`${url}/predictions/${archive.name}`, { method: "POST", headers, body });
}

function headersOf({ type, headers }: Archive): Readonly<Record<string, string>> {
  return { "content-type": type, ...headers };
}

async function measure(archive: Archive, place: Place & { readonly effort: Effort }): Promise<Row[]> {
  const { store, workers, effort } = place;
  const options = serverOptions(archive, place);
  const ask = asking(archive, store);
  const servers: ArchiveServer[] = [];
  try {
    servers.push(await startSconce(options), await startRealTorchserve(options));
    const [ours, theirs] = await Promise.all(servers.map(async ({ url }) => (await ask(url)).text()));
    if (ours !== theirs) throw new Error(`${archive.name}: Sconce says ${ours}, TorchServe ${theirs}`);
    const rows: Row[] = [];
    for (const connections of CONNECTIONS) {
      const load = (url: string, seconds: number): Promise<LoadResult> =>
        httpLoad({
          url: `${url}/predictions/${archive.name}`,
          body: archive.body(store),
          headers: headersOf(archive),
          connections,
          seconds,
        });
      const what = `${archive.name}, ${workers} workers, ${connections} connections`;
      rows.push(...(await inTurn(servers, load, { what, effort })));
    }
    return rows;
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}

/** Each starts alone, several times. */
async function startRows(
  archive: string,
  { rounds, ...options }: ArchiveServerOptions & { readonly rounds: number },
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const start of [startSconce, startRealTorchserve]) {
    const startsMs: number[] = [];
    let [pssBytes, name] = [0, ""];
    for (let round = 0; round < rounds; round++) {
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
  { what, effort }: { readonly what: string; readonly effort: Effort },
): Promise<Row[]> {
  const runs = new Map<string, LoadResult[]>(servers.map(({ name }) => [name, []]));
  // The first round warms up.
  for (let round = 0; round <= effort.rounds; round++) {
    for (const { name, url, pid } of servers) {
      const before = treeCpuMs(pid);
      const run = await load(url, round === 0 ? effort.warmUpSeconds : effort.seconds);
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
