import { compareVersions, type ModelCandidate, type ScanResult } from "./model-candidate.ts";

/** Holds back what is still changing on disk. */
export interface ScanSettler {
  /** The newest state that held still for two looks; `scan` is the second one. */
  settle(scan: ScanResult): ScanResult;
}

/**
 * A model that is being copied, replaced or deleted looks different at every scan. Only what two scans in a row agree on is passed
 * on; until then, what was passed on before stays. `first` is taken as it is.
 */
export function createScanSettler(first: ScanResult): ScanSettler {
  let before = byKey(first);
  let passed = before;
  return {
    settle(scan) {
      const now = byKey(scan);
      const next = new Map<string, ModelCandidate>();
      for (const key of new Set([...now.keys(), ...passed.keys()])) {
        const candidate = agreed(before.get(key), now.get(key), scan.complete);
        const kept = candidate === "changing" ? passed.get(key) : candidate;
        if (kept !== undefined) next.set(key, kept);
      }
      before = now;
      passed = next;
      const candidates = [...next.values()].sort((a, b) =>
        a.name < b.name ? -1 : a.name > b.name ? 1 : compareVersions(a.version, b.version),
      );
      return { ...scan, candidates };
    },
  };
}

/** What two looks agree on: a candidate, that there is none, or nothing yet. A look that was cut short proves no absence. */
function agreed(
  before: ModelCandidate | undefined,
  now: ModelCandidate | undefined,
  complete: boolean,
): ModelCandidate | undefined | "changing" {
  if (now === undefined) return before === undefined && complete ? undefined : "changing";
  const same = before?.fingerprint === now.fingerprint && before.problem === now.problem;
  return same ? now : "changing";
}

function byKey(scan: ScanResult): ReadonlyMap<string, ModelCandidate> {
  return new Map(scan.candidates.map((candidate) => [`${candidate.name}/${candidate.version}`, candidate]));
}
