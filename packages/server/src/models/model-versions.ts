import { ServeError } from "../base/errors.ts";
import { compareVersions, type ModelCandidate } from "./model-candidate.ts";
import { ModelVersion } from "./model-version.ts";
import type { IndexEntry } from "./registry.ts";
import type { TrialMemory } from "./trial-record.ts";
import { LATEST_VERSION, type VersionPolicy, wantedVersions } from "./version-policy.ts";
import type { VersionContext } from "./version-state.ts";
import type { TrialEnd, TrialStatus, TrialWish } from "./version-trial.ts";
import { VersionTrials } from "./version-trials.ts";

/** All versions of one model: which are wanted, which one answers a request that names none. */
export class ModelVersions {
  readonly name: string;
  readonly versions: Map<string, ModelVersion> = new Map();
  /** False while the operator keeps it unloaded (`--model-control explicit`). */
  enabled: boolean;
  /** The version that somebody chose to answer requests that name none. */
  preferred: string | undefined;
  /** Answers requests that name no version: the preferred one, else the newest wanted one that is loaded and well, else the newest loaded one. */
  newest: ModelVersion | undefined;
  /** The last look found something that somebody meant as this model, whether or not it can be served. */
  isMeant = false;
  /** It stands for what a store may hold, and is not known yet. */
  isStandIn = false;
  /** What the last look could not read of the versions that the policy wants. */
  unread: readonly ModelCandidate[] = [];
  readonly #policyOf: (newest: ModelCandidate) => VersionPolicy;
  readonly #trials: VersionTrials;
  #policy: VersionPolicy = LATEST_VERSION;
  /** Fingerprint of the candidate that the policy was read with. */
  #policyRead: string | undefined;
  readonly #context: VersionContext;
  #wanted: readonly ModelVersion[] = [];
  /** Versions that the policy wants, and that cannot be tried. */
  #broken: readonly string[] = [];

  constructor(
    name: string,
    options: {
      readonly policyOf: (newest: ModelCandidate) => VersionPolicy;
      /** Whether a new version is tried before it takes over; undefined: it takes over. */
      readonly trialOf: (newest: ModelCandidate) => TrialWish | undefined;
      /** What is known of trials before. */
      readonly memory: TrialMemory;
      readonly enabled: boolean;
      readonly context: VersionContext;
    },
  ) {
    this.name = name;
    this.enabled = options.enabled;
    this.#policyOf = options.policyOf;
    const { trialOf: wishOf, memory } = options;
    this.#trials = new VersionTrials({ model: name, versions: this.versions, wishOf, memory });
    this.#context = options.context;
  }

  /** Versions that the policy wants, ascending. */
  get wanted(): readonly ModelVersion[] {
    return this.#wanted;
  }

  /** The version that speaks for the model when none serves. */
  get representative(): ModelVersion | undefined {
    return this.newest ?? this.#wanted.at(-1) ?? [...this.versions.values()].at(-1);
  }

  /** Something of it is in memory or on its way there. */
  get active(): boolean {
    for (const version of this.versions.values()) if (!version.idle) return true;
    return false;
  }

  /** Whether loading `version` replaces what serves: the same version, or one that is not wanted any more. */
  isReplacedBy(version: string): boolean {
    if (this.versions.get(version)?.serving !== undefined) return true;
    return this.newest !== undefined && !this.#wanted.includes(this.newest);
  }

