import { spawn } from "node:child_process";
import { once } from "node:events";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { ServeError } from "../../base/errors.ts";
import { undoneAtEnd } from "../undone-at-end.ts";

/** A server in a process of its own, for one model, that only this command knows of. */
export interface PrivateServer {
  readonly origin: string;
  readonly model: string;
  stop(): Promise<void>;
}

const PROGRAM = fileURLToPath(new URL("./private-program.js", import.meta.url));
const START_LIMIT_MS = 180_000;
const KEPT_OUTPUT = 16_384;
const POLL_MS = 20;

/** Keys of model.yaml, by model, that come before those of the models' own files. */
export type TrialSettings = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** Serves a model on a free port of the loopback address. `flags`: as for `sconce serve`. Throws ServeError when it does not get ready. */
export async function startPrivateServer(
  path: string,
  flags: Readonly<Record<string, string>>,
  settings: TrialSettings = {},
): Promise<PrivateServer> {
  const options = Object.entries(flags).map(([name, value]) => `${name}=${value}`);
  const args = [path, "--host=127.0.0.1", "--port=0", "--readiness=settled", ...options];
  const child = spawn(process.execPath, [PROGRAM, JSON.stringify(settings), ...args], {
    // Its standard input ends with this process, and it with that.
    stdio: ["pipe", "pipe", "pipe"],
    env: openEnv(),
  });
  const forget = undoneAtEnd(() => child.kill("SIGTERM"));
  child.once("exit", forget);
  let output = "";
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-KEPT_OUTPUT);
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    await exited;
  };
  const endMs = performance.now() + START_LIMIT_MS;
  try {
    for (;;) {
      const origin = /listens on (https?:\S+)/.exec(output)?.[1];
      const model = origin === undefined ? undefined : await readyModel(origin);
      if (origin !== undefined && model !== undefined) return { origin, model, stop };
      if (child.exitCode !== null || performance.now() > endMs) {
        throw new ServeError("unavailable", `${basename(path)} could not be served: ${lastLine(output)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Nobody else knows of it: what would make it ask who comes is for the server of everybody. */
function openEnv(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env).filter(([name]) => !/^SCONCE_(TLS_|JWT_|API_KEY)/.test(name));
  return Object.fromEntries(entries);
}

/** The only model's name once it is ready. Throws ServeError when it has failed. */
async function readyModel(origin: string): Promise<string | undefined> {
  const response = await fetch(`${origin}/v2/repository/index`, { method: "POST" });
  const index = (await response.json()) as readonly { name: string; state: string; reason: string }[];
  const ready = index.find(({ state }) => state === "READY");
  const failed = index.find(({ state, reason }) => state === "UNAVAILABLE" && reason !== "");
  if (ready === undefined && failed !== undefined) {
    throw new ServeError("unavailable", `${failed.name} could not be loaded: ${failed.reason}`);
  }
  return ready?.name;
}

function lastLine(output: string): string {
  return output.trim().split("\n").at(-1) ?? "it said nothing";
}
