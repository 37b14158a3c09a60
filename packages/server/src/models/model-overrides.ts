import type { ModelCandidate, ScanResult } from "./model-candidate.ts";

/** Keys of model.yaml that somebody set by request, and what they are set to. */
export type Overrides = Readonly<Record<string, unknown>>;

/** A scan in which the models' settings are those that requests gave them. What changes a setting changes the fingerprint. */
export function withOverrides(scan: ScanResult, overrides: ReadonlyMap<string, Overrides>): ScanResult {
  if (overrides.size === 0) return scan;
  const override = (candidate: ModelCandidate): ModelCandidate => {
    const values = overrides.get(candidate.name);
    if (values === undefined) return candidate;
    const own = candidate.settings ?? { name: "the request", values: {} };
    return {
      ...candidate,
      settings: { ...own, values: { ...own.values, ...values } },
      fingerprint: `${candidate.fingerprint}|${JSON.stringify(values)}`,
    };
  };
  return { ...scan, candidates: scan.candidates.map(override) };
}
