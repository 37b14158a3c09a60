import type { CancelSignal } from "../base/call-signal.ts";
import { createEvictingLoad, type EvictingLoad } from "./evicting-load.ts";
import { KnownModels } from "./known-models.ts";
import { untilAborted } from "./load-limit.ts";
import { loadWanted } from "./load-wanted.ts";
import type { ManagedRegistry, RegistryOptions, VersionStatus } from "./managed-registry.ts";
import { compareVersions, type ModelCandidate, type ScanResult } from "./model-candidate.ts";
import type { ModelVersion } from "./model-version.ts";
import type { ModelVersions } from "./model-versions.ts";
import type { IndexEntry, ModelPresence, ServedModel } from "./registry.ts";
import { notReady } from "./registry-refusals.ts";
import type { ServedModelHandle } from "./served-model-handle.ts";
import { requireNoTrial, requireTrials } from "./trial-wish.ts";
import { LOADS_ON_USE, NOT_LOADED } from "./version-state.ts";
import type { TrialEnd, TrialStatus } from "./version-trial.ts";

/** An empty registry; `apply` fills it. */
export function createRegistry(options: RegistryOptions): ManagedRegistry {
  return new Registry(options);
}

class Registry implements ManagedRegistry {
  readonly #options: RegistryOptions;
  readonly #known: KnownModels;
  readonly #listeners = new Set<(entry: IndexEntry) => void>();
  readonly #watchers = new Set<(model: string) => void>();
  readonly #loading: EvictingLoad;
  readonly #retryFailedMs: number;
  #uses = 0;
  /** The loads of the first scan are done. */
  #started = false;
  #closed = false;

