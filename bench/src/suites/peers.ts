import { availableParallelism } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { startChildServer } from "../child-server.ts";
import { h2Load } from "../h2-load.ts";
import { httpLoad } from "../http-load.ts";
import { inferMessage } from "../infer-message.ts";
import { type LoadResult, medianRun } from "../load-result.ts";
import { median } from "../median.ts";
import { ortRun } from "../ort-run.ts";
import { peerPython } from "../peers/environment.ts";
import { fastapiPeer } from "../peers/fastapi-peer.ts";
import { modelFiles } from "../peers/model-files.ts";
import type { Peer } from "../peers/peer.ts";
import { type RunningPeer, startPeer } from "../peers/running-peer.ts";
import { sconcePeer } from "../peers/sconce-peer.ts";
import { tritonPeer } from "../peers/triton-peer.ts";
import { type ModelFiles, WORKLOADS, type Workload } from "../peers/workload.ts";
import { isRunning, machineCpuMs, ownCpuMs, treeCpuMs, treePssBytes, untilIdle } from "../process-tree.ts";
import type { Suite } from "../suite.ts";
import { table } from "../table.ts";

const ROUNDS = 5;
const STARTS = 3;
const KEEPING_MS = 2000;
const METHOD = "/inference.GRPCInferenceService/ModelInfer";
const BARE = fileURLToPath(new URL("../bare-http.js", import.meta.url));

type Row = Record<string, string | number>;
type FourFigures = [number, number, number, number];

/** One server in one round. */
interface Measured extends LoadResult {
  readonly cpuMs: number;
  /** Processor time of everything else on the machine, per second and processor: what disturbed the round. */
  readonly othersShare: number;
}

export const peers: Suite = {
  summary: `Sconce beside Triton and FastAPI, one model at a time, taking turns, answers checked (median of ${ROUNDS} rounds; ${STARTS} starts)`,
  async run(print, { before, only = "" }) {
    const python = await peerPython();
    const all: readonly Peer[] = [
      sconcePeer("sconce"),
      ...(before === undefined ? [] : [sconcePeer("before", { checkout: before })]),
      tritonPeer(python),
      fastapiPeer("onnxruntime", python),
      fastapiPeer("torchscript", python),
    ];
    const rows: Row[] = [];
    const starts: Row[] = [];
    for (const workload of WORKLOADS.filter(({ name }) => name.includes(only))) {
      const files = await modelFiles(workload);
      const able = await peersFor(all, workload, { files, print });
      const first = sconcePeer("sconce, nothing kept", { isFirstStart: true });
      starts.push(...(await startRows([...able, first], workload, files)));
      rows.push(...(await loadRows(able, workload, files)));
      print(
        table(
          rows.filter((row) => row["load"] !== undefined && String(row["load"]).startsWith(workload.name)),
        ),
      );
    }
    print(table(starts));
    return { rows, starts };
  },
};

/** Those that serve it at all; of the others it says why not. */
async function peersFor(
  all: readonly Peer[],
  workload: Workload,
  { files, print }: { readonly files: ModelFiles; readonly print: (line: string) => void },
): Promise<readonly Peer[]> {
  const able: Peer[] = [];
  for (const peer of all) {
    try {
      const server = await startPeer(peer, workload, files);
      // What it keeps for its next start it makes when it has nothing else to do.
      await sleep(KEEPING_MS);
      await untilIdle(server.pid);
      await server.stop();
      able.push(peer);
    } catch (error) {
      if (peer.name === "sconce") throw error;
      print(`${(error as Error).message}: ${String((error as Error).cause)}`);
    }
  }
  return able;
}

async function startRows(all: readonly Peer[], workload: Workload, files: ModelFiles): Promise<Row[]> {
  const startsMs = new Map<string, number[]>(all.map(({ name }) => [name, []]));
  const pssBytes = new Map<string, number>();
  for (let round = 0; round < STARTS; round++) {
    for (const peer of all) {
      const server = await startPeer(peer, workload, files);
      startsMs.get(peer.name)!.push(server.startMs);
      pssBytes.set(peer.name, treePssBytes(server.pid));
      await server.stop();
    }
  }
  return all.map(({ name }) => ({
    model: workload.name,
    server: name,
    "first answer s": median(startsMs.get(name)!) / 1000,
    "PSS MiB": pssBytes.get(name)! / 2 ** 20,
  }));
}

