import { ServeError } from "../base/errors.ts";
import { compareVersions, type ModelCandidate } from "./model-candidate.ts";
import type { ModelVersion } from "./model-version.ts";
import type { IndexState } from "./registry.ts";
import type { TrialMemory, TrialRecord } from "./trial-record.ts";
import type { TrialEnd, TrialStatus, TrialWish, VersionTrial } from "./version-trial.ts";

/** Versions of a model whose verdict is remembered; the newest ones are. */
const MOST_HELD_BACK = 64;
const INTERRUPTED = "rolled back: the server ended during its rollout; start it again";

interface VersionTrialsOptions {
  readonly model: string;
  readonly versions: ReadonlyMap<string, ModelVersion>;
  readonly wishOf: (newest: ModelCandidate) => TrialWish | undefined;
  readonly memory: TrialMemory;
}

/** Which versions of one model are tried, and which were and did not pass. */
export class VersionTrials {
  trial: VersionTrial | undefined;
  /** What is said of the candidate in the index. */
  note = "";
  readonly #versions: ReadonlyMap<string, ModelVersion>;
  readonly #wishOf: (newest: ModelCandidate) => TrialWish | undefined;
  readonly #memory: TrialMemory;
  readonly #record: TrialRecord;
  /** What the last look wanted: what is new is tried. */
  #seen: ReadonlySet<string> = new Set();
  /** Of what it is known whether its settings wish for trials. */
  #asked: string | undefined;

  constructor({ model, versions, wishOf, memory }: VersionTrialsOptions) {
    this.#versions = versions;
    this.#wishOf = wishOf;
    this.#memory = memory;
    this.#record = memory.recordOf(model);
  }

  /** Both versions, as long as there is a trial. */
  get wanted(): readonly string[] {
    return this.trial === undefined ? [] : [this.trial.stable, this.trial.candidate];
  }

