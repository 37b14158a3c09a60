import { logFindings } from "./log-findings.ts";
import type { RegistryOptions } from "./managed-registry.ts";
import type { ModelCandidate, ScanResult } from "./model-candidate.ts";
import type { ModelVersion } from "./model-version.ts";
import { ModelVersions } from "./model-versions.ts";
import { isEmpty, isReady } from "./readiness.ts";
import { notFound, notLoaded, notLookedYet, unreadable } from "./registry-refusals.ts";
import { NO_TRIAL_MEMORY } from "./trial-record.ts";
import { trialWish } from "./trial-wish.ts";
import { LATEST_VERSION } from "./version-policy.ts";
import type { VersionContext } from "./version-state.ts";

/** The models that scans of the disk have found, and what the latest of them could not see. */
export class KnownModels {
  readonly #options: RegistryOptions;
  readonly #context: VersionContext;
  readonly #models = new Map<string, ModelVersions>();
  /** Of the last scan; each is logged when it appears. */
  #problems: ReadonlySet<string> = new Set();
  #observed = false;
  /** What the last scan could not read at all; empty when it was complete. */
  #unread: readonly ModelCandidate[] = [];
  /** Models to load at the start that no scan has found yet. */
  readonly #missing: Set<string>;
  /** A scan could list every path. */
  #sawAll = false;

  constructor(options: RegistryOptions, context: VersionContext) {
    this.#options = options;
    this.#context = context;
    this.#missing = new Set(options.explicit?.startup);
  }

  all(): Iterable<ModelVersions> {
    return this.#models.values();
  }

  names(): Iterable<string> {
    return this.#models.keys();
  }

  get(name: string): ModelVersions | undefined {
    return this.#models.get(name);
  }

  /** Throws `not_found`. */
  require(name: string): ModelVersions {
    return this.#models.get(name) ?? this.notFound(name, undefined);
  }

  /** Throws `not_found`, or that nobody has looked yet. */
  notFound(name: string, version: string | undefined): never {
    throw this.#observed ? notFound({ name, version }, this.#models) : notLookedYet();
  }

  /** Without a version: the newest that may serve. */
  find(name: string, version: string | undefined): ModelVersion | undefined {
    const model = this.#models.get(name);
    return version === undefined ? model?.newest : model?.versions.get(version);
  }

  *versions(): Iterable<ModelVersion> {
    for (const model of this.#models.values()) yield* model.versions.values();
  }

  /** Every model that is wanted serves. */
  get isReady(): boolean {
    return isReady(this.#options, { models: this.#models, missing: this.#missing, sawAll: this.#sawAll });
  }

  /**
   * Takes note of a scan. Returns what is known now, or was until now; `isFirst`: no scan before it saw everything there is. `onNew` hears of models that appear.
   */
  apply(
    scan: ScanResult,
    onNew: (model: ModelVersions) => void,
  ): { readonly models: readonly ModelVersions[]; readonly isFirst: boolean } {
    this.#problems = logFindings(scan, this.#problems, this.#options.logger);
    const isFirst = !this.#observed && scan.pending !== true;
    this.#observed ||= isFirst;
    this.#sawAll ||= scan.complete || this.#options.explicit !== undefined;
    return { models: this.#observe(scan, onNew), isFirst };
  }

  /** Somebody counts on the model at the start, and it is there now; true once. */
  isDue(model: ModelVersions): boolean {
    return !model.isStandIn && this.#missing.delete(model.name);
  }

  /** Somebody asked for the model: it is not the start's any more. */
  noteAsked(name: string): void {
    this.#missing.delete(name);
  }

  /** What the operator counts on and the first scan did not find. */
  reportMissing(): void {
    const { explicit, allowEmpty, logger } = this.#options;
    for (const model of this.#missing)
      if (!this.#models.has(model))
        logger.warn({ model }, "a model that is to be loaded at the start is not on disk");
    if (explicit === undefined && allowEmpty !== true && isEmpty(this.#models))
      logger.warn({}, "there is no model to serve: not ready (unless started with --allow-empty)");
  }

  /** Lets go of versions that are gone and released. */
  forget(model: ModelVersions): void {
    const forgotten = model.forget();
    if (model.versions.size === 0) this.#models.delete(model.name);
    for (const version of forgotten) this.#options.onForgotten?.(model.name, version);
  }

  /** Throws when the disk cannot be read where the model may be. */
  rejectUnreadable(name: string): void {
    const unread = this.#models.get(name)?.unread ?? this.#unread;
    if (unread.length > 0) throw unreadable(name, unread);
  }

  /** What serves is not what lies there now: a load must not answer for the one as if it were the other. */
  rejectBroken(name: string): void {
    const broken = this.#models.get(name)?.broken ?? [];
    if (broken.length > 0) throw notLoaded(name, broken);
  }

  /** The versions to load; throws when nothing can be. */
  wanted(name: string): readonly ModelVersion[] {
    const { wanted, versions } = this.require(name);
    if (wanted.length === 0) throw notLoaded(name, [...versions.values()]);
    return wanted;
  }

  /** Groups a scan by model, passes it on, and returns every model that is known or was. */
  #observe(scan: ScanResult, onNew: (model: ModelVersions) => void): readonly ModelVersions[] {
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
      if (known === undefined) onNew(model);
    }
    for (const model of this.#models.values()) {
      if (!found.has(model.name)) model.unread = this.#unread;
      const missing = scan.complete && !found.has(model.name);
      if (missing && (this.#options.explicit === undefined || !model.active)) model.observe([]);
      this.forget(model);
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
}
