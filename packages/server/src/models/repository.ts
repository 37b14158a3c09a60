import { basename, dirname, join } from "node:path";
import { formatAdvice, isProgram } from "@sconce/torch/formats";
import { ServeError } from "../base/errors.ts";
import { faultReason } from "../base/file-fault.ts";
import type { StoreState } from "../base/store-state.ts";
import type { YamlReader } from "../config/yaml-reader.ts";
import { mapBounded } from "./bounded.ts";
import type { FileSystem } from "./file-system.ts";
import {
  type FolderListing,
  type FoundFile,
  inspectFile,
  type KnownFormats,
  listFolder,
  PARALLEL_READS,
  type PlainFile,
  printOf,
  type Scan,
} from "./folder-listing.ts";
import { isSettingsFile } from "./folder-remarks.ts";
import { compareVersions, isModelName, type ModelCandidate, type ScanResult } from "./model-candidate.ts";
import {
  chooseModelFile,
  compareFormats,
  type FoundFormat,
  hasModelSuffix,
  isCodeArchive,
  isCodeNeeded,
  modelStem,
} from "./model-file.ts";
import { createSettingsReader } from "./model-settings.ts";

/** A path the operator chose: a model file, a model folder, or a folder of models. */
export interface RepositoryPath {
  readonly path: string;
  /** Serves the path as one model of this name (KServe's `--model_name`), whatever it is called on disk. */
  readonly name?: string;
  /** Of a copy of a store: what there is of it now. */
  readonly state?: () => StoreState;
}

export interface RepositoryOptions {
  readonly paths: readonly RepositoryPath[];
  readonly fileSystem: FileSystem;
  /** Reads a model.yaml. */
  readonly yaml: YamlReader;
  /** Files without a program are tried all the same: whole modules may be pickled in them. Default: false. */
  readonly acceptsPickles?: boolean;
}

/** The models on disk. */
export interface Repository {
  /** Looks again: at everything, or at copies of stores only. Never rejects: what cannot be read is a problem of that candidate. */
  scan(what?: "all" | "stores"): Promise<ScanResult>;
}

interface Part {
  readonly candidates: readonly ModelCandidate[];
  readonly complete: boolean;
  readonly pending?: boolean;
}

/** A repository over paths on disk. File formats are remembered between scans, so that a scan of unchanged files only lists. */
export function createRepository(options: RepositoryOptions): Repository {
  const settings = createSettingsReader(options.yaml);
  let known: KnownFormats = new Map();
  let before: readonly Part[] = [];
  return {
    async scan(what = "all") {
      const seen: KnownFormats = what === "all" ? new Map() : new Map(known);
      const parts = await mapBounded(
        options.paths.map((path, i) => ({ path, was: before[i] })),
        PARALLEL_READS,
        ({ path, was }) => {
          if (what === "stores" && path.state === undefined && was !== undefined) return Promise.resolve(was);
          return scanStorePath(path, { fs: options.fileSystem, known, seen });
        },
      );
      known = seen;
      before = parts;
      const found = options.acceptsPickles === true ? parts.map(withPickles) : parts;
      return settings.addTo(merge(found));
    },
  };
}

/** Files that may hold a pickled module lose the advice that they hold none. */
function withPickles({ candidates, ...part }: Part): Part {
  const accept = (candidate: ModelCandidate): ModelCandidate => {
    const { format, problem } = candidate;
    const isPickle = format === "checkpoint" || format === "pickle";
    return isPickle && problem === formatAdvice(format) ? { ...candidate, problem: undefined } : candidate;
  };
  return { ...part, candidates: candidates.map(accept) };
}

/** What a store's copy holds, with what has to be said of it. */
async function scanStorePath(path: RepositoryPath, context: Omit<Scan, "root">): Promise<Part> {
  const state = path.state?.();
  if (state?.kind === "pending" || state?.kind === "absent") {
    const looksLikeModel = state.kind === "absent";
    const problem = { reason: state.reason, unreadable: false, looksLikeModel };
    const candidate = broken(path.name ?? modelStem(basename(path.path)), problem);
    // Nothing was ever seen of this store: there is nothing that could be missing now.
    return {
      candidates: [{ ...candidate, hidesOthers: true }],
      complete: true,
      pending: state.kind === "pending",
    };
  }
  const part = await scanPath(path, context);
  return state?.kind === "kept" ? withRemark(part, state.remark) : part;
}

function withRemark({ candidates, complete }: Part, remark: string): Part {
  const remarked = candidates.map((candidate) => ({
    ...candidate,
    remark: [candidate.remark, remark].filter((text) => text !== "").join("; "),
  }));
  return { candidates: remarked, complete };
}

