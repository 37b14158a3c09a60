import type { Logger } from "../base/logger.ts";
import type { ModelCandidate, ScanResult } from "./model-candidate.ts";

/** Warns of what a scan found wrong and the scan before, whose findings are `known`, did not. Returns the findings of this scan. */
export function logFindings(
  scan: ScanResult,
  known: ReadonlySet<string>,
  logger: Logger,
): ReadonlySet<string> {
  const found = new Set(scan.problems);
  for (const problem of found) if (!known.has(problem)) logger.warn({}, problem);
  for (const candidate of scan.candidates) {
    const finding = findingOf(candidate);
    if (finding === undefined) continue;
    const { name: model, version } = candidate;
    const key = `${model}/${version}: ${finding}`;
    found.add(key);
    if (known.has(key)) continue;
    if (candidate.looksLikeModel) logger.warn({ model, version }, finding);
    else logger.debug({ model, version }, finding);
  }
  return found;
}

function findingOf({ problem, remark }: ModelCandidate): string | undefined {
  if (problem !== undefined) return `the model cannot be served: ${problem}`;
  return remark === "" ? undefined : remark;
}
