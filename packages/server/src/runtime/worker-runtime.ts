import type { Clock } from "../base/clock.ts";
import { ServeError } from "../base/errors.ts";
import type { Instance } from "../base/instance.ts";
import type { Logger } from "../base/logger.ts";
import type { ReportListener } from "../base/metric-report.ts";
import type { ModelDescription } from "../base/model-description.ts";
import type { Sandbox } from "../worker/sandbox.ts";
import type { Worker } from "../worker/worker.ts";
import { WorkerPool } from "../worker/worker-pool.ts";
import { nodeCommand, WorkerProcess } from "../worker/worker-process.ts";
import { WorkerThread } from "../worker/worker-thread.ts";
import { FileIdentity } from "./file-identity.ts";
import type { FileStamp } from "./file-stamp.ts";
import { LoadCaution } from "./load-caution.ts";
import { Optimiser } from "./optimiser.ts";
import type { LoadedModel, LoadSpec, Runtime } from "./runtime.ts";
import { WorkerInstance } from "./worker-instance.ts";

export interface WorkerRuntimeOptions {
  readonly name: Runtime["name"];
  /** Compiled worker entry that calls `hostModel`, or another program that speaks the same frames, with its arguments. */
  readonly entry: URL | readonly [string, ...string[]];
  /** What an entry of ours is started with, asked anew for each process; see `WorkerPoolOptions`. Default: nothing. */
  args?(isWanted: boolean): readonly string[];
  /** How long a worker may take until it can load a model; default: 30 s. */
  readonly startTimeoutMs?: number;
  /** Worker processes kept started ahead. */
  readonly spares: number;
  /** The whole environment of the workers; see `workerEnv`. Default: empty. */
  readonly env?: Readonly<Record<string, string>>;
  /** Keeps workers from the rest of the machine. Default: they may do what the server's user may. */
  readonly sandbox?: Sandbox | undefined;
  /** Told of the numbers that models report. Default: nobody is. */
  readonly onReports?: ReportListener | undefined;
  readonly clock: Clock;
  /** Uniform in [0, 1); spreads restarts. */
  readonly random: () => number;
  readonly logger: Logger;
}

interface Dependencies {
  readonly name: Runtime["name"];
  /** Closed with the runtime. */
  readonly pool: WorkerPool;
  readonly optimiser: Optimiser;
  /** Starts a worker in a thread, for models with `isolation: "thread"`. */
  spawnThread(id: string): Worker;
  readonly onReports: ReportListener | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
}

const START_TIMEOUT_MS = 30_000;

function threadsAreOpen(): ServeError {
  return new ServeError(
    "failed_precondition",
    "isolation: thread runs a model in the server's own process, which no sandbox holds: leave it out, or start the server without --sandbox",
    { reason: "option_unsupported" },
  );
}

/** A runtime whose models live in workers: every instance is one worker that loaded the file. */
export function createWorkerRuntime(options: WorkerRuntimeOptions): Runtime {
  const { name, entry, spares, env = {}, clock, random, logger, sandbox } = options;
  const { startTimeoutMs = START_TIMEOUT_MS } = options;
  const common = { env, clock, logger };
  const { args = () => [] } = options;
  const commandFor = (isWanted: boolean): readonly [string, ...string[]] =>
    entry instanceof URL ? nodeCommand(entry, args(isWanted)) : entry;
  const spawn = (id: string, isWanted: boolean): Worker =>
    new WorkerProcess({ ...common, sandbox, command: commandFor(isWanted), id, startTimeoutMs });
  return new WorkerRuntime({
    name,
    pool: new WorkerPool({
      spawn,
      spares,
      clock,
      random,
      logger,
    }),
    optimiser: new Optimiser({ spawn: (id) => spawn(id, false), logger }),
    spawnThread(id) {
      if (sandbox !== undefined) throw threadsAreOpen();
      if (entry instanceof URL) return new WorkerThread({ ...common, entry, id });
      throw new ServeError(
        "failed_precondition",
        `isolation: thread is not for the runtime ${name}; leave it out`,
        {
          reason: "option_unsupported",
        },
      );
    },
    onReports: options.onReports,
    clock,
    random,
    logger,
  });
}

class WorkerRuntime implements Runtime {
  readonly name: Runtime["name"];
  readonly #options: Dependencies;
  readonly #models = new Set<WorkerModel>();
  #threads = 0;

  constructor(options: Dependencies) {
    this.name = options.name;
    this.#options = options;
  }

