import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startTorchserve } from "@sconce/conformance/internals/real-torchserve";
import { SCONCE } from "../sconce-command.ts";

/** A server of TorchServe archives in a process of its own. */
export interface ArchiveServer {
  readonly name: string;
  readonly pid: number;
  readonly url: string;
  /** From the process's start to the first right answer, in milliseconds. */
  readonly startMs: number;
  stop(): Promise<void>;
}

/** Which archives, with how many workers each, run by which interpreter; and a request that tells whether it is up. */
export interface ArchiveServerOptions {
  readonly store: string;
  readonly archive: string;
  readonly workers: number;
  readonly python: string;
  answers(url: string): Promise<boolean>;
}

const FIRST_PORT = 19_080;
const PROBE_MS = 10;
const START_LIMIT_MS = 120_000;

export async function startRealTorchserve(options: ArchiveServerOptions): Promise<ArchiveServer> {
  const { store, archive, workers, python } = options;
  const home = mkdtempSync(join(tmpdir(), "sconce-bench-torchserve-"));
  const startedMs = performance.now();
  const settings = `load_models=${archive}.mar\ndefault_workers_per_model=${workers}\n`;
  const server = await startTorchserve(python, store, { home, firstPort: FIRST_PORT, settings });
  try {
    await untilUp(options, server.addresses.inference);
  } catch (error) {
    await server.stop();
    throw error;
  }
  return {
    name: "torchserve",
    pid: server.pid,
    url: server.addresses.inference,
    startMs: performance.now() - startedMs,
    async stop() {
      await server.stop();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

export async function startSconce(options: ArchiveServerOptions): Promise<ArchiveServer> {
  const { store, archive, workers, python } = options;
  const startedMs = performance.now();
  const child = spawn(
    process.execPath,
    [
      ...SCONCE,
      "serve",
      join(store, `${archive}.mar`),
      "--compat",
      "torchserve",
      "--port",
      String(FIRST_PORT + 10),
      "--torchserve-ports",
      "0,0,0,0",
      "--python",
      python,
      "--instances",
      String(workers),
      "--log-level",
      "error",
    ],
    { stdio: ["ignore", "ignore", "inherit"] },
  );
  const url = `http://127.0.0.1:${FIRST_PORT + 10}`;
  try {
    await untilUp(options, url, () => child.exitCode === null);
  } catch (error) {
    await end(child);
    throw error;
  }
  return {
    name: "sconce",
    pid: child.pid!,
    url,
    startMs: performance.now() - startedMs,
    stop: () => end(child),
  };
}

async function untilUp(
  { answers, archive }: ArchiveServerOptions,
  url: string,
  isAlive: () => boolean = () => true,
): Promise<void> {
  const endMs = performance.now() + START_LIMIT_MS;
  while (!(await answers(url).catch(() => false))) {
    if (performance.now() > endMs || !isAlive()) throw new Error(`${url} does not answer for ${archive}`);
    await new Promise((resolve) => setTimeout(resolve, PROBE_MS));
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  await ended;
}
