import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Peer, PeerPorts, PeerRequest } from "./peer.ts";
import type { ModelFiles, Workload } from "./workload.ts";

const START_LIMIT_MS = 30_000;
const PROBE_MS = 10;
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

/** Starts a server and waits for its first answer. */
export async function startPeer(peer: Peer, workload: Workload, files: ModelFiles): Promise<RunningPeer> {
  const ports: PeerPorts = { http: await freePort(), grpc: await freePort() };
  const { program, args, env } = await peer.command(workload, files, ports);
  const startedMs = performance.now();
  const child = spawn(program, args, {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, ...env },
  });
  const url = `http://127.0.0.1:${ports.http}`;
  const request = peer.request(workload, files);
  const ask = () => askOnce(url, request);
  try {
    await firstAnswer(child, ask);
  } catch (error) {
    child.kill("SIGKILL");
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
    stop: () => end(child),
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
  });
  if (!answer.ok) throw new Error(`status ${answer.status}: ${(await answer.text()).slice(0, 300)}`);
  return read(answer);
}

async function firstAnswer(child: ChildProcess, ask: () => Promise<unknown>): Promise<void> {
  const endMs = performance.now() + START_LIMIT_MS;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`it ended with code ${child.exitCode}`);
    try {
      await ask();
      return;
    } catch (error) {
      if (performance.now() > endMs) throw error;
      await sleep(PROBE_MS);
    }
  }
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

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), 15_000);
  await ended;
  clearTimeout(timer);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
