import { basename, dirname, join } from "node:path";
import { formatAdvice } from "@sconce/torch/formats";
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
  printOf,
  type Scan,
} from "./folder-listing.ts";
import { isSettingsFile } from "./folder-remarks.ts";
import { brokenCandidate, candidateOf, problemOf } from "./make-candidate.ts";
import { mergeParts, type ScannedPart } from "./merge-parts.ts";
import { isModelName, type ModelCandidate, type ScanResult } from "./model-candidate.ts";
import { chooseModelFile, hasModelSuffix, isCodeNeeded, modelStem } from "./model-file.ts";
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

/** A repository over paths on disk. File formats are remembered between scans, so that a scan of unchanged files only lists. */
export function createRepository(options: RepositoryOptions): Repository {
  const settings = createSettingsReader(options.yaml);
  let known: KnownFormats = new Map();
  let before: readonly ScannedPart[] = [];
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
      return settings.addTo(mergeParts(found));
    },
  };
}

/** Files that may hold a pickled module lose the advice that they hold none. */
function withPickles({ candidates, ...part }: ScannedPart): ScannedPart {
  const accept = (candidate: ModelCandidate): ModelCandidate => {
    const { format, problem } = candidate;
    const isPickle = format === "checkpoint" || format === "pickle";
    return isPickle && problem === formatAdvice(format) ? { ...candidate, problem: undefined } : candidate;
  };
  return { ...part, candidates: candidates.map(accept) };
}

/** What a store's copy holds, with what has to be said of it. */
async function scanStorePath(path: RepositoryPath, context: Omit<Scan, "root">): Promise<ScannedPart> {
  const state = path.state?.();
  if (state?.kind === "pending" || state?.kind === "absent") {
    const looksLikeModel = state.kind === "absent";
    const problem = { reason: state.reason, unreadable: false, looksLikeModel };
    const candidate = brokenCandidate(path.name ?? modelStem(basename(path.path)), problem);
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

function withRemark({ candidates, complete }: ScannedPart, remark: string): ScannedPart {
  const remarked = candidates.map((candidate) => ({
    ...candidate,
    remark: [candidate.remark, remark].filter((text) => text !== "").join("; "),
  }));
  return { candidates: remarked, complete };
}

async function scanPath({ path, name }: RepositoryPath, context: Omit<Scan, "root">): Promise<ScannedPart> {
  const fallback = name ?? modelStem(basename(path));
  try {
    const root = await context.fs.resolve(path);
    const scan = { ...context, root };
    const facts = await context.fs.facts(root);
    if (facts.kind === "other") {
      const reason = "it is neither a file nor a folder: give the path of a model or of a folder of models";
      return { candidates: [brokenCandidate(fallback, { reason, unreadable: false })], complete: true };
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
    return {
      candidates: [brokenCandidate(fallback, { ...problem, looksLikeModel })],
      complete: looksLikeModel,
    };
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
  const problems = refused.map((entry) => brokenCandidate(modelStem(entry.name), entry));
  return [...files, ...folders.flat(), ...problems];
}

function fromFile(
  file: FoundFile,
  { name, root }: { readonly name: string; readonly root: string },
): ModelCandidate {
  return candidateOf(file, { name, version: "1", root, fingerprint: printOf(file.facts) });
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
        return brokenCandidate(name, { version, ...problemOf(error, version) });
      }
    });
  } catch (error) {
    return [brokenCandidate(name, { ...problemOf(error, folder), looksLikeModel: isModelName(name) })];
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
  if (unreadable !== undefined) return brokenCandidate(name, { ...unreadable, version });
  const { code } = listing;
  const codeFile = (code ?? parent?.code)?.path;
  const isCodeAlone = code !== undefined && listing.models.length === 0;
  const chosen = isCodeAlone ? code : chooseModelFile(listing.models);
  const settings = refused.find((entry) => isSettingsFile(entry.name));
  if (settings !== undefined)
    return brokenCandidate(name, {
      version,
      reason: `${settings.name}: ${settings.reason}`,
      unreadable: false,
    });
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
    const problem = brokenCandidate(name, {
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
    ...candidateOf(file, { name, version, root, fingerprint, codeFile }),
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