  get status(): TrialStatus | undefined {
    const { trial } = this;
    if (trial === undefined) return undefined;
    const [stable, candidate] = [this.#versions.get(trial.stable), this.#versions.get(trial.candidate)];
    const { state } = candidate ?? {};
    const failure =
      state?.kind === "failed"
        ? state.reason
        : state?.kind === "ready"
          ? state.handle.failure()
          : state?.kind === "draining"
            ? state.reason
            : undefined;
    const [stableHandle, candidateHandle] = [stable?.serving, candidate?.serving];
    return { ...trial, stableHandle, candidateHandle, failure };
  }

  /** Whether it was tried and did not pass. */
  isHeldBack({ version, candidate }: ModelVersion): boolean {
    const held = this.#record.heldBack.get(version);
    return held !== undefined && held.fingerprint === candidate.fingerprint;
  }

  /** Whether requests that name no version may go to it where nobody sends them there. The stable version may still be on its way. */
  mayServe(version: ModelVersion): boolean {
    if (this.isHeldBack(version)) return false;
    if (version.version !== this.trial?.candidate) return true;
    const stable = this.#versions.get(this.trial.stable);
    return (
      stable === undefined || stable.serving !== undefined || (stable.pending === undefined && !stable.stale)
    );
  }

  /** Takes over what a look found: `wanted` by the policy, ascending. `serving` answers requests that name no version. */
  observe(wanted: readonly string[], serving: ModelVersion | undefined): void {
    const before = this.#seen;
    const isNew = ({ version }: ModelVersion): boolean =>
      !before.has(version) || this.#record.heldBack.has(version);
    this.#seen = new Set(wanted);
    this.#endWithout();
    const latest = wanted.at(-1);
    const candidate = latest === undefined ? undefined : this.#versions.get(latest);
    if (candidate === undefined || this.trial?.candidate === latest) return;
    if (serving === undefined) this.#beginFrom(candidate);
    else if (
      serving !== candidate &&
      serving.serving !== undefined &&
      isNew(candidate) &&
      !this.isHeldBack(candidate)
    ) {
      const isNewer = compareVersions(candidate.version, serving.version) > 0;
      if (isNewer && this.#wishOf(candidate.candidate) !== undefined) this.#set(serving.version, candidate);
    }
  }

  /** Throws `failed_precondition` when there is nothing to try it against, or the policy does not want it. */
  begin(version: string, serving: ModelVersion | undefined, isWanted: boolean): void {
    const candidate = this.#versions.get(version);
    if (serving?.serving === undefined) throw refused("no version of the model serves yet: load it instead");
    if (serving.version === version) throw refused(`version ${version} is the one that serves`);
    if (candidate === undefined || candidate.candidate.problem !== undefined || candidate.gone)
      throw refused(candidate?.candidate.problem ?? `there is no version ${version} on disk`);
    if (!isWanted)
      throw refused(
        `version_policy does not want version ${version}, so that it would be unloaded again: change it`,
      );
    this.#set(serving.version, candidate);
  }

  /** Returns the trial that ended. */
  end(end: TrialEnd): VersionTrial | undefined {
    const { trial } = this;
    if (trial === undefined) return undefined;
    const candidate = this.#versions.get(trial.candidate);
    if (end.kind === "held_back" && candidate !== undefined) this.#holdBack(candidate, end.reason);
    this.#leave(end.kind === "promoted" ? trial.candidate : trial.stable);
    return trial;
  }

  /** Why a version that is not wanted goes. */
  whyNot(version: ModelVersion): string {
    return this.isHeldBack(version)
      ? this.#record.heldBack.get(version.version)!.reason
      : "a newer version took over";
  }

  /** What is to be said of a version in the index; undefined: nothing. */
  wordsOf(version: string, state: IndexState): string | undefined {
    if (this.trial?.candidate === version && this.note !== "" && state === "READY") return this.note;
    const known = this.#versions.get(version);
    return known !== undefined && this.isHeldBack(known)
      ? this.#record.heldBack.get(version)!.reason
      : undefined;
  }

  /** Takes note of what answers requests that name no version. */
  see(serving: ModelVersion): void {
    if (!this.#memory.isKept || this.trial !== undefined || this.isHeldBack(serving)) return;
    const { version, candidate } = serving;
    const { stable } = this.#record;
    // What serves while a newer one is being unloaded, or has failed, has not taken over.
    const isNewer =
      stable === undefined || compareVersions(version, stable) > 0 || !this.#versions.has(stable);
    const seen = `${version} ${candidate.fingerprint}`;
    if (!isNewer || this.#asked === seen) return;
    this.#asked = seen;
    if (this.#wishOf(candidate) === undefined) return;
    this.#record.stable = version;
    this.#memory.changed();
  }

  #set(stable: string, candidate: ModelVersion): void {
    this.#record.heldBack.delete(candidate.version);
    this.trial = { stable, candidate: candidate.version };
    this.note = "";
    this.#record.stable = stable;
    this.#record.candidate = candidate.version;
    this.#memory.changed();
  }

  #holdBack({ version, candidate: { fingerprint } }: ModelVersion, reason: string): void {
    const { heldBack } = this.#record;
    heldBack.set(version, { fingerprint, reason });
    if (heldBack.size > MOST_HELD_BACK) heldBack.delete([...heldBack.keys()].sort(compareVersions)[0]!);
    this.#memory.changed();
  }

  /** There is no trial any more. */
  #leave(stable: string): void {
    this.trial = undefined;
    this.note = "";
    this.#record.stable = stable;
    this.#record.candidate = undefined;
    this.#memory.changed();
  }

  /** A start found both. */
  #beginFrom(candidate: ModelVersion): void {
    if (this.trial !== undefined || this.#record.stable === candidate.version) return;
    const wish = this.#wishOf(candidate.candidate);
    const stable = this.#lastStable(candidate) ?? this.#usable(wish?.from);
    if (stable === undefined || stable === candidate) return;
    if (wish !== undefined) this.#set(stable.version, candidate);
    else if (this.#record.candidate === candidate.version) {
      // Somebody asked for that rollout with settings that nobody knows any more.
      this.#holdBack(candidate, INTERRUPTED);
      this.#leave(stable.version);
    }
  }

  /** The older version that served when the server ended. */
  #lastStable(candidate: ModelVersion): ModelVersion | undefined {
    const stable = this.#memory.isKept ? this.#usable(this.#record.stable) : undefined;
    return stable === undefined || compareVersions(candidate.version, stable.version) < 0
      ? undefined
      : stable;
  }

  #usable(version: string | undefined): ModelVersion | undefined {
    const found = version === undefined ? undefined : this.#versions.get(version);
    return found === undefined || found.gone || found.candidate.problem !== undefined ? undefined : found;
  }

  /** A candidate that cannot be served any more ends its trial. */
  #endWithout(): void {
    if (this.trial === undefined) return;
    const candidate = this.#versions.get(this.trial.candidate);
    if (candidate !== undefined && !candidate.gone) return;
    this.#leave(this.trial.stable);
  }
}

function refused(why: string): ServeError {
  return new ServeError("failed_precondition", `the rollout cannot start: ${why}`, {
    reason: "rollout_refused",
  });
}
