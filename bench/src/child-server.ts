import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

/** A server in a process of its own. */
export interface ChildServer {
  readonly url: string;
  readonly pid: number;
  /** From process start until `isUp` first said so, in milliseconds. */
  readonly startMs: number;
  stop(): Promise<void>;
}

const START_LIMIT_MS = 60_000;

/** Starts a program, by default one of Node, waits for the first `http://…` it prints, then until `isUp(url)` holds. */
export async function startChildServer(
  args: readonly string[],
  isUp: (url: string) => Promise<boolean> = async () => true,
  program: string = process.execPath,
): Promise<ChildServer> {
  const startedMs = performance.now();
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  const url = await printedUrl(child);
  while (!(await isUp(url))) {
    if (performance.now() - startedMs > START_LIMIT_MS) {
      child.kill("SIGKILL");
      throw new Error(`${args[0]} was not up after ${START_LIMIT_MS} ms`);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return {
    url,
    pid: child.pid!,
    startMs: performance.now() - startedMs,
    async stop() {
      if (child.exitCode !== null) return;
      child.kill("SIGTERM");
      await once(child, "exit");
    },
  };
}

function printedUrl(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    child.stdout!.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      const url = /https?:\/\/[^\s/]+:\d+/.exec(text)?.[0];
      if (url !== undefined) resolve(url);
    });
    child.once("exit", (code) =>
      reject(new Error(`the server ended with code ${code} before it printed its address`)),
    );
  });
}

/** Whether a Sconce server says that it is ready. */
export async function isReady(url: string): Promise<boolean> {
  return (await fetch(`${url}/v2/health/ready`).catch(() => undefined))?.ok ?? false;
}
