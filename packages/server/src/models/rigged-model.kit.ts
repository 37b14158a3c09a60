// A served model as the server has it, queue and all; its instances answer, die and end when a test says so.
import type { Clock } from "../base/clock.ts";
import { ServeError } from "../base/errors.ts";
import type { Instance, InstanceState } from "../base/instance.ts";
import type { RunRequest, RunResult } from "../base/run.ts";
import { createCachedModel } from "../infer/cache/cached-model.ts";
import { createMemoryCache } from "../infer/cache/memory-cache.ts";
import { completeQueueConfig } from "../queue/queue-config.ts";
import { createScheduler } from "../queue/scheduler.ts";
import type { LoadedModel } from "../runtime/runtime.ts";
import type { ModelCandidate } from "./model-candidate.ts";
import { describe, ROW_SIGNATURE, SETTINGS, silentLogger } from "./models.kit.ts";
import { createServedModel } from "./served-model.ts";
import type { ServedModelHandle } from "./served-model-handle.ts";

/** Requests with more rows run in parts. */
export const BATCH_ROWS = 2;
const INSTANCES = 2;

interface Run {
  readonly request: RunRequest;
  resolve(result: RunResult): void;
  reject(error: Error): void;
}

class RiggedInstance implements Instance {
  readonly id: string;
  state: InstanceState = { kind: "ready" };
  readonly runs: Run[] = [];

  constructor(id: string) {
    this.id = id;
  }

  async residentBytes(): Promise<undefined> {}

  run(request: RunRequest): Promise<RunResult> {
    return new Promise((resolve, reject) => this.runs.push({ request, resolve, reject }));
  }
}

/** Answers y with its serial number and z with x. */
export class RiggedModel {
  readonly candidate: ModelCandidate;
  readonly serial: number;
  readonly handle: ServedModelHandle;
  /** One of its workers will not come back. */
  isGivenUp = false;
  /** Its workers have ended. */
  isClosed = false;
  isDestroyed = false;
  /** A worker died or a run failed: requests may have failed of that. */
  isFaulty = false;
  /** What must not happen, in words. */
  readonly violations: string[] = [];
  readonly #instances: RiggedInstance[];
  readonly #listeners = new Set<(instance: Instance) => void>();
  #endClosing: (() => void) | undefined;

  constructor(candidate: ModelCandidate, serial: number, clock: Clock) {
    this.candidate = candidate;
    this.serial = serial;
    this.#instances = Array.from({ length: INSTANCES }, (_, index) => new RiggedInstance(`${index}`));
    const { name, version, bytes } = candidate;
    const served = createServedModel({
      name,
      version,
      loaded: this.#loaded(),
      logger: silentLogger,
      settings: SETTINGS,
      memoryBytes: bytes,
      wallNowMs: () => 0,
      createQueue: (parts) =>
        createScheduler({
          ...parts,
          clock,
          random: () => 0.5,
          config: completeQueueConfig({ maxBatchSize: BATCH_ROWS }, ROW_SIGNATURE, INSTANCES),
        }),
    });
    const cache = createMemoryCache({ clock, maxBytes: 10_000, ttlMs: 100 });
    this.handle = name === "c" ? createCachedModel(served, { cache, clock, logger: silentLogger }) : served;
  }

  /** Runs under way, and workers that are asked to end. */
  get isBusy(): boolean {
    return this.#endClosing !== undefined || this.#instances.some(({ runs }) => runs.length > 0);
  }

  /** Ends the oldest run of one instance. */
  answer(nth: number): void {
    const run = this.#busy(nth)?.runs.shift();
    const input = run?.request.inputs[0];
    if (run === undefined || input === undefined) return;
    const y = new Uint8Array(new Float32Array(input.shape[0]!).fill(this.serial).buffer);
    const { datatype, shape } = input;
    const outputs = [y, new Uint8Array(Buffer.concat(input.chunks))].map((bytes) => ({
      datatype,
      shape,
      bytes,
    }));
    run.resolve({ outputs, computeMs: 0 });
  }

  fail(nth: number): void {
    const run = this.#busy(nth)?.runs.shift();
    if (run === undefined) return;
    this.isFaulty = true;
    run.reject(new ServeError("internal", "the model threw", { reason: "model_failed" }));
  }

  /** A worker dies; it comes back with `revive`, or never when it `isLoop`. */
  die(nth: number, isLoop: boolean): void {
    const instance = this.#instances[nth % INSTANCES]!;
    if (this.isClosed || instance.state.kind !== "ready") return;
    this.isFaulty = true;
    if (isLoop) this.isGivenUp = true;
    instance.state = isLoop
      ? { kind: "failed", reason: "a crash loop" }
      : { kind: "restarting", attempt: 1, reason: "it died" };
    this.#notify(instance);
    for (const [index, { reject }] of instance.runs.splice(0).entries()) {
      const reason = index === 0 ? "worker_died" : "worker_died_waiting";
      reject(new ServeError("unavailable", "the worker died", { reason }));
    }
  }

  revive(): void {
    for (const instance of this.#instances) {
      if (instance.state.kind !== "restarting") continue;
      instance.state = { kind: "ready" };
      this.#notify(instance);
    }
  }

  /** Its workers, asked to end, have ended. */
  end(): void {
    this.#endClosing?.();
  }

  #busy(nth: number): RiggedInstance | undefined {
    const busy = this.#instances.filter(({ runs }) => runs.length > 0);
    return busy[nth % Math.max(1, busy.length)];
  }

  #notify(instance: Instance): void {
    for (const listener of this.#listeners) listener(instance);
  }

  #loaded(): LoadedModel {
    return {
      description: describe(`${this.serial}`),
      instances: this.#instances,
      onStateChange: (listener) => {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
      },
      close: () => {
        if (this.handle.inFlight() > 0) this.violations.push("closed with requests in flight");
        if (this.#instances.some(({ runs }) => runs.length > 0)) this.violations.push("closed while it runs");
        return new Promise((resolve) => {
          this.#endClosing = () => {
            this.#endClosing = undefined;
            this.isClosed = true;
            resolve();
          };
        });
      },
      destroy: () => {
        this.isDestroyed = true;
        this.isClosed = true;
        for (const { runs } of this.#instances) {
          for (const { reject } of runs.splice(0)) {
            reject(new ServeError("unavailable", "the worker died", { reason: "worker_died" }));
          }
        }
        this.#endClosing?.();
      },
    };
  }
}