async function scanPath({ path, name }: RepositoryPath, context: Omit<Scan, "root">): Promise<Part> {
  const fallback = name ?? modelStem(basename(path));
  try {
    const root = await context.fs.resolve(path);
    const scan = { ...context, root };
    const facts = await context.fs.facts(root);
    if (facts.kind === "other") {
      const reason = "it is neither a file nor a folder: give the path of a model or of a folder of models";
      return { candidates: [broken(fallback, { reason, unreadable: false })], complete: true };
    }
    if (facts.kind === "file") {
      const found = await inspectFile(scan, { name: basename(path), path: root, facts });
      return { candidates: [fromFile(found, { name: fallback, root: dirname(root) })], complete: true };
    }
    const listing = await listFolder(scan, root);
    const complete = !listing.refused.some((entry) => entry.unreadable);
    const candidates =
      name !== undefined || isModelFolder(listing)
        ? await fromFolder(scan, root, { name: fallback, listing })
        : await fromRepository(scan, root, listing);
    return { candidates, complete };
  } catch (error) {
    const problem = problemOf(error, path, "");
    const looksLikeModel = !problem.unreadable;
    return { candidates: [broken(fallback, { ...problem, looksLikeModel })], complete: looksLikeModel };
  }
}

/** A folder given as a path is a model, not a repository, when it says so itself. */
function isModelFolder(listing: FolderListing): boolean {
  if ((listing.configFile ?? listing.foreignFile) !== undefined) return true;
  // Beside programs it is what made them.
  if (listing.code !== undefined && listing.models.every(({ format }) => isCodeNeeded(format))) return true;
  if (listing.models.some((file) => modelStem(file.name) === "model")) return true;
  return listing.versions.length > 0 && listing.folders.length === 0;
}

async function fromRepository(scan: Scan, root: string, listing: FolderListing): Promise<ModelCandidate[]> {
  const files = listing.models.map((file) => fromFile(file, { name: modelStem(file.name), root }));
  const names = [...listing.folders, ...listing.versions];
  const folders = await mapBounded(names, PARALLEL_READS, (name) =>
    fromFolder(scan, join(root, name), { name }),
  );
  const refused = listing.refused.filter((entry) => hasModelSuffix(entry.name));
  const problems = refused.map((entry) => broken(modelStem(entry.name), entry));
  return [...files, ...folders.flat(), ...problems];
}

function fromFile(
  file: FoundFile,
  { name, root }: { readonly name: string; readonly root: string },
): ModelCandidate {
  return candidate(file, { name, version: "1", root, fingerprint: printOf(file.facts) });
}

async function fromFolder(
  scan: Scan,
  folder: string,
  { name, listing }: { readonly name: string; readonly listing?: FolderListing },
): Promise<ModelCandidate[]> {
  const { root } = scan;
  try {
    const own = listing ?? (await listFolder(scan, folder));
    if (own.versions.length === 0) return [fromVersion(own, { name, version: "1", root, parent: undefined })];
    return await mapBounded(own.versions, PARALLEL_READS, async (version) => {
      try {
        const inner = await listFolder(scan, join(folder, version));
        return fromVersion(inner, { name, version, root, parent: own });
      } catch (error) {
        return broken(name, { version, ...problemOf(error, version) });
      }
    });
  } catch (error) {
    return [broken(name, { ...problemOf(error, folder), looksLikeModel: isModelName(name) })];
  }
}

interface VersionPlace {
  readonly name: string;
  readonly version: string;
  readonly root: string;
  /** The model's own folder when the version has a numbered one. */
  readonly parent: FolderListing | undefined;
}

function fromVersion(listing: FolderListing, place: VersionPlace): ModelCandidate {
  const { name, version, root, parent } = place;
  const refused = [...listing.refused, ...(parent?.refused ?? [])];
  const unreadable = refused.find((entry) => entry.unreadable);
  if (unreadable !== undefined) return broken(name, { ...unreadable, version });
  const { code } = listing;
  const codeFile = (code ?? parent?.code)?.path;
  const isCodeAlone = code !== undefined && listing.models.length === 0;
  const chosen = isCodeAlone ? code : chooseModelFile(listing.models);
  const settings = refused.find((entry) => isSettingsFile(entry.name));
  if (settings !== undefined)
    return broken(name, { version, reason: `${settings.name}: ${settings.reason}`, unreadable: false });
  const remarks = [...listing.remarks, ...(parent?.remarks ?? [])];
  const configFile = listing.configFile ?? parent?.configFile;
  const foreignFile = listing.foreignFile ?? parent?.foreignFile;
  const fingerprint = `${listing.fingerprint}|${parent?.fingerprint}`;
  const otherFiles = listing.models.map(({ name, path, format, facts }) => ({
    name,
    path,
    format,
    bytes: facts.size,
  }));
  if (typeof chosen === "string") {
    const reason = [chosen, ...remarks].join("; ");
    const looksLikeModel = parent !== undefined || isMeant(name, listing);
    const problem = broken(name, {
      version,
      reason,
      unreadable: false,
      ...listing.refused[0],
      looksLikeModel,
    });
    // Settings may say why there is no file to choose, or choose one.
    const labelsFile = listing.labelsFile ?? parent?.labelsFile;
    return { ...problem, root, fingerprint, configFile, foreignFile, labelsFile, otherFiles };
  }
  const file = isCodeAlone
    ? { ...code, format: "code" as const }
    : listing.models.find((found) => found.name === chosen.name)!;
  return {
    ...candidate(file, { name, version, root, fingerprint, codeFile }),
    foreignFile,
    labelsFile: listing.labelsFile ?? parent?.labelsFile,
    otherFiles,
    remark: remarks.join("; "),
    configFile,
  };
}

