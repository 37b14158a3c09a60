import type { CancelSignal } from "../base/call-signal.ts";
import { ServeError } from "../base/errors.ts";
import { createEvictingLoad, type EvictingLoad } from "./evicting-load.ts";
import { untilAborted } from "./load-limit.ts";
import { logFindings } from "./log-findings.ts";
import type { ManagedRegistry, RegistryOptions, VersionStatus } from "./managed-registry.ts";
import { compareVersions, type ModelCandidate, type ScanResult } from "./model-candidate.ts";
import type { ModelVersion } from "./model-version.ts";
import { ModelVersions } from "./model-versions.ts";
import { isEmpty, isReady } from "./readiness.ts";
import type { IndexEntry, ModelPresence, ServedModel } from "./registry.ts";
import { notFound, notLoaded, notLookedYet, notReady, overtaken, unreadable } from "./registry-refusals.ts";
import type { ServedModelHandle } from "./served-model-handle.ts";
import { NO_TRIAL_MEMORY } from "./trial-record.ts";
import { requireNoTrial, requireTrials, trialWish } from "./trial-wish.ts";
import { LATEST_VERSION } from "./version-policy.ts";
import { LOADS_ON_USE, NOT_LOADED, type VersionContext } from "./version-state.ts";
import type { TrialEnd, TrialStatus } from "./version-trial.ts";

/** An empty registry; `apply` fills it. */
export function createRegistry(options: RegistryOptions): ManagedRegistry {
  return new Registry(options);
}

class Registry implements ManagedRegistry {
  readonly #options: RegistryOptions;
  readonly #models = new Map<string, ModelVersions>();
  readonly #listeners = new Set<(entry: IndexEntry) => void>();
  readonly #watchers = new Set<(model: string) => void>();
  readonly #loading: EvictingLoad;
  readonly #context: VersionContext;
  readonly #retryFailedMs: number;
  #uses = 0;
  /** Of the last scan; each is logged when it appears. */
  #problems: ReadonlySet<string> = new Set();
  #observed = false;
  /** What the last scan could not read at all; empty when it was complete. */
  #unread: readonly ModelCandidate[] = [];
  /** Models to load at the start that no scan has found yet. */
  readonly #missing: Set<string>;
  /** A scan could list every path. */
  #sawAll = false;
  /** The loads of the first scan are done. */
  #started = false;
  #closed = false;

