import { sep } from "node:path";
import { compareVersions, isModelName, type ModelCandidate, type ScanResult } from "./model-candidate.ts";
import { compareFormats } from "./model-file.ts";

/** What one path of the repository holds. */
export interface ScannedPart {
  readonly candidates: readonly ModelCandidate[];
  /** Everything could be read. */
  readonly complete: boolean;
  /** It is still being fetched. */
  readonly pending?: boolean;
}

/** One list without doubles: of two candidates for one name and version the better format stays, then the earlier path. */
export function mergeParts(parts: readonly ScannedPart[]): ScanResult {
  const taken = new Map<string, ModelCandidate>();
  const problems: string[] = [];
  for (const candidate of parts.flatMap((part) => part.candidates)) {
    // `lost+found` and its like.
    if (!candidate.looksLikeModel && !isModelName(candidate.name)) continue;
    const key = `${candidate.name}/${candidate.version}`;
    const rival = taken.get(key);
    const wins = rival === undefined || prefers(candidate, rival);
    if (wins) taken.set(key, candidate);
    // One file by two paths, such as a folder and a file in it, is one model.
    if (rival === undefined || (rival.file !== "" && rival.file === candidate.file)) continue;
    const [kept, left] = wins ? [candidate, rival] : [rival, candidate];
    const [served, unserved] = apart(kept.file, left.file);
    problems.push(
      `model "${kept.name}" version ${kept.version} is claimed twice: serving ${served}, not ${unserved}; rename one of them`,
    );
  }
  const candidates = [...taken.values()].sort(byNameAndVersion);
  return {
    candidates,
    problems,
    complete: parts.every((part) => part.complete),
    pending: parts.some((part) => part.pending === true),
  };
}

function prefers(a: ModelCandidate, b: ModelCandidate): boolean {
  if ((a.problem === undefined) !== (b.problem === undefined)) return a.problem === undefined;
  return compareFormats(a.format, b.format) < 0;
}

/** Names of two files that differ: with as many folders as that takes. */
function apart(a: string, b: string): [string, string] {
  const names = (count: number): [string, string] => [lastParts(a, count), lastParts(b, count)];
  for (let count = 1; ; count++) {
    const [first, second] = names(count);
    if (first !== second || (first === a && second === b)) return [named(first), named(second)];
  }
}

const lastParts = (path: string, count: number): string => path.split(sep).slice(-count).join(sep);
const named = (file: string): string => (file === "" ? "a folder without a model" : file);

function byNameAndVersion(a: ModelCandidate, b: ModelCandidate): number {
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  return compareVersions(a.version, b.version);
}
