import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { startChildServer } from "../child-server.ts";
import { h2Load } from "../h2-load.ts";
import { httpLoad } from "../http-load.ts";
import { inferMessage } from "../infer-message.ts";
import { ortRun } from "../ort-run.ts";
import { type AbsentPeer, peerNames, preparedPeers } from "../peers/all-peers.ts";
import { FULL, type PeersEffort, QUICK } from "../peers/effort.ts";
import { modelFiles } from "../peers/model-files.ts";
import type { Peer } from "../peers/peer.ts";
import { PeerProcesses } from "../peers/peer-processes.ts";
import { type LoadRow, peersPage, type WorkloadResult } from "../peers/peers-page.ts";
import { type PeerStart, type RunningPeer, startPeer } from "../peers/running-peer.ts";
import { sconcePeer } from "../peers/sconce-peer.ts";
import { startsOf } from "../peers/starts.ts";
import { inTurn, type Measured, pauseRestless, type Target } from "../peers/turns.ts";
import { WORKLOADS, type Workload } from "../peers/workload.ts";
import { isRunning, treeCpuMs, treePssBytes } from "../process-tree.ts";
import type { Suite, SuiteOptions } from "../suite.ts";

const SETTLE_MS = 3000;
const REST_LOOK_MS = 2000;
const METHOD = "/inference.GRPCInferenceService/ModelInfer";
const PAGE = fileURLToPath(new URL("../../results/peers.md", import.meta.url));
const BARE = fileURLToPath(new URL("../bare-http.js", import.meta.url));

type Server = RunningPeer & Target;

interface Surroundings {
  readonly options: SuiteOptions;
  readonly processes: PeerProcesses;
  say(line: string): void;
}

interface Loading extends PeerStart {
  readonly effort: PeersEffort;
  say(line: string): void;
}

export const peers: Suite = {
  summary: `Sconce beside what people use, one model at a time, taking turns, answers checked (median of ${FULL.rounds} rounds; ${FULL.starts} starts)`,
  async run(print, options) {
    const { peers: others, absent } = await preparedPeers(peerNames(options.peers));
    const processes = new PeerProcesses();
    const results: WorkloadResult[] = [];
    try {
      for (const workload of WORKLOADS.filter(({ name }) => name.includes(options.only ?? ""))) {
        const result = await resultOf(workload, others, {
          options,
          processes,
          say: (line) => print(`(${workload.name}: ${line})`),
        });
        results.push({ ...result, absent: [...absent, ...result.absent] });
        print(peersPage(results.slice(-1)));
      }
    } finally {
      processes.close();
    }
    writeFileSync(PAGE, peersPage(results));
    print(`Markdown: ${PAGE}`);
    return { results };
  },
};

async function resultOf(
  workload: Workload,
  others: readonly Peer[],
  { options, processes, say }: Surroundings,
): Promise<WorkloadResult> {
  const { before, isQuick } = options;
  const effort = isQuick ? QUICK : FULL;
  const files = await modelFiles(workload);
  const start: PeerStart = { workload, files, processes };
  const first = sconcePeer("sconce, nothing kept", { isFirstStart: true });
  const ours = [
    sconcePeer("sconce"),
    ...(before === undefined ? [] : [sconcePeer("before", { checkout: before })]),
  ];
  const { able, absent, figures } = await startsOf([...ours, first, ...others], start, {
    say,
    rounds: effort.starts,
  });
  const loaded = able.filter((peer) => peer !== first);
  const load = await loadOf(loaded, { ...start, effort, say });
  return {
    workload: workload.name,
    rounds: effort.rounds,
    settings: loaded.map((peer) => ({ server: peer.name, settings: peer.settings(workload) })),
    starts: figures.map((row) => ({ ...row, ...load.atRest.get(row.server) })),
    rows: load.rows,
    absent: [...absent, ...load.wrong],
  };
}

/** What a server takes beside what it took at its first answer. */
interface AtRest {
  readonly idleShare: number;
  /** After all its loads. */
  readonly loadedPssBytes: number;
}

interface Load {
  readonly rows: readonly LoadRow[];
  readonly atRest: ReadonlyMap<string, AtRest>;
  /** Who gave wrong answers, and so was not measured. */
  readonly wrong: readonly AbsentPeer[];
}

