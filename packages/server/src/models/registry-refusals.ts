// What the registry says of a model or a version that it cannot give, load or keep.
import { ServeError } from "../base/errors.ts";
import { nearestWord } from "../base/nearest-word.ts";
import type { ModelCandidate } from "./model-candidate.ts";
import type { ModelVersion } from "./model-version.ts";
import type { ModelVersions } from "./model-versions.ts";

/** Versions in a message. */
const MAX_LISTED = 10;

/** What was asked for; `version` undefined: whichever serves. */
interface AskedVersion {
  readonly name: string;
  readonly version: string | undefined;
}

/** Before the first look at the disk. */
export function notLookedYet(): ServeError {
  return new ServeError("unavailable", "this server has not looked yet which models it has", {
    reason: "model_not_ready",
    retryAfterMs: 1000,
  });
}

/** `models`: those that there are. */
export function notFound(asked: AskedVersion, models: ReadonlyMap<string, ModelVersions>): ServeError {
  const { name, version } = asked;
  const model = models.get(name);
  const likely = model === undefined ? nearestWord(name, models.keys()) : undefined;
  const hint = likely === undefined ? "" : `; did you mean "${likely}"?`;
  const versions =
    model === undefined ? "" : `; it has ${[...model.versions.keys()].slice(0, MAX_LISTED).join(", ")}`;
  const what = wordsOf({ name, version: model === undefined ? undefined : version });
  return new ServeError("not_found", `${what} does not exist on this server${hint}${versions}`, {
    reason: "model_not_found",
  });
}

/** `found`: the version that would answer. */
export function notReady(asked: AskedVersion, found: ModelVersion): ServeError {
  const { state, reason } = found.indexEntry;
  return new ServeError("unavailable", `${wordsOf(asked)} is not ready: ${reason}`, {
    reason: "model_not_ready",
    ...(state === "LOADING" && { retryAfterMs: 1000 }),
  });
}

/** What a look could not read may be a newer version: a load must not answer for it. */
export function unreadable(name: string, unread: readonly ModelCandidate[]): ServeError {
  const problems = unread.map(({ problem }) => problem).join("; ");
  return new ServeError("unavailable", `model "${name}" was not loaded: ${problems}`, {
    reason: "file_unreadable",
  });
}

/** With the reason of each version. */
export function notLoaded(name: string, versions: readonly ModelVersion[]): ServeError {
  const reasons = versions.map((version) => `version ${version.version}: ${version.indexEntry.reason}`);
  return new ServeError("failed_precondition", `model "${name}" did not load: ${reasons.join("; ")}`, {
    reason: "load_failed",
  });
}

export function overtaken(name: string): ServeError {
  return new ServeError("aborted", `model "${name}" was unloaded while it was loading`, {
    reason: "load_overtaken",
  });
}

function wordsOf({ name, version }: AskedVersion): string {
  return version === undefined ? `model "${name}"` : `version ${version} of model "${name}"`;
}
