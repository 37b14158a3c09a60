import type { ChildProcess } from "node:child_process";
import { performance } from "node:perf_hooks";
import type { Duplex } from "node:stream";
import { fileURLToPath } from "node:url";
import type { CancelSignal } from "../base/call-signal.ts";
import { usableCores } from "../base/cgroup.ts";
import type { Clock } from "../base/clock.ts";
import { deferred } from "../base/deferred.ts";
import { ServeError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { ActiveWait } from "./active-wait.ts";
import { isReadable, readAvailable } from "./available-bytes.ts";
import { DEFAULT_FRAME_LIMITS, FRAME_KINDS, type Frame, type FrameLimits, protocolError } from "./frame.ts";
import { FrameReader } from "./frame-reader.ts";
import { NO_BYTES, NO_CHUNKS, writeFrame } from "./frame-writer.ts";
import { readOutputLines } from "./output-lines.ts";
import { PendingCalls } from "./pending-calls.ts";
import { onlyChildOf, socketOf, spawnProgram, type WorkerProgram } from "./spawn-program.ts";
import { WakefulTurns } from "./wakeful-turns.ts";
import {
  type Call,
  type CallResult,
  notStartedError,
  timeoutError,
  type Worker,
  type WorkerEnd,
  workerDiedError,
} from "./worker.ts";

export interface WorkerProcessOptions extends WorkerProgram {
  readonly id: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long the worker may take until it can take calls. */
  readonly startTimeoutMs: number;
  readonly limits?: FrameLimits;
  /** Default: by what it sees, where there is more than one core. */
  readonly activeWait?: Pick<ActiveWait, "asked" | "answered" | "waited" | "noneCame"> | undefined;
}

type State =
  | { readonly kind: "spawning" }
  | { readonly kind: "ready" }
  | { readonly kind: "closing" }
  | { readonly kind: "ending"; readonly reason: string; readonly blame: ServeError }
  | { readonly kind: "ended" };

/**
 * A worker makes little garbage and has one thread of JavaScript: a small young generation and one thread for V8's own work leave it a quarter smaller, and it
 * need not be idle in an event loop to give memory back.
 */
const NODE_FLAGS = ["--max-semi-space-size=1", "--v8-pool-size=1"] as const;
/** A worker that was asked to end gets this long before it is killed. */
const CLOSE_GRACE_MS = 2000;
/** Answers written before a death are still read for this long after the exit. */
const LAST_WORDS_MS = 100;

/** The command that runs a compiled JavaScript file which calls `serveWorker`. */
export function nodeCommand(entry: URL, args: readonly string[] = []): readonly [string, ...string[]] {
  return [process.execPath, ...NODE_FLAGS, fileURLToPath(entry), ...args];
}

/**
 * A process at the far end of a socket pair (file descriptor 3: no path, no port), with an environment and a process group of its
 * own. It ends when its socket closes, so it cannot outlive the server process; its whole group is killed with it.
 */
export class WorkerProcess implements Worker {
  readonly id: string;
  readonly ready: Promise<void>;
  readonly ended: Promise<WorkerEnd>;
  readonly #child: ChildProcess;
  /** Of the worker itself, where the process that was started is what watches over its namespaces. */
  #innerPid: number | undefined;
  readonly #isWrapped: boolean;
  readonly #socket: Duplex;
  readonly #pending: PendingCalls;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #readyEnds = deferred<void>();
  readonly #endedEnds = deferred<WorkerEnd>();
  readonly #cancelStartTimer: () => void;
  #cancelCloseTimer: (() => void) | undefined;
  readonly #reader: FrameReader;
  /** Undefined where it cannot be: on one core the worker would not even run. */
  readonly #activeWait: WorkerProcessOptions["activeWait"];
  #waitUntilMs = 0;
  readonly #awake: WakefulTurns;
  #state: State = { kind: "spawning" };

  constructor(options: WorkerProcessOptions) {
    this.id = options.id;
    this.#clock = options.clock;
    this.ready = this.#readyEnds.promise;
    this.ended = this.#endedEnds.promise;
    // Code that waits for `ready` sees the rejection; none has to.
    this.ready.catch(() => {});
    this.#isWrapped = options.sandbox !== undefined;
    this.#child = spawnProgram(options);
    this.#logger = options.logger.child({ worker: options.id, pid: this.#child.pid });
    this.#socket = socketOf(this.#child);
    this.#pending = new PendingCalls(options.clock, (seconds) => {
      this.#end(
        `it was killed after ${seconds} s without a result (execution_timeout)`,
        timeoutError(seconds),
      );
    });
    this.#reader = new FrameReader(options.limits ?? DEFAULT_FRAME_LIMITS, (frame) => this.#take(frame));
    const { activeWait = usableCores() > 1 ? new ActiveWait() : undefined } = options;
    this.#activeWait = isReadable(this.#socket) ? activeWait : undefined;
    this.#awake = new WakefulTurns({
      clock: options.clock,
      isWaiting: () => this.#isIdle(),
      onNothing: () => this.#activeWait?.noneCame(),
    });
    this.#readFrames();
    this.#readOutput();
    this.#watchExit();
    this.#cancelStartTimer = options.clock.after(options.startTimeoutMs, () => {
      this.destroy(`it did not start within ${options.startTimeoutMs / 1000} s`);
    });
  }

  get pid(): number | undefined {
    return this.#innerPid ?? this.#child.pid;
  }

  get finishedCalls(): number {
    return this.#pending.answered;
  }

  get pendingCalls(): number {
    return this.#pending.size;
  }

  call(call: Call): Promise<CallResult> {
    if (this.#state.kind !== "spawning" && this.#state.kind !== "ready") {
      return Promise.reject(workerDiedError("it was ending", "waiting"));
    }
    this.#mayWait();
    let callId = 0;
    const result = this.#pending.add(call, (id) => {
      callId = id;
      writeFrame(this.#socket, {
        kind: FRAME_KINDS.call,
        method: call.method,
        id,
        header: call.header,
        chunks: call.chunks,
      });
    });
    return call.signal === undefined ? result : this.#cancellable(result, call.signal, callId);
  }

  /** The worker is told when nobody wants the result any more. */
  #cancellable(result: Promise<CallResult>, signal: CancelSignal, id: number): Promise<CallResult> {
    const tell = (): void => {
      if (this.#state.kind === "ready" || this.#state.kind === "closing")
        writeFrame(this.#socket, {
          kind: FRAME_KINDS.note,
          method: 0,
          id,
          header: NO_BYTES,
          chunks: NO_CHUNKS,
        });
    };
    signal.addEventListener("abort", tell);
    return result.finally(() => signal.removeEventListener("abort", tell));
  }

  async close(): Promise<void> {
    if (this.#state.kind === "spawning" || this.#state.kind === "ready") {
      this.#state = { kind: "closing" };
      await this.#pending.idle();
      this.#socket.end();
      this.#cancelCloseTimer = this.#clock.after(CLOSE_GRACE_MS, () => this.#kill());
    }
    await this.ended;
  }

  destroy(reason: string): void {
    this.#end(reason, workerDiedError(reason, "executing"));
  }

  #end(reason: string, blame: ServeError): void {
    if (this.#state.kind === "ended") return;
    if (this.#state.kind !== "ending") this.#state = { kind: "ending", reason, blame };
    this.#kill();
  }

  /** Kills the process group: what a model started goes with it. */
  #kill(): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, "SIGKILL");
    } catch {
      // Where there are no process groups, or when it is gone already.
      this.#child.kill("SIGKILL");
    }
  }

  /** Before the only call is sent: its answer may be worth an active wait, after whatever else this turn of the event loop does. */
  #mayWait(): void {
    if (this.#activeWait === undefined || this.#pending.size > 0) return;
    const nowMs = this.#clock.nowMs();
    const waitMs = this.#activeWait.asked(nowMs, this.#idleMs());
    if (waitMs === 0) return;
    this.#waitUntilMs = nowMs + waitMs;
    setImmediate(this.#waitActively);
  }

  /** Reads the answer to the only call as soon as it is there, without a turn of the event loop; see `ActiveWait`. */
  readonly #waitActively = (): void => {
    const { readableLength, writableLength } = this.#socket;
    // What does not fit into the kernel's buffer goes out in further turns of the event loop.
    if (this.#pending.size !== 1 || writableLength > 0 || readableLength > 0) return;
    if (this.#state.kind !== "ready") return;
    do {
      const count = readAvailable(this.#socket, this.#reader.space());
      if (count === undefined) return;
      if (count > 0) this.#received(() => this.#reader.advance(count));
    } while (this.pendingCalls > 0 && this.#clock.nowMs() < this.#waitUntilMs);
    this.#activeWait?.waited(this.pendingCalls === 0);
  };

  /** How long this process had nothing to do, in all. */
  #idleMs(): number {
    return performance.nodeTiming.idleTime + this.#awake.idleMs;
  }

  /** Ready, and without a call. */
  #isIdle(): boolean {
    return this.#pending.size === 0 && this.#state.kind === "ready";
  }

  #received(read: () => void): void {
    try {
      read();
    } catch (error) {
      const blame = ServeError.from(error);
      this.#end(blame.message, blame);
    }
  }

  #readFrames(): void {
    this.#socket.on("data", (bytes: Buffer) => this.#received(() => this.#reader.push(bytes)));
    // EPIPE and ECONNRESET mean that the worker ended, which its exit reports.
    this.#socket.on("error", () => {});
  }

  #take(frame: Frame): void {
    if (frame.kind !== FRAME_KINDS.hello) {
      if (frame.kind === FRAME_KINDS.call) throw protocolError("it called the server process");
      const waitMs = this.#activeWait?.answered(this.#clock.nowMs(), this.#idleMs());
      this.#pending.take(frame);
      if (waitMs && this.#isIdle()) this.#awake.stayAwake(waitMs);
      return;
    }
    this.#cancelStartTimer();
    if (this.#state.kind !== "spawning") return;
    this.#state = { kind: "ready" };
    if (this.#isWrapped) this.#innerPid = onlyChildOf(this.#child.pid);
    this.#readyEnds.resolve();
  }

  #readOutput(): void {
    const { stdout, stderr } = this.#child;
    if (stdout) readOutputLines(stdout, this.#clock, (line) => this.#logger.info({ stream: "stdout" }, line));
    if (stderr) readOutputLines(stderr, this.#clock, (line) => this.#logger.warn({ stream: "stderr" }, line));
  }

  #watchExit(): void {
    this.#child.once("error", (error) => {
      this.#logger.error({ err: error }, "a worker process could not be started");
      const blame = notStartedError(error.message);
      this.#state = { kind: "ending", reason: blame.message, blame };
      this.#settle(blame.message);
    });
    this.#child.once("exit", (code, signal) => {
      const reason = signal === null ? `it exited with code ${code}` : `it was killed by ${signal}`;
      this.#kill();
      if (this.#socket.destroyed || this.#socket.readableEnded) {
        this.#settle(reason);
        return;
      }
      const cancel = this.#clock.after(LAST_WORDS_MS, () => this.#socket.destroy());
      this.#socket.once("close", () => {
        cancel();
        this.#settle(reason);
      });
    });
  }

  #settle(exit: string): void {
    if (this.#state.kind === "ended") return;
    this.#cancelStartTimer();
    this.#cancelCloseTimer?.();
    const asked = this.#state.kind === "ending" ? this.#state : undefined;
    const reason = asked?.reason ?? (this.#state.kind === "closing" ? "it was asked to end" : exit);
    this.#state = { kind: "ended" };
    this.#socket.destroy();
    const blame = asked?.blame ?? workerDiedError(reason, "executing");
    // First the news, then the calls: a retried call must not choose this worker again.
    this.#endedEnds.resolve({ reason, wasIdle: this.#pending.size === 0 });
    this.#readyEnds.reject(blame);
    this.#pending.rejectAll(blame, reason);
  }
}
