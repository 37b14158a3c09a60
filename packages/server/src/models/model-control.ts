import type { Clock } from "../base/clock.ts";
import { ServeError } from "../base/errors.ts";
import type { ManagedRegistry } from "./managed-registry.ts";
import type { ModelCandidate } from "./model-candidate.ts";
import { type Overrides, withOverrides } from "./model-overrides.ts";
import type { Repository } from "./repository.ts";
import { createScanSettler, type ScanSettler } from "./settle-scan.ts";

/** Who decides what is loaded: the start alone, the disk, or requests of an administrator. */
export type ModelControlMode =
  | { readonly kind: "none" }
  | { readonly kind: "poll"; readonly intervalMs: number }
  | { readonly kind: "explicit" };

export interface ModelControlOptions {
  readonly mode: ModelControlMode;
  readonly repository: Repository;
  /** Made with `explicit` set when the mode is. Not owned. */
  readonly registry: ManagedRegistry;
  readonly clock: Clock;
  /** Keys of model.yaml that come before the models' own, by model, until requests bring others. */
  readonly settings?: ReadonlyMap<string, Overrides> | undefined;
  /** Told of what a look found, before the registry is; it takes its time. Default: nobody is. */
  recognize?(candidates: readonly ModelCandidate[]): Promise<void>;
  /** Stores whose copies the repository reads; undefined: none. Not owned. */
  readonly stores?: ControlledStores | undefined;
}

/** Copies of stores, as whoever reads them has to know of. */
export interface ControlledStores {
  /** Begins to read the stores; `onChange` is called after every change of a copy. Resolves when it is known of each what to serve. */
  start(onChange: () => void): Promise<void>;
  /** Reads the stores now. Never rejects. */
  refresh(): Promise<void>;
}

/** Keeps the registry in step with the disk, as the mode says. */
export interface ModelControl {
  /** Looks at the disk once and starts what is to be loaded; then watches, if the mode says so. Call it once. */
  start(): Promise<void>;
  /**
   * Looks at the disk again, then as `ManagedRegistry.loadModel`. `settings`: keys of model.yaml that come before the model's own until it is unloaded; when the
   * load fails, those before stay. Rejects with `failed_precondition` unless the mode is explicit, with `unavailable` once closed.
   */
  loadModel(name: string, signal: AbortSignal, settings?: Overrides): Promise<void>;
  /** As `ManagedRegistry.unloadModel`. Rejects with `failed_precondition` unless the mode is explicit. */
  unloadModel(name: string, signal: AbortSignal, version?: string): Promise<void>;
  /** As `ManagedRegistry.setDefaultVersion`. Throws `failed_precondition` unless the mode is explicit. */
  setDefaultVersion(name: string, version: string): void;
  /** Throws `failed_precondition` unless the mode is explicit, `unavailable` once closed. */
  requireExplicit(): void;
  /** Looks at the disk again. */
  refresh(): Promise<void>;
  /** Looks at the disk no more. What is loaded stays. Idempotent. */
  close(): void;
}

export function createModelControl(options: ModelControlOptions): ModelControl {
  const { mode, repository, registry, clock, stores } = options;
  const { settings: given = new Map<string, Overrides>() } = options;
  let settler: ScanSettler | undefined;
  let cancelTimer = (): void => {};
  let closed = false;
  const overrides = new Map(given);

  const look = async (what?: "stores"): Promise<void> => {
    const scan = withOverrides(await repository.scan(what), overrides);
    await options.recognize?.(scan.candidates);
    if (closed) return;
    // What a store holds is taken as it is as well, when it is known.
    if (scan.pending !== true) settler ??= createScanSettler(scan);
    registry.apply(mode.kind === "poll" && settler !== undefined ? settler.settle(scan) : scan);
  };
  const lookAtStores = shareNext(() => look("stores"));
  const watch = (intervalMs: number): void => {
    cancelTimer = clock.after(intervalMs, () => {
      void look().then(() => {
        if (!closed) watch(intervalMs);
      });
    });
  };
  const lookAgain = shareNext(async () => {
    await stores?.refresh();
    await look();
  });
  const loadNewest = (name: string, signal: AbortSignal): Promise<void> =>
    loadAsItLies(registry, { name, signal, lookAgain });
  const reset = (name: string): void => {
    const settings = given.get(name);
    if (settings === undefined) overrides.delete(name);
    else overrides.set(name, settings);
  };
  const requireExplicit = (): void => {
    if (closed) throw new ServeError("unavailable", "the server is shutting down", { reason: "draining" });
    if (mode.kind !== "explicit") throw controlIsOff();
  };

  return {
    async start() {
      let isStarted = false;
      const started = stores?.start(() => {
        // A poll looks by itself.
        if (isStarted && mode.kind !== "poll" && !closed) void lookAtStores();
      });
      await look();
      await started;
      isStarted = true;
      if (started !== undefined && !closed) await lookAtStores();
      if (mode.kind === "poll" && !closed) watch(mode.intervalMs);
    },
    async loadModel(name, signal, settings) {
      requireExplicit();
      if (settings === undefined) return loadNewest(name, signal);
      const before = overrides.get(name);
      overrides.set(name, { ...before, ...settings });
      try {
        await loadNewest(name, signal);
      } catch (error) {
        if (before === undefined) overrides.delete(name);
        else overrides.set(name, before);
        throw error;
      }
    },
    async unloadModel(name, signal, version) {
      requireExplicit();
      if (version === undefined) reset(name);
      await registry.unloadModel(name, signal, version);
    },
    setDefaultVersion(name, version) {
      requireExplicit();
      registry.setDefaultVersion(name, version);
    },
    requireExplicit,
    refresh: lookAgain,
    close() {
      closed = true;
      cancelTimer();
    },
  };
}

/** Loads a model from the files that lie there when it ends: those that change under a load can make it fail, and are tried again. */
async function loadAsItLies(
  registry: ManagedRegistry,
  {
    name,
    signal,
    lookAgain,
  }: { readonly name: string; readonly signal: AbortSignal; lookAgain(): Promise<void> },
): Promise<void> {
  await lookAgain();
  for (;;) {
    const tried = registry.wantedPrint(name);
    try {
      return await registry.loadModel(name, signal);
    } catch (error) {
      if (ServeError.from(error).reason !== "load_failed") throw error;
      await lookAgain();
      if (registry.wantedPrint(name) === tried) throw error;
    }
  }
}

function controlIsOff(): ServeError {
  return new ServeError(
    "failed_precondition",
    "models are not loaded and unloaded on request here: start the server with --model-control explicit",
    { reason: "model_control_off" },
  );
}

/**
 * Many callers, few runs: a caller gets a run that starts after its call. While one runs, all who come share the next.
 */
function shareNext(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  const run = (): Promise<void> => {
    running = work().finally(() => {
      running = undefined;
    });
    return running;
  };
  return () => {
    if (running === undefined) return run();
    next ??= running.then(() => {
      next = undefined;
      return run();
    });
    return next;
  };
}
