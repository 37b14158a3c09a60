import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { nodeFlags } from "../internals/server.ts";
import type { LoopLateness } from "./loop-meter.ts";
import { monotonicMs } from "./monotonic.ts";
import { startPinned } from "./pinned-process.ts";

/** A server under test, in a process of its own. */
export interface ChaosServer {
  readonly url: string;
  /** Empty: no --health-address. */
  readonly healthUrl: string;
  readonly pid: number;
  /** What it logged: warnings and errors, as JSON lines. */
  log(): string;
  /** How late its event loop was since the last time it was asked. */
  lateness(): Promise<LoopLateness>;
  /** Its event loop stands still for this long, from a moment on that is now or soon. */
  stall(ms: number): void;
  /** Its wall clock shows so much more than the real one. */
  shiftClock(ms: number): void;
  /** Undefined while it runs. */
  exitCode(): number | null | undefined;
  /** SIGTERM; resolves when it has ended. */
  stop(): Promise<{ readonly code: number | null; readonly elapsedMs: number }>;
}

const MOST_LOG = 1_000_000;
/** Against servers that never start; a busy machine may take its time. */
const START_LIMIT_MS = 120_000;
const SHIFT_CLOCK = new URL("./shift-clock.js", import.meta.url).href;

export interface ChaosServerOptions {
  readonly core?: number | undefined;
  readonly openFiles?: number | undefined;
  /** What runs the models; default: the calibrated runtime. */
  readonly runtime?: "calibrated" | "onnx" | undefined;
  readonly env?: Readonly<Record<string, string>>;
  /** Where it runs: what to put before its command (see `Host`). */
  readonly enter?: readonly string[];
}

/** Starts the server on a free port and waits until all its models were tried. `flags` as `--name=value`. */
export async function startChaosServer(
  folder: string,
  flags: readonly string[],
  options: ChaosServerOptions = {},
): Promise<ChaosServer> {
  const args = [folder, "--port=0", ...flags];
  const entry = options.runtime === "onnx" ? "./onnx-server-main.js" : "./server-main.js";
  const flagsOfNode = [...nodeFlags(), "--import", SHIFT_CLOCK];
  const child = startPinned(entry, args, { ...options, nodeFlags: flagsOfNode });
  let log = "";
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.on("data", (chunk: Buffer) => {
      log = (log + chunk.toString()).slice(-MOST_LOG);
    });
  }
  const { url, healthUrl = "" } = await urlsOf(child, () => log);
  return {
    url,
    healthUrl,
    pid: child.pid!,
    log: () => log,
    async lateness() {
      const answered = once(child, "message");
      child.send("lateness");
      const [message] = (await answered) as [{ readonly lateness: LoopLateness }];
      return message.lateness;
    },
    stall: (stallMs) => child.send({ stallMs }),
    shiftClock: (clockShiftMs) => child.send({ clockShiftMs }),
    exitCode: () => (hasEnded(child) ? child.exitCode : undefined),
    async stop() {
      const startMs = monotonicMs();
      if (!hasEnded(child)) {
        const exited = once(child, "exit");
        child.kill("SIGTERM");
        await exited;
      }
      return { code: child.exitCode, elapsedMs: monotonicMs() - startMs };
    },
  };
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

interface Urls {
  readonly url: string;
  readonly healthUrl?: string;
}

async function urlsOf(child: ChildProcess, log: () => string): Promise<Urls> {
  const timer = setTimeout(() => child.kill("SIGKILL"), START_LIMIT_MS);
  const ready = once(child, "message").then(([message]) => message as Urls);
  const ended = once(child, "exit").then((): never => {
    throw new Error(`the server did not start:\n${log()}`);
  });
  ended.catch(() => {});
  return Promise.race([ready, ended]).finally(() => clearTimeout(timer));
}
