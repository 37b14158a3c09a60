import { formatAdvice, isProgram } from "@sconce/torch/formats";
import { ServeError } from "../base/errors.ts";
import { faultReason } from "../base/file-fault.ts";
import type { PlainFile } from "./folder-listing.ts";
import { isModelName, type ModelCandidate } from "./model-candidate.ts";
import { type FoundFormat, isCodeArchive, isCodeNeeded } from "./model-file.ts";

/** Why something on the disk is no model that can be served. */
export interface CandidateProblem {
  readonly reason: string;
  /** The file system may answer another time. */
  readonly unreadable: boolean;
  /** Default: "1". */
  readonly version?: string;
  /** Default: true. */
  readonly looksLikeModel?: boolean;
}

interface CandidatePlace {
  readonly name: string;
  readonly version: string;
  readonly root: string;
  readonly fingerprint: string;
  readonly codeFile?: string | undefined;
}

const NOTHING: ModelCandidate = {
  name: "",
  version: "1",
  file: "",
  root: "",
  format: "unknown",
  configFile: undefined,
  foreignFile: undefined,
  labelsFile: undefined,
  settings: undefined,
  otherFiles: [],
  codeFile: undefined,
  problem: undefined,
  looksLikeModel: true,
  remark: "",
  unreadable: false,
  bytes: 0,
  fingerprint: "",
};

/** A model in a file, with what its name and its format say against it. */
export function candidateOf(
  { path, format, facts }: PlainFile & { readonly format: FoundFormat },
  place: CandidatePlace,
): ModelCandidate {
  const problem = nameProblem(place.name) ?? formatProblem(format, place.codeFile);
  return { ...NOTHING, ...place, file: path, format, problem, bytes: facts.size };
}

/** Why a file cannot be served, as far as its format says it. */
function formatProblem(format: FoundFormat, codeFile: string | undefined): string | undefined {
  if (format === "code" || isProgram(format) || isCodeArchive(format)) return undefined;
  if (codeFile !== undefined && isCodeNeeded(format)) return undefined;
  return formatAdvice(format);
}

/** What cannot be served, and why. */
export function brokenCandidate(name: string, { reason, ...problem }: CandidateProblem): ModelCandidate {
  const { version = "1", unreadable, looksLikeModel = true } = problem;
  return { ...NOTHING, name, version, unreadable, looksLikeModel, problem: nameProblem(name) ?? reason };
}

/** What was thrown when a folder was looked at: by the file system, which may answer another time, or by us. */
export function problemOf(error: unknown, path: string, what = "the folder "): CandidateProblem {
  if (error instanceof ServeError) return { reason: `${what}${error.message}`, unreadable: false };
  return { reason: `${what}${faultReason(error, path)}`, unreadable: true };
}

function nameProblem(name: string): string | undefined {
  if (isModelName(name)) return undefined;
  return "the name cannot be served: rename it to letters, digits, '.', '_' and '-' (at most 128, the first a letter or digit)";
}
