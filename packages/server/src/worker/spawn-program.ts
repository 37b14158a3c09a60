import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { Duplex, PassThrough } from "node:stream";
import type { Sandbox } from "./sandbox.ts";

export interface WorkerProgram {
  /** The program to run and its arguments: it says hello and answers calls over descriptor 3, as `serveWorker` does. */
  readonly command: readonly [string, ...string[]];
  /** The whole environment of the worker: an allow-list, never the server process's own. */
  readonly env: Readonly<Record<string, string>>;
  /** Keeps the worker from the rest of the machine. Default: it may do what the server's user may. */
  readonly sandbox?: Sandbox | undefined;
}

/** Starts a worker's program: in a process group of its own, with one end of a socket pair as its descriptor 3. */
export function spawnProgram({ command, env, sandbox }: WorkerProgram): ChildProcess {
  const [program, ...args] = sandbox?.wrap(command) ?? command;
  return spawn(program, args, {
    stdio: ["ignore", "pipe", "pipe", "pipe"],
    // Its temporary folder is its own, whatever the server's is called.
    env: sandbox === undefined ? env : { ...env, TMPDIR: "/tmp" },
    detached: true,
    windowsHide: true,
  });
}

/** The process id of a process's only child; undefined where the system does not say. */
export function onlyChildOf(pid: number | undefined): number | undefined {
  try {
    const child = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ")[0]);
    return child > 0 ? child : undefined;
  } catch {
    return undefined;
  }
}

/** The server process's end of the socket pair. Out of file descriptors, there is none, and the error event says so. */
export function socketOf(child: ChildProcess): Duplex {
  const socket: unknown = child.stdio?.[3];
  return socket instanceof Duplex ? socket : new PassThrough().destroy();
}
