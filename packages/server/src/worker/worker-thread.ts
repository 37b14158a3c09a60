import { Worker as Thread } from "node:worker_threads";
import type { Clock } from "../base/clock.ts";
import { deferred } from "../base/deferred.ts";
import { ServeError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { FRAME_KINDS } from "./frame.ts";
import { readOutputLines } from "./output-lines.ts";
import { PendingCalls } from "./pending-calls.ts";
import { fromThreadMessage, type ThreadMessage, toThreadMessage } from "./thread-message.ts";
import {
  type Call,
  type CallResult,
  timeoutError,
  type Worker,
  type WorkerEnd,
  workerDiedError,
} from "./worker.ts";

export interface WorkerThreadOptions {
  readonly id: string;
  /** Compiled JavaScript file that calls `serveWorker`. */
  readonly entry: URL;
  readonly env: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * A worker in a thread of the server process. Cheaper per call, but native code that crashes takes the server process with it, and native code that hangs
 * cannot be stopped: for trusted models only.
 */
export class WorkerThread implements Worker {
  readonly id: string;
  readonly pid: undefined = undefined;
  readonly ready: Promise<void>;
  readonly ended: Promise<WorkerEnd>;
  readonly #thread: Thread;
  readonly #pending: PendingCalls;
  readonly #readyEnds = deferred<void>();
  readonly #endedEnds = deferred<WorkerEnd>();
  #ending: { readonly reason: string; readonly blame: ServeError } | undefined;
  #isEnded = false;

  constructor(options: WorkerThreadOptions) {
    this.id = options.id;
    this.ready = this.#readyEnds.promise;
    this.ended = this.#endedEnds.promise;
    this.ready.catch(() => {});
    const logger = options.logger.child({ worker: options.id });
    this.#thread = new Thread(options.entry, { env: options.env, stdout: true, stderr: true });
    this.#pending = new PendingCalls(options.clock, (seconds) => {
      this.#end(
        `it was stopped after ${seconds} s without a result (execution_timeout)`,
        timeoutError(seconds),
      );
    });
    readOutputLines(this.#thread.stdout, options.clock, (line) => logger.info({ stream: "stdout" }, line));
    readOutputLines(this.#thread.stderr, options.clock, (line) => logger.warn({ stream: "stderr" }, line));
    this.#thread.on("message", (message: ThreadMessage) => this.#take(message));
    this.#thread.on("error", (error) => {
      logger.error({ err: error }, "a worker thread failed");
      this.#ending ??= { reason: "it threw", blame: workerDiedError("it threw", "executing") };
    });
    this.#thread.on("exit", (code) => this.#settle(`it exited with code ${code}`));
  }

  get finishedCalls(): number {
    return this.#pending.answered;
  }

  get pendingCalls(): number {
    return this.#pending.size;
  }

  call(call: Call): Promise<CallResult> {
    if (this.#ending !== undefined || this.#isEnded) {
      return Promise.reject(workerDiedError("it was ending", "waiting"));
    }
    return this.#pending.add(call, (id) => {
      const { method, header, chunks } = call;
      const message = toThreadMessage({ kind: FRAME_KINDS.call, method, id, header, chunks });
      this.#thread.postMessage(message, [message.payload]);
    });
  }

  async close(): Promise<void> {
    await this.#pending.idle();
    this.destroy("it was asked to end");
    await this.ended;
  }

  destroy(reason: string): void {
    this.#end(reason, workerDiedError(reason, "executing"));
  }

  /** What it said before it was stopped may come after, when it has no calls any more; that ends nothing a second time. */
  #take(message: ThreadMessage): void {
    try {
      if (message.kind === FRAME_KINDS.hello) this.#readyEnds.resolve();
      else this.#pending.take(fromThreadMessage(message));
    } catch (error) {
      const blame = ServeError.from(error);
      this.#end(blame.message, blame);
    }
  }

  #end(reason: string, blame: ServeError): void {
    if (this.#ending !== undefined || this.#isEnded) return;
    this.#ending = { reason, blame };
    void this.#thread.terminate();
    // Native code cannot be interrupted, so this is settled now and not when the thread ends.
    this.#settle(reason);
  }

  #settle(exit: string): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    const reason = this.#ending?.reason ?? exit;
    const blame = this.#ending?.blame ?? workerDiedError(reason, "executing");
    // First the news, then the calls: a retried call must not choose this worker again.
    this.#endedEnds.resolve({ reason, wasIdle: this.#pending.size === 0 });
    this.#readyEnds.reject(blame);
    this.#pending.rejectAll(blame, reason);
  }
}
