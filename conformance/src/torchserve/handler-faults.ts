import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { runPython } from "../python.ts";
import { type ServerProcess, startServerProcess } from "../server-process.ts";

/** What handlers do to their server; `fork` is followed by a file for the pids. */
const FAULTS = ["kill", "exit", "hang", "memory", "print", "threads", "fork"] as const;

export interface HandlerFaults {
  /** Requests for the other model that were not answered rightly. */
  readonly hurt: number;
  /** Of how many. */
  readonly asked: number;
  /** Faults after which the model did not answer again. */
  readonly lost: readonly string[];
  /** Processes that outlived what started them. */
  readonly left: number;
  /** Bytes that the server wrote of all this. */
  readonly loggedBytes: number;
  /** From the fault's request to the next right answer, the longest. */
  readonly backMs: number;
}

const AGAIN_LIMIT_MS = 120_000;
const PROBE_MS = 20;

/** F21: handlers that end, hang, fill memory, flood their output, leave threads and processes, beside a model that is asked all the time. */
export async function handlerFaults(
  python: string,
  { home, rounds }: { readonly home: string; readonly rounds: number },
): Promise<HandlerFaults> {
  const models = join(home, "models");
  mkdirSync(models);
  const script = join(import.meta.dirname, "../../../scripts/python/make_archives.py");
  await runPython(python, ["-W", "ignore", script, models]);
  const files = ["harmful", "function"].map((name) => join(models, `${name}.mar`));
  const server = await startServerProcess([
    ...files,
    "--python",
    python,
    "--compat",
    "torchserve",
    // Longer than a handler that is well takes on a busy machine, beside one that fills memory.
    "--execution-timeout",
    "8s",
    "--memory-limit",
    "900MiB",
  ]);
  try {
    return await hurt(server, { home, rounds });
  } finally {
    await server.stop();
  }
}

async function hurt(
  server: ServerProcess,
  { home, rounds }: { readonly home: string; readonly rounds: number },
): Promise<HandlerFaults> {
  const post = async (model: string, body: string): Promise<string> => {
    const headers = { "content-type": "text/plain" };
    const response = await fetch(`${server.url}/predictions/${model}`, { method: "POST", headers, body });
    return response.ok ? response.text() : `status ${response.status}`;
  };
  let [isOver, asked, failed, backMs, left] = [false, 0, 0, 0, 0];
  const steady = (async () => {
    while (!isOver) {
      asked++;
      if ((await post("function", "text")) !== "just text") failed++;
      await sleep(PROBE_MS);
    }
  })();
  const lost: string[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const fault of FAULTS) {
      const pids = join(home, `pids-${round}`);
      const startedMs = performance.now();
      await post("harmful", fault === "fork" ? `fork ${pids}` : fault);
      while ((await post("harmful", "fine")) !== "fine" && performance.now() - startedMs < AGAIN_LIMIT_MS)
        await sleep(PROBE_MS);
      const tookMs = performance.now() - startedMs;
      if (tookMs >= AGAIN_LIMIT_MS) lost.push(fault);
      backMs = Math.max(backMs, tookMs);
      if (existsSync(pids)) left += await survivors(readFileSync(pids, "utf8").trim().split(" ").map(Number));
    }
  }
  isOver = true;
  await steady;
  return { hurt: failed, asked, lost, left, loggedBytes: server.output().length, backMs };
}

/** How many of these are alive once the system had time to bury them. */
async function survivors(pids: readonly number[]): Promise<number> {
  const alive = (): number => pids.filter((pid) => isThere(pid)).length;
  const endMs = performance.now() + 10_000;
  while (alive() > 0 && performance.now() < endMs) await sleep(PROBE_MS);
  return alive();
}

/** A process that ended and waits for its parent is not there. */
function isThere(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