/** Whether a folder without a version folder or a model file to load was meant to be a model, and is no folder of notes or images. */
function isMeant(name: string, { models, refused, remarks, isEmpty, ...listing }: FolderListing): boolean {
  if (models.length > 0 || refused.some((entry) => hasModelSuffix(entry.name))) return true;
  const given = listing.configFile ?? listing.foreignFile ?? listing.code;
  if (remarks.length > 0 || given !== undefined) return true;
  return isEmpty && isModelName(name);
}

function candidate(
  file: PlainFile & { readonly format: FoundFormat },
  {
    name,
    version,
    root,
    fingerprint,
    codeFile,
  }: {
    readonly name: string;
    readonly version: string;
    readonly root: string;
    readonly fingerprint: string;
    readonly codeFile?: string | undefined;
  },
): ModelCandidate {
  return {
    name,
    version,
    file: file.path,
    root,
    format: file.format,
    configFile: undefined,
    foreignFile: undefined,
    labelsFile: undefined,
    settings: undefined,
    otherFiles: [],
    codeFile,
    problem: nameProblem(name) ?? formatProblem(file.format, codeFile),
    looksLikeModel: true,
    remark: "",
    unreadable: false,
    bytes: file.facts.size,
    fingerprint,
  };
}

/** Why a file cannot be served, as far as its format says it. */
function formatProblem(format: FoundFormat, codeFile: string | undefined): string | undefined {
  if (format === "code" || isProgram(format) || isCodeArchive(format)) return undefined;
  if (codeFile !== undefined && isCodeNeeded(format)) return undefined;
  return formatAdvice(format);
}

function broken(
  name: string,
  problem: {
    readonly reason: string;
    readonly unreadable: boolean;
    readonly version?: string;
    readonly looksLikeModel?: boolean;
  },
): ModelCandidate {
  return {
    name,
    version: problem.version ?? "1",
    file: "",
    root: "",
    format: "unknown",
    configFile: undefined,
    foreignFile: undefined,
    labelsFile: undefined,
    settings: undefined,
    otherFiles: [],
    codeFile: undefined,
    problem: nameProblem(name) ?? problem.reason,
    looksLikeModel: problem.looksLikeModel ?? true,
    remark: "",
    unreadable: problem.unreadable,
    bytes: 0,
    fingerprint: "",
  };
}

/** What was thrown when a folder was looked at: by the file system, which may answer another time, or by us. */
function problemOf(
  error: unknown,
  path: string,
  what = "the folder ",
): { readonly reason: string; readonly unreadable: boolean } {
  if (error instanceof ServeError) return { reason: `${what}${error.message}`, unreadable: false };
  return { reason: `${what}${faultReason(error, path)}`, unreadable: true };
}

function nameProblem(name: string): string | undefined {
  if (isModelName(name)) return undefined;
  return "the name cannot be served: rename it to letters, digits, '.', '_' and '-' (at most 128, the first a letter or digit)";
}

/** One list without doubles: of two candidates for one name and version the better format stays, then the earlier path. */
function merge(parts: readonly Part[]): ScanResult {
  const taken = new Map<string, ModelCandidate>();
  const problems: string[] = [];
  for (const candidate of parts.flatMap((part) => part.candidates)) {
    // `lost+found` and its like.
    if (!candidate.looksLikeModel && !isModelName(candidate.name)) continue;
    const key = `${candidate.name}/${candidate.version}`;
    const rival = taken.get(key);
    const wins = rival === undefined || prefers(candidate, rival);
    if (wins) taken.set(key, candidate);
    if (rival === undefined) continue;
    const [kept, left] = wins ? [candidate, rival] : [rival, candidate];
    problems.push(
      `model "${kept.name}" version ${kept.version} is claimed twice: serving ${describe(kept)}, not ${describe(left)}; rename one of them`,
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

function describe(candidate: ModelCandidate): string {
  return candidate.file === "" ? "a folder without a model" : basename(candidate.file);
}

function byNameAndVersion(a: ModelCandidate, b: ModelCandidate): number {
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  return compareVersions(a.version, b.version);
}