  async load(
    spec: LoadSpec,
    options: { readonly signal: AbortSignal; onProgress?(stage: string): void },
  ): Promise<LoadedModel> {
    const { signal } = options;
    if (signal.aborted) throw loadCancelled();
    const model = new WorkerModel(spec, {
      ...this.#options,
      acquire: (onStart) => this.#acquire(spec, onStart),
      optimise: () => this.#options.optimiser.add(spec),
      onProgress: (stage) => options.onProgress?.(stage),
      onEnd: () => this.#models.delete(model),
    });
    this.#models.add(model);
    const abort = (): void => model.destroy("loading was cancelled");
    signal.addEventListener("abort", abort, { once: true });
    try {
      await model.start();
      return model;
    } catch (error) {
      model.destroy("loading failed");
      throw signal.aborted ? loadCancelled() : error;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  async close(): Promise<void> {
    this.#options.optimiser.destroy("the server is closing");
    await Promise.all([...this.#models].map((model) => model.close()));
    await this.#options.pool.close();
  }

  destroy(reason: string): void {
    this.#options.optimiser.destroy(reason);
    for (const model of this.#models) model.destroy(reason);
    this.#options.pool.destroy(reason);
  }

  async #acquire(spec: LoadSpec, onStart: (worker: Worker) => void): Promise<Worker> {
    if (spec.options.isolation === "process") return this.#options.pool.take(onStart);
    this.#threads++;
    const worker = this.#options.spawnThread(`t${this.#threads}`);
    onStart(worker);
    await worker.ready;
    return worker;
  }
}

interface WorkerModelOptions {
  acquire(onStart: (worker: Worker) => void): Promise<Worker>;
  optimise(): void;
  onProgress(stage: string): void;
  onEnd(): void;
  readonly onReports: ReportListener | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
}

class WorkerModel implements LoadedModel {
  readonly #instances: WorkerInstance[];
  readonly #spec: LoadSpec;
  readonly #options: WorkerModelOptions;
  readonly #files: FileIdentity;
  readonly #newInstance: (index: number) => WorkerInstance;
  readonly #listeners = new Set<(instance: Instance) => void>();
  #description: ModelDescription | undefined;

  constructor(spec: LoadSpec, options: WorkerModelOptions) {
    this.#options = options;
    const files = new FileIdentity(spec.file, spec.options.weightsFile);
    this.#files = files;
    const caution = new LoadCaution();
    this.#spec = spec;
    this.#newInstance = (index) => {
      const id = `${spec.name}/${spec.version}#${index}`;
      return new WorkerInstance({
        id,
        index,
        spec,
        files,
        caution,
        description: () => this.#description,
        acquire: options.acquire,
        optimise: options.optimise,
        onProgress: options.onProgress,
        onReports: options.onReports,
        onStateChange: (instance) => this.#notify(instance),
        clock: options.clock,
        random: options.random,
        logger: options.logger.child({ model: spec.name, version: spec.version, instance: index }),
      });
    };
    const count = Math.max(1, spec.options.instances);
    this.#instances = Array.from({ length: count }, (_, index) => this.#newInstance(index));
  }

  get instances(): readonly WorkerInstance[] {
    return this.#instances;
  }

  files(): readonly FileStamp[] {
    return this.#files.stamps;
  }

  get description(): ModelDescription {
    if (this.#description === undefined) throw new ServeError("unavailable", "the model is still loading");
    return this.#description;
  }

  /** The first instance finds out whether the file can be served at all; the others follow together. */
  async start(): Promise<void> {
    const [first] = this.#instances;
    this.#description = await first!.start();
    const asked = Math.min(this.#description.asks?.instances ?? 0, this.#spec.options.mayAsk?.instances ?? 0);
    while (this.#instances.length < asked) this.#instances.push(this.#newInstance(this.#instances.length));
    const others = this.#instances.slice(1);
    await Promise.all(others.map((instance) => instance.start()));
  }

  onStateChange(listener: (instance: Instance) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    await Promise.all(this.instances.map((instance) => instance.close()));
    this.#options.onEnd();
  }

  destroy(reason: string): void {
    for (const instance of this.instances) instance.destroy(reason);
    this.#options.onEnd();
  }

  #notify(instance: Instance): void {
    for (const listener of this.#listeners) listener(instance);
  }
}

function loadCancelled(): ServeError {
  return new ServeError("cancelled", "loading the model was cancelled", { reason: "load_cancelled" });
}
