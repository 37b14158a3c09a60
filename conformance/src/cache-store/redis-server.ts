import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { freePort } from "../free-port.ts";

/** A real Redis server on a port of its own, which keeps nothing on disk. */
export interface RedisServer {
  readonly port: number;
  readonly pid: number;
  /** Ends it, by default with SIGKILL. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again on its port, empty; with other arguments beside the first ones, if they are given. */
  restart(more?: readonly string[]): Promise<void>;
  /** Sends one line, such as `CONFIG SET maxmemory 1`, and resolves with the first of its answer. */
  say(line: string): Promise<string>;
  suspend(): void;
  resume(): void;
}

/** Against servers that never start; a busy machine may take its time. */
const START_LIMIT_MS = 60_000;
const KEEPS_NOTHING = ["--save", "", "--appendonly", "no", "--daemonize", "no", "--bind", "127.0.0.1"];

/** Starts it with more arguments, such as `--requirepass x`; `ports` by a function of the free port, where `--port` is not what is wanted. */
export async function startRedis(
  program: string,
  args: readonly string[] = [],
  ports: (port: number) => readonly string[] = (port) => ["--port", String(port)],
): Promise<RedisServer> {
  const port = await freePort();
  const launch = async (more: readonly string[]): Promise<ChildProcess> => {
    const child = spawn(program, [...KEEPS_NOTHING, ...ports(port), ...args, ...more], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let said = "";
    for (const stream of [child.stdout!, child.stderr!])
      stream.on("data", (chunk: Buffer) => {
        said = (said + chunk.toString()).slice(-10_000);
      });
    const endMs = performance.now() + START_LIMIT_MS;
    while (!(await isOpen(port))) {
      if (child.exitCode !== null || performance.now() > endMs) throw new Error(`redis-server: ${said}`);
      await delay(5);
    }
    return child;
  };
  let child = await launch([]);
  const kill = async (signal: NodeJS.Signals = "SIGKILL"): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
  };
  return {
    port,
    get pid() {
      return child.pid!;
    },
    kill,
    async restart(more = []) {
      await kill();
      child = await launch(more);
    },
    async say(line) {
      const socket = connect(port, "127.0.0.1");
      try {
        socket.write(`${line}\r\n`);
        const [answer] = (await once(socket, "data")) as [Buffer];
        return answer.toString();
      } finally {
        socket.destroy();
      }
    },
    suspend: () => void child.kill("SIGSTOP"),
    resume: () => void child.kill("SIGCONT"),
  };
}

function isOpen(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  return new Promise((resolve) => {
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
  }).finally(() => socket.destroy()) as Promise<boolean>;
}