async function loadOf(all: readonly Peer[], loading: Loading): Promise<Load> {
  const started: RunningPeer[] = [];
  let servers: readonly Server[] = [];
  try {
    loading.say("all start");
    for (const peer of all) started.push(await startPeer(peer, loading));
    const expected = await started[0]!.ask();
    const { right, wrong } = await checked(started, expected);
    servers = await withIdleShares(right);
    pauseRestless(servers, "SIGSTOP");
    const rows: LoadRow[] = [];
    for (const inFlight of loading.workload.inFlight) {
      loading.say(`rounds at ${inFlight} in flight`);
      rows.push(...(await httpRows(servers, loading, inFlight)));
      rows.push(await loopRow(loading, inFlight));
      if (loading.workload.model === "digits") rows.push(...(await grpcRows(servers, loading, inFlight)));
    }
    pauseRestless(servers, "SIGCONT");
    const atRest = new Map(
      servers.map(({ name, pid, idleShare }) => [name, { idleShare, loadedPssBytes: treePssBytes(pid) }]),
    );
    for (const server of servers.filter(({ pid }) => isRunning(pid))) await server.check(expected);
    return { rows, atRest, wrong };
  } finally {
    await Promise.all(started.map((server) => server.stop()));
  }
}

/** Those that answer as Sconce does; a wrong answer of another checkout of it is thrown. */
async function checked(
  started: readonly RunningPeer[],
  expected: Float32Array,
): Promise<{ readonly right: readonly RunningPeer[]; readonly wrong: readonly AbsentPeer[] }> {
  const right: RunningPeer[] = [];
  const wrong: AbsentPeer[] = [];
  for (const server of started) {
    try {
      await server.check(expected);
      right.push(server);
    } catch (error) {
      wrong.push({ server: server.name, why: (error as Error).message });
      await server.stop();
    }
  }
  if (right.length < 2) throw new Error(`no two servers agree: ${wrong.map(({ why }) => why).join("; ")}`);
  return { right, wrong };
}

/** What each takes while nobody asks any of them. */
async function withIdleShares(servers: readonly RunningPeer[]): Promise<readonly Server[]> {
  await sleep(SETTLE_MS);
  const before = servers.map(({ pid }) => treeCpuMs(pid));
  await sleep(REST_LOOK_MS);
  return servers.map((server, i) => ({
    ...server,
    idleShare: (treeCpuMs(server.pid) - before[i]!) / REST_LOOK_MS,
  }));
}

async function httpRows(
  servers: readonly Server[],
  { workload, effort }: Loading,
  inFlight: number,
): Promise<LoadRow[]> {
  const { request } = servers[0]!;
  const bare = workload.model === "digits" ? await startChildServer([BARE]) : undefined;
  try {
    const targets = [
      ...servers.map(({ name, pid, url, idleShare, request: own }) => ({
        name,
        pid,
        url,
        idleShare,
        request: own,
      })),
      ...(bare === undefined ? [] : [{ name: "bare node:http", idleShare: 0, request, ...addressOf(bare) }]),
    ];
    const runs = await inTurn(targets, {
      effort,
      seconds: effort.seconds ?? workload.seconds,
      measure: ({ url, request: { path, headers, body } }, seconds) =>
        httpLoad({ headers, body, url: `${url}${path}`, connections: inFlight, seconds }),
    });
    return rowsOf(runs, `${workload.name}, ${inFlight} in flight`);
  } finally {
    await bare?.stop();
  }
}

function addressOf({ pid, url }: { readonly pid: number; readonly url: string }): {
  pid: number;
  url: string;
} {
  return { pid, url };
}

async function grpcRows(
  servers: readonly Server[],
  { workload, files, effort }: Loading,
  inFlight: number,
): Promise<LoadRow[]> {
  const message = inferMessage(workload.model, workload.inputs, files.outputName);
  const targets = servers.filter(({ grpcTarget }) => grpcTarget !== undefined);
  const runs = await inTurn(targets, {
    effort,
    seconds: effort.seconds ?? workload.seconds,
    measure: ({ grpcTarget }, seconds) =>
      h2Load({ target: grpcTarget!, path: METHOD, message, inFlight, seconds }),
  });
  return rowsOf(runs, `${workload.name}, gRPC, ${inFlight} in flight`);
}

function rowsOf(runs: ReadonlyMap<string, Measured>, load: string): LoadRow[] {
  const sconce = runs.get("sconce")!;
  if (sconce.failures > 0) throw new Error(`sconce: ${sconce.failures} requests failed`);
  return [...runs].map(([server, run]) => ({
    load,
    server,
    perSecond: run.requestsPerSecond,
    p50Ms: run.p50Ms,
    p99Ms: run.p99Ms,
    cpuMs: run.cpuMs / run.requests,
    othersShare: run.othersShare,
    failures: run.failures,
  }));
}

/** One session in a loop that does nothing else, at the batch that a server can make of so many requests. */
async function loopRow(
  { workload, files: { program }, effort }: Loading,
  inFlight: number,
): Promise<LoadRow> {
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
  const budgetMs = (effort.seconds ?? workload.seconds) * 1000;
  const { meanMs } = await ortRun({ program, inputs, shapes, threads: 0, precision: "float32", budgetMs });
  return {
    load: `${workload.name}, ${inFlight} in flight`,
    server: `a loop without a server, batches of ${batch}`,
    perSecond: (batch / meanMs) * 1000,
    p50Ms: meanMs,
  };
}
