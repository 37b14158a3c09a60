import { ServeError } from "../base/errors.ts";
import { compareVersions, isModelVersion } from "./model-candidate.ts";

/** Which versions of a model are meant to be loaded (Triton's `version_policy`). */
export type VersionPolicy =
  | { readonly kind: "latest"; readonly count: number }
  | { readonly kind: "all" }
  | { readonly kind: "specific"; readonly versions: readonly string[] };

export const LATEST_VERSION: VersionPolicy = { kind: "latest", count: 1 };

/**
 * Reads a policy as a person writes it: `latest`, `latest:N`, `all`, or versions such as `1,3`. Throws `invalid_argument`.
 */
export function parseVersionPolicy(text: string): VersionPolicy {
  const words = text.trim();
  if (words === "all") return { kind: "all" };
  const latest = /^latest(?::([1-9][0-9]{0,5}))?$/.exec(words);
  if (latest !== null) return { kind: "latest", count: Number(latest[1] ?? 1) };
  const versions = words.split(",").map((version) => version.trim());
  if (versions.every(isModelVersion)) return { kind: "specific", versions };
  throw new ServeError(
    "invalid_argument",
    `version_policy: expected latest, latest:N, all or a list such as 1,3, got ${JSON.stringify(text.slice(0, 64))}`,
    { reason: "bad_option" },
  );
}

/** The versions a policy wants out of those that exist, ascending. */
export function wantedVersions(policy: VersionPolicy, existing: readonly string[]): string[] {
  const sorted = existing.toSorted(compareVersions);
  switch (policy.kind) {
    case "latest":
      return policy.count > 0 ? sorted.slice(-policy.count) : [];
    case "all":
      return sorted;
    case "specific":
      return sorted.filter((version) => policy.versions.includes(version));
  }
}
