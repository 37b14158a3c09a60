import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { get } from "node:https";
import { fileURLToPath } from "node:url";
import { nodeFlags } from "./internals/node-flags.ts";

/** The built server as a process of its own, as a user starts it. */
export interface ServerProcess {
  readonly url: string;
  /** `host:port`, for gRPC. */
  readonly authority: string;
  readonly pid: number;
  /** Everything it wrote so far, standard output and error together. */
  output(): string;
  /** Sends a signal, by default SIGTERM, and resolves with the exit code and how long it took. */
  stop(signal?: NodeJS.Signals): Promise<{ readonly code: number | null; readonly elapsedMs: number }>;
}

const BIN = fileURLToPath(new URL("../../packages/server/bin/sconce.js", import.meta.url));
/** A test sees what this tree makes of a file, and leaves nothing in the user's own folders. */
const KEEPS_NOTHING = { SCONCE_TRANSLATION_CACHE: "off" };
/** Against servers that never start; a busy machine may take its time. */
const START_LIMIT_MS = 120_000;

/** Runs `sconce serve …args --port 0` and waits until it is ready, or with `until: "listening"` until its port is open. */
export async function startServerProcess(
  args: readonly string[],
  options: { readonly until?: "ready" | "listening"; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<ServerProcess> {
  const child = spawn(process.execPath, [...nodeFlags(), BIN, "serve", ...args, "--port", "0"], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...KEEPS_NOTHING, ...options.env },
  });
  let output = "";
  const collect = (chunk: Buffer): void => {
    output += chunk.toString();
  };
  child.stdout.on("data", collect);
  child.stderr.on("data", collect);
  const url = await waitFor(
    child,
    () => /listens on (https?:\S+)/.exec(output)?.[1],
    () => output,
  );
  if (options.until !== "listening") {
    await waitFor(
      child,
      async () => ((await isReady(url)) ? true : undefined),
      () => output,
    );
  }
  return {
    url,
    authority: new URL(url).host,
    pid: child.pid!,
    output: () => output,
    async stop(signal = "SIGTERM") {
      const startedMs = performance.now();
      if (child.exitCode === null && child.signalCode === null) {
        const exited = once(child, "exit");
        child.kill(signal);
        await exited;
      }
      return { code: child.exitCode, elapsedMs: performance.now() - startedMs };
    },
  };
}

/** Whoever signed its certificate: whether it is up is no secret. */
function isReady(url: string): Promise<boolean> {
  if (url.startsWith("http:")) return fetch(`${url}/v2/health/ready`).then(({ ok }) => ok);
  return new Promise((resolve, reject) => {
    get(`${url}/v2/health/ready`, { rejectUnauthorized: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    }).once("error", reject);
  });
}

async function waitFor<T>(
  child: ChildProcess,
  probe: () => T | undefined | Promise<T | undefined>,
  output: () => string,
): Promise<T> {
  const deadlineMs = performance.now() + START_LIMIT_MS;
  for (;;) {
    const value = await probe();
    if (value !== undefined) return value;
    if (child.exitCode !== null)
      throw new Error(`the server ended with code ${child.exitCode}:\n${output()}`);
    if (performance.now() > deadlineMs)
      throw new Error(`the server was not up after ${START_LIMIT_MS} ms:\n${output()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