  constructor(options: RegistryOptions) {
    this.#options = options;
    this.#retryFailedMs = options.retryFailedMs ?? 10_000;
    this.#missing = new Set(options.explicit?.startup);
    this.#loading = createEvictingLoad({
      load: options.load,
      clock: options.clock,
      limits: { maxModels: options.maxLoadedModels, maxBytes: options.memoryBudgetBytes },
      concurrentLoads: options.concurrentLoads ?? 4,
      versions: () => this.#versions(),
      replaces: (name, version) => this.#models.get(name)?.isReplacedBy(version) ?? false,
    });
    this.#context = {
      load: this.#loading.load,
      clock: options.clock,
      logger: options.logger,
      drainTimeoutMs: options.drainTimeoutMs ?? 30_000,
      retryFailedMs: this.#retryFailedMs,
      onChange: (entry) => this.#onChange(entry),
      onIdle: () => this.#loading.retry(),
      onReleased: (handle) => this.#loading.released(handle),
    };
  }

  lookup(name: string, version: string | undefined): ServedModelHandle | undefined {
    const found = this.#find(name, version);
    if (found === undefined) return undefined;
    found.usedAt = this.#uses++;
    const handle = found.serving;
    return handle === undefined || handle.failure() !== undefined ? undefined : handle;
  }

  resolve(name: string, version: string | undefined): ServedModel {
    return this.lookup(name, version) ?? this.#throwNotReady(name, version);
  }

  async waitForLoad(name: string, version: string | undefined, signal: CancelSignal): Promise<void> {
    const target = this.#find(name, version) ?? this.#models.get(name)?.wanted.at(-1);
    if (target === undefined || !this.#mayLoad(target)) this.#throwNotReady(name, version);
    this.#loading.pin(target);
    try {
      await target.waitForLoad(signal);
    } finally {
      this.#loading.unpin(target);
    }
  }

  candidate(name: string, version: string | undefined): ModelCandidate | undefined {
    return (this.#find(name, version) ?? this.#models.get(name)?.wanted.at(-1))?.candidate;
  }

  async prepare(name: string, version: string | undefined, signal: AbortSignal): Promise<void> {
    // Loads that one look at the disk starts all start in its turn.
    await Promise.resolve();
    const model = this.#models.get(name);
    const target = this.#find(name, version) ?? model?.wanted.at(-1);
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
    const model = this.#model(name);
    const found = this.#find(name, version) ?? (version === undefined ? model.representative : undefined);
    if (found === undefined) this.#notFound(name, version);
    return found.well || this.#mayLoad(found);
  }

  presence(name: string): ModelPresence {
    const kinds = [...(this.#models.get(name)?.versions.values() ?? [])].map(({ state }) => state.kind);
    if (kinds.length === 0) return "absent";
    if (kinds.every((kind) => kind === "unloaded")) return "unloaded";
    return kinds.every((kind) => kind === "unloaded" || kind === "failed") ? "failed" : "live";
  }

  readyVersions(name: string): readonly string[] {
    const ready: string[] = [];
    for (const version of this.#model(name).versions.values()) {
      if (version.well) ready.push(version.version);
    }
    return ready.sort(compareVersions);
  }

  names(): Iterable<string> {
    return this.#models.keys();
  }

  index(): readonly IndexEntry[] {
    const entries: IndexEntry[] = [];
    for (const model of this.#models.values())
      for (const version of model.versions.values()) entries.push(model.indexEntry(version));
    if (this.#options.lazy !== true) return entries;
    return entries.map((entry) => (entry.reason === NOT_LOADED ? { ...entry, reason: LOADS_ON_USE } : entry));
  }

  isKnown(name: string): boolean {
    return this.#models.has(name);
  }

  hasVersion(name: string, version: string): boolean {
    return this.#models.get(name)?.versions.has(version) === true;
  }

  isReady(): boolean {
    if (this.#closed || !this.#started) return false;
    return isReady(this.#options, { models: this.#models, missing: this.#missing, sawAll: this.#sawAll });
  }

  apply(scan: ScanResult): void {
    if (this.#closed) return;
    this.#problems = logFindings(scan, this.#problems, this.#options.logger);
    // The first that saw everything there is.
    const first = !this.#observed && scan.pending !== true;
    this.#observed ||= first;
    const { explicit } = this.#options;
    this.#sawAll ||= scan.complete || explicit !== undefined;
    for (const model of this.#observe(scan)) {
      const isDue = !model.isStandIn && this.#missing.delete(model.name);
      if (isDue) model.enabled = true;
      if (explicit === undefined || isDue) this.#reconcile(model);
    }
    if (first) this.#reportMissing();
    if (first) void this.settled().then(() => this.#onStarted());
  }

  async settled(): Promise<void> {
    for (;;) {
      const pending = Array.from(this.#versions(), (version) => version.pending).filter(
        (load) => load !== undefined,
      );
      if (pending.length === 0) return;
      await Promise.all(pending);
    }
  }

  async loadModel(name: string, signal: AbortSignal): Promise<void> {
    this.#rejectUnreadable(name);
    this.#rejectBroken(name);
    this.#model(name).enabled = true;
    this.#missing.delete(name);
    let due = this.#wanted(name).filter((version) => !version.current || !version.well);
    while (due.length > 0) {
      await untilAborted(Promise.all(due.map((version) => version.load())), signal);
      const wanted = this.#wanted(name);
      const kept = due.filter((version) => this.#model(name).isHeldBack(version));
      const failed = [...wanted, ...kept].filter((version) => version.rejected);
      if (failed.length > 0) throw notLoaded(name, failed);
      // Others may have changed the same model meanwhile: newer files are loaded as well, an unload has the last word.
      due = wanted.filter((version) => !version.current);
      if (due.length > 0) this.#rejectOvertaken(name);
    }
  }

  wantedPrint(name: string): string {
    const wanted = this.#models.get(name)?.wanted ?? [];
    return wanted.map(({ version, candidate }) => `${version} ${candidate.fingerprint}`).join("\n");
  }

  setDefaultVersion(name: string, version: string): void {
    const model = this.#model(name);
    if (!model.versions.has(version)) this.#notFound(name, version);
    requireNoTrial(model);
    model.preferred = version;
    model.refresh();
    this.#tellOf(model);
  }

  trial(name: string): TrialStatus | undefined {
    return this.#models.get(name)?.trial;
  }

  beginTrial(name: string, version: string): void {
    const model = this.#model(name);
    requireTrials(this.#options);
    if (!model.versions.has(version)) this.#notFound(name, version);
    model.beginTrial(version);
    this.#tellOf(model);
  }

  noteTrial(name: string, words: string): void {
    const model = this.#models.get(name);
    if (model !== undefined) model.trialNote = words;
  }

  endTrial(name: string, end: TrialEnd): void {
    const model = this.#models.get(name);
    if (model === undefined) return;
    model.endTrial(end);
    this.#tellOf(model);
  }

  async unloadModel(name: string, signal: AbortSignal, version?: string): Promise<void> {
    const model = this.#model(name);
    const versions = [...model.versions.values()].filter(
      (one) => version === undefined || one.version === version,
    );
    if (versions.length === 0) this.#notFound(name, version);
    if (version === undefined) {
      model.enabled = false;
      model.preferred = undefined;
    }
    await untilAborted(Promise.all(versions.map((version) => version.unload("unloaded on request"))), signal);
  }

  servingVersion(name: string): string | undefined {
    const newest = this.#models.get(name)?.newest;
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
    return Array.from(this.#versions(), (version) => version.serving).filter(
      (handle) => handle !== undefined,
    );
  }

  versions(): readonly VersionStatus[] {
    return Array.from(this.#versions(), (version) => version.status);
  }

  async close(): Promise<void> {
    this.#closed = true;
    // What is made of others goes before them.
    const versions = [...this.#versions()].sort((a, b) => Number(isMade(b)) - Number(isMade(a)));
    await Promise.all(versions.map((version) => version.unload("the server is stopping")));
  }

  destroy(reason: string): void {
    this.#closed = true;
    for (const version of this.#versions()) version.destroy(reason);
  }

  #rejectUnreadable(name: string): void {
    const unread = this.#models.get(name)?.unread ?? this.#unread;
    if (unread.length > 0) throw unreadable(name, unread);
  }

  /** What serves is not what lies there now: a load must not answer for the one as if it were the other. */
  #rejectBroken(name: string): void {
    const broken = this.#models.get(name)?.broken ?? [];
    if (broken.length > 0) throw notLoaded(name, broken);
  }

  *#versions(): Iterable<ModelVersion> {
    for (const model of this.#models.values()) yield* model.versions.values();
  }

  #model(name: string): ModelVersions {
    return this.#models.get(name) ?? this.#notFound(name, undefined);
  }

  #notFound(name: string, version: string | undefined): never {
    throw this.#observed ? notFound({ name, version }, this.#models) : notLookedYet();
  }

  /** The versions to load; throws when nothing can be. */
  #wanted(name: string): readonly ModelVersion[] {
    const { wanted, versions } = this.#model(name);
    if (wanted.length === 0) throw notLoaded(name, [...versions.values()]);
    return wanted;
  }

  #rejectOvertaken(name: string): void {
    if (this.#closed)
      throw new ServeError("unavailable", "the server is shutting down", { reason: "draining" });
    if (this.#model(name).enabled) return;
    throw overtaken(name);
  }

  #find(name: string, version: string | undefined): ModelVersion | undefined {
    const model = this.#models.get(name);
    return version === undefined ? model?.newest : model?.versions.get(version);
  }

  /** Whether a request may wait for this version to load. */
  #mayLoad(version: ModelVersion): boolean {
    if (this.#options.lazy !== true || this.#closed) return false;
    const model = this.#models.get(version.name);
    if (model === undefined || !model.enabled || !model.wanted.includes(version)) return false;
    const { state } = version;
    if (state.kind === "failed") {
      const age = this.#options.clock.nowMs() - state.atMs;
      return version.candidate.problem === undefined && age >= this.#retryFailedMs;
    }
    return state.kind !== "ready" && !version.gone;
  }

  #throwNotReady(name: string, version: string | undefined): never {
    const model = this.#model(name);
    const found = this.#find(name, version) ?? (version === undefined ? model.representative : undefined);
    if (found === undefined) this.#notFound(name, version);
    throw notReady({ name, version }, found);
  }

  /** Groups a scan by model, passes it on, and returns every model that is known or was. */
  #observe(scan: ScanResult): readonly ModelVersions[] {
    const found = new Map<string, ModelCandidate[]>();
    this.#unread = scan.candidates.filter(
      ({ hidesOthers, unreadable }) => hidesOthers === true || (unreadable && !scan.complete),
    );
    for (const candidate of scan.candidates) {
      const list = found.get(candidate.name);
      if (list === undefined) found.set(candidate.name, [candidate]);
      else list.push(candidate);
    }
    for (const [name, candidates] of found) {
      const known = this.#models.get(name);
      const model = known ?? this.#create(name);
      this.#models.set(name, model);
      model.observe(candidates);
      if (known === undefined) this.#tellOf(model);
    }
    for (const model of this.#models.values()) {
      if (!found.has(model.name)) model.unread = this.#unread;
      const missing = scan.complete && !found.has(model.name);
      if (missing && (this.#options.explicit === undefined || !model.active)) model.observe([]);
      this.#forget(model);
    }
    return [...this.#models.values()];
  }

  #create(name: string): ModelVersions {
    return new ModelVersions(name, {
      policyOf: this.#options.versionPolicy ?? (() => LATEST_VERSION),
      trialOf: (newest) => trialWish(newest, this.#options),
      memory: this.#options.trialMemory ?? NO_TRIAL_MEMORY,
      enabled: this.#options.explicit === undefined,
      context: this.#context,
    });
  }

  #reconcile(model: ModelVersions): void {
    if (this.#options.lazy === true) model.reloadStale();
    else model.loadStale();
    model.unloadUnwanted();
  }

  #forget(model: ModelVersions): void {
    const forgotten = model.forget();
    if (model.versions.size === 0) this.#models.delete(model.name);
    for (const version of forgotten) this.#options.onForgotten?.(model.name, version);
  }

  /** What the operator counts on and the first scan did not find. */
  #reportMissing(): void {
    const { explicit, allowEmpty, logger } = this.#options;
    for (const model of this.#missing)
      if (!this.#models.has(model))
        logger.warn({ model }, "a model that is to be loaded at the start is not on disk");
    if (explicit === undefined && allowEmpty !== true && isEmpty(this.#models))
      logger.warn({}, "there is no model to serve: not ready (unless started with --allow-empty)");
  }

  #tellOf({ name }: ModelVersions): void {
    for (const watcher of this.#watchers) watcher(name);
  }

  #onStarted(): void {
    this.#started = true;
  }

  #onChange(entry: IndexEntry): void {
    const model = this.#models.get(entry.name);
    if (model === undefined) return;
    model.refresh();
    if (model.enabled && !this.#closed) model.unloadUnwanted();
    for (const listener of this.#listeners) listener(entry);
    this.#tellOf(model);
    this.#forget(model);
    this.#loading.retry();
  }
}

function isMade({ candidate }: ModelVersion): boolean {
  return candidate.format === "pipeline";
}