  /** Takes over what a scan found; an empty list means that the model is gone from the disk. */
  observe(candidates: readonly ModelCandidate[]): void {
    const unreadable = candidates.some((candidate) => candidate.unreadable);
    this.isStandIn = candidates.length > 0 && candidates.every(({ hidesOthers }) => hidesOthers === true);
    this.isMeant = candidates.some((candidate) => candidate.looksLikeModel);
    const found = new Set(candidates.map((candidate) => candidate.version));
    for (const candidate of candidates) {
      const known = this.versions.get(candidate.version);
      if (known !== undefined) known.observe(candidate);
      else this.versions.set(candidate.version, new ModelVersion(candidate, this.#context));
    }
    for (const version of this.versions.values()) {
      if (!unreadable && !found.has(version.version)) version.gone = true;
    }
    const newest = candidates.findLast((candidate) => candidate.problem === undefined);
    if (newest !== undefined) this.#readPolicy(newest);
    const wantedOnDisk = wantedVersions(this.#policy, [...found]);
    const faulty = candidates.filter((c) => c.problem !== undefined && wantedOnDisk.includes(c.version));
    this.unread = faulty.filter((c) => c.unreadable);
    this.#broken = faulty.filter((c) => !c.unreadable).map((c) => c.version);
    this.#trials.observe(this.#wantedByPolicy(), this.newest);
    this.#choose();
  }

  /** Versions that should serve, and whose files cannot even be tried. */
  get broken(): readonly ModelVersion[] {
    return this.#broken.flatMap((version) => this.versions.get(version) ?? []);
  }

  /** The trial in force, if any. */
  get trial(): TrialStatus | undefined {
    return this.#trials.status;
  }

  /** Tries this version before it takes over from the one that serves; `load` is the caller's. Throws `failed_precondition` when it cannot be tried. */
  beginTrial(version: string): void {
    this.#trials.begin(version, this.newest, this.#policyWants(version));
    this.#choose();
  }

  /** Words on the trial in force, for the index. */
  set trialNote(words: string) {
    this.#trials.note = words;
  }

  /** Ends the trial in force: from now on requests that name no version go to the one or the other. */
  endTrial(end: TrialEnd): void {
    const trial = this.#trials.end(end);
    if (trial === undefined) return;
    const { candidate, stable } = trial;
    const isOlder = compareVersions(candidate, stable) < 0;
    if (end.kind === "promoted" && (this.preferred !== undefined || isOlder)) this.preferred = candidate;
    if (end.kind === "held_back" && this.preferred === candidate) this.preferred = undefined;
    this.#choose();
    if (this.enabled) this.unloadUnwanted();
  }

  /** Whether it was tried and did not pass. */
  isHeldBack(version: ModelVersion): boolean {
    return this.#trials.isHeldBack(version);
  }

  /** A version's line of the index. */
  indexEntry(version: ModelVersion): IndexEntry {
    const entry = version.indexEntry;
    const words = this.#trials.wordsOf(version.version, entry.state);
    if (words === undefined) return entry;
    return {
      ...entry,
      reason: entry.reason === "" || entry.state === "UNAVAILABLE" ? words : `${words}; ${entry.reason}`,
    };
  }

  #wantedByPolicy(): readonly string[] {
    const usable = [...this.versions.values()].filter((v) => !v.gone && v.candidate.problem === undefined);
    // The newest one that is left is what a held back version would have replaced.
    const left = usable.filter((v) => this.#policy.kind !== "latest" || !this.#trials.isHeldBack(v));
    return wantedVersions(
      this.#policy,
      left.map((v) => v.version),
    );
  }

  /** As if nothing held it back. */
  #policyWants(version: string): boolean {
    const usable = [...this.versions.values()].filter((v) => !v.gone && v.candidate.problem === undefined);
    return wantedVersions(
      this.#policy,
      usable.map((v) => v.version),
    ).includes(version);
  }

  #choose(): void {
    const names = new Set([...this.#wantedByPolicy(), ...this.#trials.wanted]);
    this.#wanted = [...names].sort(compareVersions).map((name) => this.versions.get(name)!);
    this.refresh();
  }

  /** Starts the loads that are due. */
  loadStale(): void {
    for (const version of this.#wanted) if (version.stale) void version.load();
  }

  /** For models that load on first use: only replaces what is in memory by what the disk holds now. */
  reloadStale(): void {
    for (const version of this.#wanted) {
      if (version.stale && (version.serving ?? version.pending) !== undefined) void version.load();
    }
    const latest = this.#wanted.at(-1);
    if (this.newest !== undefined && !this.#wanted.includes(this.newest) && latest?.stale) void latest.load();
  }

  /**
   * Unloads what is not wanted any more, but never the last version that serves while a wanted one is still to come:
   * loading, or failed. A model that is gone from the disk goes as a whole.
   */
  unloadUnwanted(): void {
    const versions = [...this.versions.values()];
    const gone = versions.every((version) => version.gone);
    const successorServes =
      this.#wanted.some((version) => version.well) && this.#wanted.every((v) => v.serving || !v.pending);
    if (!gone && !successorServes) return;
    for (const version of versions) {
      if (!this.#wanted.includes(version) && (version.serving ?? version.pending) !== undefined) {
        void version.unload(gone ? "its files are gone" : this.#trials.whyNot(version));
      }
    }
  }

  /** Forgets versions that are neither on disk nor in memory, and says which. */
  forget(): readonly string[] {
    const forgotten: string[] = [];
    for (const { version, gone, idle } of this.versions.values()) {
      if (!gone || !idle) continue;
      this.versions.delete(version);
      forgotten.push(version);
    }
    return forgotten;
  }

  /** Chooses `newest` again after a change. */
  refresh(): void {
    let best: ModelVersion | undefined;
    for (const version of this.versions.values()) {
      if (version.serving === undefined) continue;
      if (version.version !== this.preferred && !this.#trials.mayServe(version)) continue;
      if (best === undefined || this.#beats(version, best)) best = version;
    }
    this.newest = best;
    if (best !== undefined) this.#trials.see(best);
  }

  #readPolicy(newest: ModelCandidate): void {
    if (this.#policyRead === newest.fingerprint) return;
    this.#policyRead = newest.fingerprint;
    try {
      this.#policy = this.#policyOf(newest);
    } catch (thrown) {
      const error = ServeError.from(thrown);
      if (error.code === "unavailable") this.#policyRead = undefined;
      this.#context.logger.warn({ model: this.name, err: error }, `version policy: ${error.message}`);
    }
  }

  #beats(a: ModelVersion, b: ModelVersion): boolean {
    const rank = this.#rank(a) - this.#rank(b);
    return rank !== 0 ? rank > 0 : compareVersions(a.version, b.version) > 0;
  }

  #rank(version: ModelVersion): number {
    const trial = this.#trials.trial;
    if (version.version === trial?.stable) return version.well ? 5 : 0;
    if (version.version === trial?.candidate) return version.well ? 1 : -1;
    if (version.well && version.version === this.preferred) return 4;
    return (version.well ? 2 : 0) + (this.#wanted.includes(version) ? 1 : 0);
  }
}