async function loadRows(all: readonly Peer[], workload: Workload, files: ModelFiles): Promise<Row[]> {
  const servers: RunningPeer[] = [];
  try {
    for (const peer of all) servers.push(await startPeer(peer, workload, files));
    const expected = await servers.find(({ name }) => name === "fastapi + onnxruntime")!.ask();
    for (const server of servers) await server.check(expected);
    const rows: Row[] = [];
    for (const inFlight of workload.inFlight) {
      rows.push(...(await httpRows(servers, workload, inFlight)));
      if (workload.model === "digits") rows.push(...(await grpcRows(servers, workload, files, inFlight)));
      rows.push(await loopRow(workload, files, inFlight));
    }
    for (const server of servers.filter(({ pid }) => isRunning(pid))) await server.check(expected);
    return rows;
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}

async function httpRows(
  servers: readonly RunningPeer[],
  workload: Workload,
  inFlight: number,
): Promise<Row[]> {
  const { request } = servers[0]!;
  const bare = workload.model === "digits" ? await startChildServer([BARE]) : undefined;
  try {
    const targets = [
      ...servers.map(({ name, pid, url, request: own }) => ({ name, pid, url, request: own })),
      ...(bare === undefined ? [] : [{ name: "bare node:http", pid: bare.pid, url: bare.url, request }]),
    ];
    const measure = (target: (typeof targets)[number], seconds: number): Promise<LoadResult> =>
      httpLoad({
        ...target.request,
        url: `${target.url}${target.request.path}`,
        connections: inFlight,
        seconds,
      });
    return rowsOf(
      await inTurn(targets, workload.seconds, measure),
      `${workload.name}, ${inFlight} in flight`,
    );
  } finally {
    await bare?.stop();
  }
}

async function grpcRows(
  servers: readonly RunningPeer[],
  workload: Workload,
  { outputName }: ModelFiles,
  inFlight: number,
): Promise<Row[]> {
  const message = inferMessage(workload.model, workload.inputs, outputName);
  const targets = servers.filter(({ grpcTarget }) => grpcTarget !== undefined);
  const measure = ({ grpcTarget }: RunningPeer, seconds: number): Promise<LoadResult> =>
    h2Load({ target: grpcTarget!, path: METHOD, message, inFlight, seconds });
  return rowsOf(
    await inTurn(targets, workload.seconds, measure),
    `${workload.name}, gRPC, ${inFlight} in flight`,
  );
}

/** Each target once in every round; the first round warms up. One whose process ends is left out from then on. */
async function inTurn<T extends { readonly name: string; readonly pid: number }>(
  targets: readonly T[],
  seconds: number,
  measure: (target: T, seconds: number) => Promise<LoadResult>,
): Promise<Map<string, Measured>> {
  const runs = new Map<string, Measured[]>(targets.map(({ name }) => [name, []]));
  for (let round = 0; round <= ROUNDS; round++) {
    for (const target of targets.filter(({ pid }) => isRunning(pid))) {
      const run = await measured(target, () => measure(target, round === 0 ? 1 : seconds));
      if (run === undefined) continue;
      if (run.failures > 0) throw new Error(`${target.name}: ${run.failures} requests failed`);
      if (round > 0) runs.get(target.name)!.push(run);
    }
  }
  return new Map(
    [...runs].filter(([, results]) => results.length > 0).map(([name, results]) => [name, medianOf(results)]),
  );
}

/**
 * One load, with what it cost; undefined: the process ended over it. Returns when the server has come to rest: wrk leaves without its last answers, which
 * would be computed in the next server's turn.
 */
async function measured(
  { pid }: { readonly pid: number },
  load: () => Promise<LoadResult>,
): Promise<Measured | undefined> {
  const cpusMs = (): readonly number[] => [machineCpuMs(), treeCpuMs(pid), ownCpuMs(), performance.now()];
  const before = cpusMs();
  const run = await load();
  if (!isRunning(pid)) return undefined;
  const [machineMs, cpuMs, ownMs, tookMs] = cpusMs().map((ms, i) => ms - before[i]!) as FourFigures;
  await untilIdle(pid);
  const othersShare = Math.max(0, machineMs - cpuMs - ownMs) / (tookMs * availableParallelism());
  return { ...run, cpuMs, othersShare };
}

function medianOf(results: readonly Measured[]): Measured {
  const middle = medianRun(results);
  const { cpuMs } = results.find(({ requests }) => requests === middle.requests)!;
  return { ...middle, cpuMs, othersShare: median(results.map(({ othersShare }) => othersShare)) };
}

function rowsOf(results: Map<string, Measured>, load: string): Row[] {
  const sconce = results.get("sconce")!;
  return [...results].map(([server, run]) => ({
    load,
    server,
    "req/s": run.requestsPerSecond,
    "p50 ms": run.p50Ms,
    "p99 ms": run.p99Ms,
    "CPU ms": run.cpuMs / run.requests,
    "others %": 100 * run.othersShare,
    "sconce /": sconce.requestsPerSecond / run.requestsPerSecond,
  }));
}

/** One session in a loop that does nothing else, at the batch that a server can make of so many requests. */
async function loopRow(workload: Workload, { program }: ModelFiles, inFlight: number): Promise<Row> {
  const batch = Math.min(inFlight, workload.maxBatchSize);
  const shapes = Object.fromEntries(
    workload.inputs.map(({ name, datatype, shape }) => [
      name,
      [datatype === "INT64" ? "int64" : "float32", [batch, ...shape.slice(1)]] as const,
    ]),
  );
  const inputs = Buffer.concat(
    workload.inputs.flatMap(({ bytes }) => Array.from({ length: batch }, () => bytes)),
  );
  const budgetMs = workload.seconds * 1000;
  const { meanMs } = await ortRun({ program, inputs, shapes, threads: 0, precision: "float32", budgetMs });
  return {
    load: `${workload.name}, ${inFlight} in flight`,
    server: `bare loop, batch ${batch}`,
    "req/s": (batch / meanMs) * 1000,
    "p50 ms": meanMs,
    "p99 ms": "",
    "CPU ms": "",
    "others %": "",
    "sconce /": "",
  };
}
