import type { CancelSignal } from "../../base/call-signal.ts";
import { ServeError } from "../../base/errors.ts";
import type { Instance } from "../../base/instance.ts";
import type { RunInput, RunResult } from "../../base/run.ts";
import type { TaskStages } from "../../base/task.ts";
import type { Tensor } from "../../base/tensor.ts";
import type { LoadedModel } from "../runtime.ts";
import { decodeFinished, decodePrepared, encodeCall } from "./task-messages.ts";

interface Waiting {
  readonly inputs: readonly RunInput[];
  resolve(outputs: readonly Tensor[]): void;
  reject(error: unknown): void;
}

export interface TaskStagesOptions {
  /** Requests that may wait to be prepared. */
  readonly maxWaiting: number;
}

/** Puts two lines before a task's workers: what a model has answered is finished before anything new is begun. Owns `loaded`. */
export function createTaskStages(loaded: LoadedModel, options: TaskStagesOptions): TaskStages {
  return new WorkerStages(loaded, options);
}

class WorkerStages implements TaskStages {
  readonly #loaded: LoadedModel;
  readonly #maxWaiting: number;
  readonly #busy = new Set<Instance>();
  readonly #finishing: Waiting[] = [];
  readonly #preparing: Waiting[] = [];
  readonly #stopWatching: () => void;

  constructor(loaded: LoadedModel, { maxWaiting }: TaskStagesOptions) {
    this.#loaded = loaded;
    this.#maxWaiting = maxWaiting;
    this.#stopWatching = loaded.onStateChange(() => this.#start());
  }

  async prepare(...[parts, signal]: Parameters<TaskStages["prepare"]>): ReturnType<TaskStages["prepare"]> {
    if (this.#preparing.length >= this.#maxWaiting) throw full(this.#preparing.length);
    const call = encodeCall({ kind: "prepare", parts });
    return decodePrepared(await this.#wait(this.#preparing, call, signal));
  }

  async finish(...[state, outputs, signal]: Parameters<TaskStages["finish"]>): Promise<Uint8Array> {
    const call = encodeCall({ kind: "finish", state, outputs });
    return decodeFinished(await this.#wait(this.#finishing, call, signal));
  }

  failure(): string | undefined {
    let reason: string | undefined;
    for (const { state } of this.#loaded.instances) {
      if (state.kind === "ready" || state.kind === "restarting") return undefined;
      if (state.kind === "failed") reason ??= `its task's worker: ${state.reason}`;
    }
    return reason ?? "its task's workers have ended";
  }

  isOutdated(): boolean {
    return this.#loaded.instances.some(({ state }) => state.kind === "failed" && state.isOutdated === true);
  }

  onStateChange(listener: () => void): () => void {
    return this.#loaded.onStateChange(listener);
  }

  residentBytes(): Promise<readonly (number | undefined)[]> {
    return Promise.all(this.#loaded.instances.map((instance) => instance.residentBytes()));
  }

  async close(): Promise<void> {
    this.#stopWatching();
    await this.#loaded.close();
  }

  destroy(reason: string): void {
    this.#stopWatching();
    this.#loaded.destroy(reason);
    this.#rejectAll();
  }

  #wait(line: Waiting[], inputs: readonly RunInput[], signal: CancelSignal): Promise<readonly Tensor[]> {
    return new Promise<readonly Tensor[]>((resolve, reject) => {
      if (signal.aborted) return reject(left(signal));
      const leave = (): void => {
        const place = line.indexOf(waiting);
        if (place >= 0) line.splice(place, 1);
        reject(left(signal));
      };
      signal.addEventListener("abort", leave);
      const waiting: Waiting = {
        inputs,
        resolve(outputs) {
          signal.removeEventListener("abort", leave);
          resolve(outputs);
        },
        reject(error) {
          signal.removeEventListener("abort", leave);
          reject(error);
        },
      };
      line.push(waiting);
      this.#start();
    });
  }

  #start(): void {
    if (this.failure() !== undefined) this.#rejectAll();
    for (const instance of this.#loaded.instances) {
      if (instance.state.kind !== "ready" || this.#busy.has(instance)) continue;
      const next = this.#finishing.shift() ?? this.#preparing.shift();
      if (next === undefined) return;
      this.#busy.add(instance);
      void this.#run(instance, next);
    }
  }

  /** A request is alone in its worker, so it is the one that ended it: nothing is tried twice, but for one that had not begun. */
  async #run(instance: Instance, next: Waiting): Promise<void> {
    try {
      const { outputs }: RunResult = await instance.run({ inputs: next.inputs });
      next.resolve(outputs);
    } catch (error) {
      const hadBegun = !(error instanceof ServeError && NOT_BEGUN.has(error.reason));
      if (hadBegun || this.failure() !== undefined) next.reject(error);
      else this.#finishing.unshift(next);
    } finally {
      this.#busy.delete(instance);
      this.#start();
    }
  }

  #rejectAll(): void {
    for (const line of [this.#finishing, this.#preparing]) {
      for (const waiting of line.splice(0)) waiting.reject(ended());
    }
  }
}

const NOT_BEGUN: ReadonlySet<string> = new Set(["worker_died_waiting", "instance_not_ready"]);

function full(waiting: number): ServeError {
  return new ServeError(
    "unavailable",
    `the model's queue is full (${waiting} requests wait to be prepared); try again later`,
    { reason: "queue_full", retryAfterMs: 1000 },
  );
}

function ended(): ServeError {
  return new ServeError("unavailable", "the workers of the model's task have failed; it must be reloaded", {
    reason: "no_instance",
  });
}

function left({ reason }: CancelSignal): ServeError {
  return reason instanceof ServeError ? reason : new ServeError("cancelled", "the request was cancelled");
}
