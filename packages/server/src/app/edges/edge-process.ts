import { type ChildProcess, spawn } from "node:child_process";
import type { Socket } from "node:net";
import { fileURLToPath } from "node:url";
import type { Clock } from "../../base/clock.ts";
import { deferred } from "../../base/deferred.ts";
import { ServeError } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import type { Config } from "../../config/load-config.ts";
import { readOutputLines } from "../../worker/output-lines.ts";
import type { FromEdge, ToEdge } from "./edge-messages.ts";

export interface EdgeProcessOptions {
  readonly config: Config;
  /** Of the ledger; the server process is at 0. */
  readonly place: number;
  readonly processes: number;
  readonly ledgerFd: number;
  readonly clock: Clock;
  readonly logger: Logger;
  onMessage(message: FromEdge): void;
}

const START_TIMEOUT_MS = 30_000;
/** Descriptors of an edge process. */
const [LINK, TUNNEL] = [3, 4];

/** One edge process: a program of this package at the far ends of two socket pairs, one for inferences and one for everything else, and a channel. */
export class EdgeProcess {
  /** Resolves when it can take connections; rejects when it cannot. */
  readonly ready: Promise<void>;
  /** Resolves when it has ended, with how. */
  readonly ended: Promise<string>;
  readonly #child: ChildProcess;
  readonly #readyEnds = deferred<void>();
  readonly #endedEnds = deferred<string>();

  constructor({ config, place, processes, ledgerFd, clock, logger, onMessage }: EdgeProcessOptions) {
    this.ready = this.#readyEnds.promise;
    this.ready.catch(() => {});
    this.ended = this.#endedEnds.promise;
    const entry = fileURLToPath(new URL("./edge-main.js", import.meta.url));
    const child = spawn(process.execPath, [entry], {
      stdio: ["ignore", "pipe", "pipe", "pipe", "pipe", ledgerFd, "ipc"],
      serialization: "advanced",
      windowsHide: true,
    });
    this.#child = child;
    const own = logger.child({ edge: place, pid: child.pid });
    if (child.stdout) readOutputLines(child.stdout, clock, (line) => own.info({ stream: "stdout" }, line));
    if (child.stderr) readOutputLines(child.stderr, clock, (line) => own.warn({ stream: "stderr" }, line));
    const cancelStart = clock.after(START_TIMEOUT_MS, () => this.destroy());
    child.on("message", (message: FromEdge) => {
      if (message.kind === "ready") {
        cancelStart();
        this.#readyEnds.resolve();
      } else if (message.kind === "failed") {
        const { code, reason, message: words } = message;
        this.#readyEnds.reject(ServeError.of(code, words, { reason: reason as ServeError["reason"] }));
      } else onMessage(message);
    });
    const settle = (how: string): void => {
      cancelStart();
      this.#readyEnds.reject(
        new ServeError("unavailable", `a process that speaks with clients did not start: ${how}`),
      );
      this.#endedEnds.resolve(how);
    };
    child.once("error", (error) => settle(error.message));
    child.once("exit", (code, signal) =>
      settle(signal === null ? `it exited with code ${code}` : `it was killed by ${signal}`),
    );
    this.tell({ kind: "start", config, place, processes });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** This process's end of the pair that inferences go over. */
  get link(): Socket {
    return this.#child.stdio[LINK!] as Socket;
  }

  /** That of the pair that everything else goes over, as HTTP/2. */
  get tunnel(): Socket {
    return this.#child.stdio[TUNNEL!] as Socket;
  }

  /** In the order in which it is told. A process that has gone is told nothing. */
  tell(message: ToEdge): void {
    if (this.#child.connected) this.#child.send(message, ignore);
  }

  /** Gives it a connection of which nothing is read; it stays open here, too. */
  give(id: number, socket: Socket): void {
    if (!this.#child.connected) return;
    this.#child.send({ kind: "connection", id } satisfies ToEdge, socket, { keepOpen: true }, ignore);
  }

  /** At once; its connections break. */
  destroy(): void {
    this.#child.kill("SIGKILL");
  }
}

function ignore(): void {}
