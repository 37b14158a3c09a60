import { ServeError } from "../base/errors.ts";
import { compareVersions, type ModelCandidate } from "./model-candidate.ts";
import type { ModelVersion } from "./model-version.ts";
import type { IndexState } from "./registry.ts";
import type { TrialEnd, TrialStatus, TrialWish, VersionTrial } from "./version-trial.ts";

interface HeldBack {
  /** Of what did not pass; other files are tried again. */
  readonly fingerprint: string;
  readonly reason: string;
}

/** Which versions of one model are tried, and which were and did not pass. */
export class VersionTrials {
  trial: VersionTrial | undefined;
  /** What is said of the candidate in the index. */
  note = "";
  readonly #versions: ReadonlyMap<string, ModelVersion>;
  readonly #wishOf: (newest: ModelCandidate) => TrialWish | undefined;
  readonly #heldBack = new Map<string, HeldBack>();
  /** What the last look wanted: what is new is tried. */
  #seen: ReadonlySet<string> = new Set();
  /** It took over; a start finds nothing to try then. */
  #promoted: string | undefined;

  constructor(
    versions: ReadonlyMap<string, ModelVersion>,
    wishOf: (newest: ModelCandidate) => TrialWish | undefined,
  ) {
    this.#versions = versions;
    this.#wishOf = wishOf;
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
    const held = this.#heldBack.get(version);
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
    for (const version of this.#heldBack.keys())
      if (!this.#versions.has(version)) this.#heldBack.delete(version);
    const before = this.#seen;
    const isNew = ({ version }: ModelVersion): boolean => !before.has(version) || this.#heldBack.has(version);
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
    if (end.kind === "promoted") this.#promoted = trial.candidate;
    else if (candidate !== undefined) {
      const { fingerprint } = candidate.candidate;
      this.#heldBack.set(trial.candidate, { fingerprint, reason: end.reason });
    }
    this.trial = undefined;
    this.note = "";
    return trial;
  }

  /** Why a version that is not wanted goes. */
  whyNot(version: ModelVersion): string {
    return this.isHeldBack(version)
      ? this.#heldBack.get(version.version)!.reason
      : "a newer version took over";
  }

  /** What is to be said of a version in the index; undefined: nothing. */
  wordsOf(version: string, state: IndexState): string | undefined {
    if (this.trial?.candidate === version && this.note !== "" && state === "READY") return this.note;
    const known = this.#versions.get(version);
    return known !== undefined && this.isHeldBack(known) ? this.#heldBack.get(version)!.reason : undefined;
  }

  #set(stable: string, candidate: ModelVersion): void {
    this.#heldBack.delete(candidate.version);
    this.trial = { stable, candidate: candidate.version };
    this.note = "";
  }

  /** A start found both. */
  #beginFrom(candidate: ModelVersion): void {
    const from = this.#wishOf(candidate.candidate)?.from;
    const stable = from === undefined ? undefined : this.#versions.get(from);
    const isUsable = stable !== undefined && !stable.gone && stable.candidate.problem === undefined;
    if (!isUsable || stable === candidate || this.trial !== undefined) return;
    if (this.#promoted !== candidate.version) this.#set(stable.version, candidate);
  }

  /** A candidate that cannot be served any more ends its trial. */
  #endWithout(): void {
    if (this.trial === undefined) return;
    const candidate = this.#versions.get(this.trial.candidate);
    if (candidate !== undefined && !candidate.gone) return;
    this.trial = undefined;
    this.note = "";
  }
}

function refused(why: string): ServeError {
  return new ServeError("failed_precondition", `the rollout cannot start: ${why}`, {
    reason: "rollout_refused",
  });
}