  constructor(options: RegistryOptions) {
    this.#options = options;
    this.#retryFailedMs = options.retryFailedMs ?? 10_000;
    this.#loading = createEvictingLoad({
      load: options.load,
      clock: options.clock,
      limits: { maxModels: options.maxLoadedModels, maxBytes: options.memoryBudgetBytes },
      concurrentLoads: options.concurrentLoads ?? 4,
      versions: () => this.#known.versions(),
      replaces: (name, version) => this.#known.get(name)?.isReplacedBy(version) ?? false,
    });
    this.#known = new KnownModels(options, {
      load: this.#loading.load,
      clock: options.clock,
      logger: options.logger,
      drainTimeoutMs: options.drainTimeoutMs ?? 30_000,
      retryFailedMs: this.#retryFailedMs,
      onChange: (entry) => this.#onChange(entry),
      onIdle: () => this.#loading.retry(),
      onReleased: (handle) => this.#loading.released(handle),
    });
  }

  lookup(name: string, version: string | undefined): ServedModelHandle | undefined {
    const found = this.#known.find(name, version);
    if (found === undefined) return undefined;
    found.usedAt = this.#uses++;
    const handle = found.serving;
    return handle === undefined || handle.failure() !== undefined ? undefined : handle;
  }

  resolve(name: string, version: string | undefined): ServedModel {
    return this.lookup(name, version) ?? this.#throwNotReady(name, version);
  }

  async waitForLoad(name: string, version: string | undefined, signal: CancelSignal): Promise<void> {
    const target = this.#known.find(name, version) ?? this.#known.get(name)?.wanted.at(-1);
    if (target === undefined || !this.#mayLoad(target)) this.#throwNotReady(name, version);
    this.#loading.pin(target);
    try {
      await target.waitForLoad(signal);
    } finally {
      this.#loading.unpin(target);
    }
  }

  candidate(name: string, version: string | undefined): ModelCandidate | undefined {
    return (this.#known.find(name, version) ?? this.#known.get(name)?.wanted.at(-1))?.candidate;
  }

  async prepare(name: string, version: string | undefined, signal: AbortSignal): Promise<void> {
    // Loads that one look at the disk starts all start in its turn.
    await Promise.resolve();
    const model = this.#known.get(name);
    const target = this.#known.find(name, version) ?? model?.wanted.at(-1);
    if (model === undefined || target === undefined || this.#closed) return;
    if (this.#options.explicit !== undefined && !model.enabled) {
      model.enabled = true;
      model.loadStale();
    }
    const isWanted = this.#mayLoad(target) || this.#options.explicit !== undefined;
    if (isWanted && target.serving === undefined) await target.waitForLoad(signal);
    else if (target.pending !== undefined) await untilAborted(target.pending, signal);
  }

  isModelReady(name: string, version: string | undefined): boolean {
    const model = this.#known.require(name);
    const found =
      this.#known.find(name, version) ?? (version === undefined ? model.representative : undefined);
    if (found === undefined) this.#known.notFound(name, version);
    return found.well || this.#mayLoad(found);
  }

  presence(name: string): ModelPresence {
    const kinds = [...(this.#known.get(name)?.versions.values() ?? [])].map(({ state }) => state.kind);
    if (kinds.length === 0) return "absent";
    if (kinds.every((kind) => kind === "unloaded")) return "unloaded";
    return kinds.every((kind) => kind === "unloaded" || kind === "failed") ? "failed" : "live";
  }

  readyVersions(name: string): readonly string[] {
    const ready: string[] = [];
    for (const version of this.#known.require(name).versions.values()) {
      if (version.well) ready.push(version.version);
    }
    return ready.sort(compareVersions);
  }

  names(): Iterable<string> {
    return this.#known.names();
  }

  index(): readonly IndexEntry[] {
    const entries: IndexEntry[] = [];
    for (const model of this.#known.all())
      for (const version of model.versions.values()) entries.push(model.indexEntry(version));
    if (this.#options.lazy !== true) return entries;
    return entries.map((entry) => (entry.reason === NOT_LOADED ? { ...entry, reason: LOADS_ON_USE } : entry));
  }

  isKnown(name: string): boolean {
    return this.#known.get(name) !== undefined;
  }

  hasVersion(name: string, version: string): boolean {
    return this.#known.get(name)?.versions.has(version) === true;
  }

  isReady(): boolean {
    if (this.#closed || !this.#started) return false;
    return this.#known.isReady;
  }

  apply(scan: ScanResult): void {
    if (this.#closed) return;
    const { models, isFirst } = this.#known.apply(scan, (model) => this.#tellOf(model));
    const { explicit } = this.#options;
    for (const model of models) {
      const isDue = this.#known.isDue(model);
      if (isDue) model.enabled = true;
      if (explicit === undefined || isDue) this.#reconcile(model);
    }
    if (isFirst) this.#known.reportMissing();
    if (isFirst) void this.settled().then(() => this.#onStarted());
  }

  async settled(): Promise<void> {
    for (;;) {
      const pending = Array.from(this.#known.versions(), (version) => version.pending).filter(
        (load) => load !== undefined,
      );
      if (pending.length === 0) return;
      await Promise.all(pending);
    }
  }

  loadModel(name: string, signal: AbortSignal): Promise<void> {
    return loadWanted(this.#known, name, { signal, isClosed: () => this.#closed });
  }

  wantedPrint(name: string): string {
    const wanted = this.#known.get(name)?.wanted ?? [];
    return wanted.map(({ version, candidate }) => `${version} ${candidate.fingerprint}`).join("\n");
  }

  setDefaultVersion(name: string, version: string): void {
    const model = this.#known.require(name);
    if (!model.versions.has(version)) this.#known.notFound(name, version);
    requireNoTrial(model);
    model.preferred = version;
    model.refresh();
    this.#tellOf(model);
  }

  trial(name: string): TrialStatus | undefined {
    return this.#known.get(name)?.trial;
  }

  beginTrial(name: string, version: string): void {
    const model = this.#known.require(name);
    requireTrials(this.#options);
    if (!model.versions.has(version)) this.#known.notFound(name, version);
    model.beginTrial(version);
    this.#tellOf(model);
  }

  noteTrial(name: string, words: string): void {
    const model = this.#known.get(name);
    if (model !== undefined) model.trialNote = words;
  }

  endTrial(name: string, end: TrialEnd): void {
    const model = this.#known.get(name);
    if (model === undefined) return;
    model.endTrial(end);
    this.#tellOf(model);
  }

  async unloadModel(name: string, signal: AbortSignal, version?: string): Promise<void> {
    const model = this.#known.require(name);
    const versions = [...model.versions.values()].filter(
      (one) => version === undefined || one.version === version,
    );
    if (versions.length === 0) this.#known.notFound(name, version);
    if (version === undefined) {
      model.enabled = false;
      model.preferred = undefined;
    }
    await untilAborted(Promise.all(versions.map((version) => version.unload("unloaded on request"))), signal);
  }

  servingVersion(name: string): string | undefined {
    const newest = this.#known.get(name)?.newest;
    return newest?.serving === undefined ? undefined : newest.version;
  }

  watch(listener: (model: string) => void): () => void {
    this.#watchers.add(listener);
    return () => this.#watchers.delete(listener);
  }

  subscribe(listener: (entry: IndexEntry) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  loaded(): readonly ServedModelHandle[] {
    return Array.from(this.#known.versions(), (version) => version.serving).filter(
      (handle) => handle !== undefined,
    );
  }

  versions(): readonly VersionStatus[] {
    return Array.from(this.#known.versions(), (version) => version.status);
  }

  async close(): Promise<void> {
    this.#closed = true;
    // What is made of others goes before them.
    const versions = [...this.#known.versions()].sort((a, b) => Number(isMade(b)) - Number(isMade(a)));
    await Promise.all(versions.map((version) => version.unload("the server is stopping")));
  }

  destroy(reason: string): void {
    this.#closed = true;
    for (const version of this.#known.versions()) version.destroy(reason);
  }

  /** Whether a request may wait for this version to load. */
  #mayLoad(version: ModelVersion): boolean {
    if (this.#options.lazy !== true || this.#closed) return false;
    const model = this.#known.get(version.name);
    if (model === undefined || !model.enabled || !model.wanted.includes(version)) return false;
    const { state } = version;
    if (state.kind === "failed") {
      const age = this.#options.clock.nowMs() - state.atMs;
      return version.candidate.problem === undefined && age >= this.#retryFailedMs;
    }
    return state.kind !== "ready" && !version.gone;
  }

  #throwNotReady(name: string, version: string | undefined): never {
    const model = this.#known.require(name);
    const found =
      this.#known.find(name, version) ?? (version === undefined ? model.representative : undefined);
    if (found === undefined) this.#known.notFound(name, version);
    throw notReady({ name, version }, found);
  }

  #reconcile(model: ModelVersions): void {
    if (this.#options.lazy === true) model.reloadStale();
    else model.loadStale();
    model.unloadUnwanted();
  }

  #tellOf({ name }: ModelVersions): void {
    for (const watcher of this.#watchers) watcher(name);
  }

  #onStarted(): void {
    this.#started = true;
  }

  #onChange(entry: IndexEntry): void {
    const model = this.#known.get(entry.name);
    if (model === undefined) return;
    model.refresh();
    if (model.enabled && !this.#closed) model.unloadUnwanted();
    for (const listener of this.#listeners) listener(entry);
    this.#tellOf(model);
    this.#known.forget(model);
    this.#loading.retry();
  }
}

function isMade({ candidate }: ModelVersion): boolean {
  return candidate.format === "pipeline";
}
