import { compareVersions } from "./model-candidate.ts";

/** Which versions of a model are meant to be loaded (Triton's `version_policy`). */
export type VersionPolicy =
  | { readonly kind: "latest"; readonly count: number }
  | { readonly kind: "all" }
  | { readonly kind: "specific"; readonly versions: readonly string[] };

export const LATEST_VERSION: VersionPolicy = { kind: "latest", count: 1 };

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
