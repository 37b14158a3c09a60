import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { freePorts } from "./free-ports.ts";
import type { Peer, PeerPorts, PeerRequest } from "./peer.ts";
import type { PeerProcesses } from "./peer-processes.ts";
import type { ModelFiles, Workload } from "./workload.ts";

/** A busy machine's Ray or TorchServe takes most of it. */
const START_LIMIT_MS = 120_000;
const ASK_LIMIT_MS = 10_000;
const PROBE_MS = 10;
const WORDS_LENGTH = 4000;
const RELATIVE = 1e-3;
const ABSOLUTE = 1e-4;

/** What a workload is served by, in a process of its own. */
export interface RunningPeer {
  readonly name: string;
  readonly pid: number;
  readonly url: string;
  /** `host:port`; undefined when it does not speak gRPC. */
  readonly grpcTarget: string | undefined;
  readonly request: PeerRequest;
  /** From the process's start to the first answer, in milliseconds. */
  readonly startMs: number;
  /** Throws unless it gives these values. */
  check(expected: Float32Array): Promise<void>;
  ask(): Promise<Float32Array>;
  stop(): Promise<void>;
}

/** Where a server is started, what it serves, and who ends it whatever happens. */
export interface PeerStart {
  readonly workload: Workload;
  readonly files: ModelFiles;
  readonly processes: PeerProcesses;
}

/** Starts a server and waits for its first answer. */
export async function startPeer(peer: Peer, { workload, files, processes }: PeerStart): Promise<RunningPeer> {
  const [http, grpc] = (await freePorts(2)) as [number, number];
  const ports: PeerPorts = { http, grpc };
  const { program, args, env, cwd, folder } = await peer.command(workload, files, ports);
  const startedMs = performance.now();
  const child = spawn(program, args, {
    cwd,
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, ...env },
  });
  const stop = processes.watch(child, folder);
  const url = `http://127.0.0.1:${http}`;
  const request = peer.request(workload, files);
  const ask = () => askOnce(url, request);
  try {
    await firstAnswer(child, ask);
  } catch (error) {
    await stop();
    throw new Error(`${peer.name} serves no ${workload.name}`, { cause: error });
  }
  return {
    name: peer.name,
    pid: child.pid!,
    url,
    grpcTarget: grpcTargetOf(peer, ports),
    request,
    startMs: performance.now() - startedMs,
    ask,
    check: async (expected) => compare(await ask(), expected, peer.name),
    stop,
  };
}

function grpcTargetOf({ grpc }: Peer, ports: PeerPorts): string | undefined {
  if (grpc === "nowhere") return undefined;
  return `127.0.0.1:${grpc === "on the port of REST" ? ports.http : ports.grpc}`;
}

async function askOnce(url: string, { path, headers, body, read }: PeerRequest): Promise<Float32Array> {
  const answer = await fetch(`${url}${path}`, {
    method: "POST",
    headers: { ...headers },
    body: Buffer.from(body),
    signal: AbortSignal.timeout(ASK_LIMIT_MS),
  });
  if (!answer.ok) throw new Error(`status ${answer.status}: ${(await answer.text()).slice(0, 300)}`);
  return read(answer);
}

async function firstAnswer(child: ChildProcess, ask: () => Promise<unknown>): Promise<void> {
  const endMs = performance.now() + START_LIMIT_MS;
  const said = lastWords(child);
  let failed: Error | undefined;
  child.once("error", (error) => {
    failed = error;
  });
  for (;;) {
    if (failed !== undefined) throw failed;
    if (child.exitCode !== null) throw new Error(`it ended with code ${child.exitCode}${said()}`);
    try {
      await ask();
      return;
    } catch (error) {
      if (performance.now() > endMs) throw new Error(`${(error as Error).message}${said()}`);
      await sleep(PROBE_MS);
    }
  }
}

/** What a server wrote last on its standard error, which some fill with warnings that nobody wants to see otherwise. */
function lastWords(child: ChildProcess): () => string {
  let text = "";
  child.stderr!.setEncoding("utf8").on("data", (more: string) => {
    text = (text + more).slice(-WORDS_LENGTH);
  });
  return () => {
    const last = text.trimEnd().split("\n").at(-1);
    return last ? `: ${last}` : "";
  };
}

function compare(actual: Float32Array, expected: Float32Array, name: string): void {
  if (actual.length !== expected.length)
    throw new Error(`${name} gives ${actual.length} values, not ${expected.length}`);
  for (const [i, value] of actual.entries()) {
    const wanted = expected[i]!;
    if (!(Math.abs(value - wanted) <= ABSOLUTE + RELATIVE * Math.abs(wanted))) {
      throw new Error(`${name} gives ${value} at ${i}, not ${wanted}`);
    }
  }
}
