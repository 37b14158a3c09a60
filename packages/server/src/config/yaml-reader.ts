import { basename } from "node:path";
import { setImmediate } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import type { Clock } from "../base/clock.ts";
import { type ErrorCode, type ErrorReason, ServeError } from "../base/errors.ts";
import type { SettingsFile } from "./settings-file.ts";

/** What the thread is asked. */
export interface YamlQuestion {
  /** Without links. */
  readonly root: string;
  readonly path: string;
}

/** What it answers: plain data, since errors lose their kind between threads. */
export type YamlOutcome =
  | { readonly file: SettingsFile }
  | {
      readonly error: { readonly code: ErrorCode; readonly reason: ErrorReason; readonly message: string };
    };

/** Reads settings that belong to models, which nobody vouches for, in a thread of its own: YAML, or by its name another server's file. */
export interface YamlReader {
  /**
   * Reads a file below `root`. Rejects with `invalid_argument`/`bad_config_file`, also when it takes too long, and otherwise as `openBelow`.
   */
  read(root: string, path: string): Promise<SettingsFile>;
}

export interface YamlReaderOptions {
  readonly clock: Clock;
  /** For one file, the thread's start included. Default: 30 s. */
  readonly timeoutMs?: number;
  /** Compiled entry of the thread. */
  readonly entry?: URL;
}

const ENTRY = new URL("./yaml-thread.js", import.meta.url);
/** A machine that is many times overcommitted takes seconds to start a thread; limits on size and words end what a file itself could cost. */
const TIMEOUT_MS = 30_000;
const MAX_HEAP_MIB = 128;

interface Job extends YamlQuestion {
  resolve(file: SettingsFile): void;
  reject(error: ServeError): void;
}

/** A reader whose thread runs while there is something to read. A file that stops it is given up, and only that. */
export function createYamlReader(options: YamlReaderOptions): YamlReader {
  return new ThreadedReader(options);
}

class ThreadedReader implements YamlReader {
  readonly #options: YamlReaderOptions;
  readonly #jobs: Job[] = [];
  #thread: Worker | undefined;
  #isBusy = false;

  constructor(options: YamlReaderOptions) {
    this.#options = options;
  }

  read(root: string, path: string): Promise<SettingsFile> {
    return new Promise((resolve, reject) => {
      this.#jobs.push({ root, path, resolve, reject });
      if (!this.#isBusy) void this.#work();
    });
  }

  async #work(): Promise<void> {
    this.#isBusy = true;
    for (let job = this.#jobs.shift(); job !== undefined; job = this.#jobs.shift()) {
      const answer = await this.#ask(job);
      if ("file" in answer) job.resolve(answer.file);
      else job.reject(ServeError.of(answer.error.code, answer.error.message, answer.error));
      // Whoever waited may have more to ask.
      await setImmediate();
    }
    this.#isBusy = false;
    this.#stop();
  }

  #ask({ root, path }: Job): Promise<YamlOutcome> {
    const { clock, timeoutMs = TIMEOUT_MS } = this.#options;
    this.#thread ??= this.#start();
    const thread = this.#thread;
    return new Promise((resolve) => {
      const finish = (answer: YamlOutcome): void => {
        cancel();
        thread.off("message", finish).off("error", onEnd).off("exit", onEnd);
        resolve(answer);
      };
      const giveUp = (why: string): void => {
        this.#stop();
        finish(refused(path, why));
      };
      const onEnd = (): void => giveUp("it ends whoever reads it");
      const cancel = clock.after(timeoutMs, () =>
        giveUp(`it takes longer than ${timeoutMs / 1000} s to read`),
      );
      thread.on("message", finish).on("error", onEnd).on("exit", onEnd);
      thread.postMessage({ root, path } satisfies YamlQuestion);
    });
  }

  #start(): Worker {
    return new Worker(this.#options.entry ?? ENTRY, {
      env: {},
      // What the program itself was started with, such as --eval, may not fit a file.
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MIB },
    });
  }

  #stop(): void {
    const thread = this.#thread;
    this.#thread = undefined;
    // An ending thread may still report an error, which nobody needs.
    thread?.on("error", () => {});
    void thread?.terminate();
  }
}

function refused(path: string, why: string): YamlOutcome {
  return {
    error: { code: "invalid_argument", reason: "bad_config_file", message: `${basename(path)}: ${why}` },
  };
}
