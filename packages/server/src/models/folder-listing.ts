import { basename, join, sep } from "node:path";
import { detectRemoteFile, type FileFormat, isWeights } from "@sconce/torch/formats";
import { ServeError } from "../base/errors.ts";
import { faultCode, faultReason } from "../base/file-fault.ts";
import { mapBounded } from "./bounded.ts";
import type { FileFacts, FileSystem, FolderEntry } from "./file-system.ts";
import { FOREIGN_SETTINGS, folderRemarks, isSettingsFile } from "./folder-remarks.ts";
import { compareVersions, isModelVersion } from "./model-candidate.ts";
import { hasModelSuffix } from "./model-file.ts";

/** Files and folders that are looked at together; more would only lengthen the thread pool's queue. */
export const PARALLEL_READS = 16;

/** Formats of files by path, with the facts they were detected under. */
export type KnownFormats = Map<string, { readonly print: string; readonly format: FileFormat }>;

/** One look at the disk below one path. */
export interface Scan {
  readonly fs: FileSystem;
  /** The path without links. Nothing outside is read, whatever links say. */
  readonly root: string;
  /** From the scan before; unchanged files are not opened again. */
  readonly known: KnownFormats;
  /** From this scan. */
  readonly seen: KnownFormats;
}

/** A file with its path without links. */
export interface PlainFile {
  readonly name: string;
  readonly path: string;
  readonly facts: FileFacts;
}

/** A file that may be a model. */
export interface FoundFile extends PlainFile {
  readonly format: FileFormat;
}

/** What one folder holds, as far as it matters for models. Hidden names are left out. */
export interface FolderListing {
  readonly models: readonly FoundFile[];
  /** Folders whose names are versions, ascending. */
  readonly versions: readonly string[];
  readonly folders: readonly string[];
  readonly configFile: string | undefined;
  /** `labels.txt`. */
  readonly labelsFile: string | undefined;
  /** Settings of another server. */
  readonly foreignFile: string | undefined;
  /** What makes a model of weights: `model.py`, or the `config.json` that transformers writes beside them. */
  readonly code: PlainFile | undefined;
  /** Entries that could not be looked at. */
  readonly refused: readonly Refused[];
  /** There is nothing in it, or only hidden names. */
  readonly isEmpty: boolean;
  /** What is not used though somebody meant it, and what to do. */
  readonly remarks: readonly string[];
  /** Changes when any file of this folder does. */
  readonly fingerprint: string;
}

export interface Refused {
  readonly name: string;
  readonly reason: string;
  /** True when another try may succeed. */
  readonly unreadable: boolean;
}

type Looked =
  | ({ readonly what: "file" } & PlainFile)
  | ({ readonly what: "model" } & FoundFile)
  | { readonly what: "folder"; readonly name: string }
  | ({ readonly what: "refused" } & Refused)
  | { readonly what: "ignored" };

const ESCAPES =
  "it is a link that leads out of the repository: copy the file here, or serve the folder it lies in";

/** Names in one folder, hidden ones included. */
const MAX_ENTRIES = 20_000;

/**
 * Lists a folder and looks at each visible entry; rejects only when the folder itself cannot be listed, with `failed_precondition` when it
 * holds too much to be looked at.
 */
export async function listFolder(scan: Scan, folder: string): Promise<FolderListing> {
  const all = await scan.fs.list(folder, MAX_ENTRIES + 1);
  if (all.length > MAX_ENTRIES) throw tooMany(folder);
  const entries = all.filter((entry) => !entry.name.startsWith("."));
  const sorted = entries.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const looked = await mapBounded(sorted, PARALLEL_READS, (entry) => look(scan, folder, entry));
  const models = looked.filter((entry) => entry.what === "model");
  const files = looked.filter((entry) => entry.what === "file" || entry.what === "model");
  const folders = looked.filter((entry) => entry.what === "folder").map((entry) => entry.name);
  const fileCalled = (name: string): PlainFile | undefined => files.find((file) => file.name === name);
  const hasWeights = models.some(({ format }) => isWeights(format));
  const pathOf = (name: string): string | undefined => fileCalled(name)?.path;
  return {
    models,
    versions: folders.filter(isModelVersion).sort(compareVersions),
    folders: folders.filter((name) => !isModelVersion(name)),
    configFile: pathOf("model.yaml") ?? pathOf("model.yml"),
    labelsFile: pathOf("labels.txt"),
    foreignFile: FOREIGN_SETTINGS.map(pathOf).find((path) => path !== undefined),
    code: fileCalled("model.py") ?? (hasWeights ? fileCalled("config.json") : undefined),
    refused: looked.filter((entry) => entry.what === "refused"),
    isEmpty: entries.length === 0,
    remarks: folderRemarks(
      files.map((file) => file.name),
      folders.filter((name) => !isModelVersion(name)),
    ),
    fingerprint: files.map((file) => `${file.name}:${printOf(file.facts)}`).join("|"),
  };
}

/** A file's format, read from its content unless the file is unchanged since the scan before. */
export async function inspectFile(scan: Scan, file: PlainFile): Promise<FoundFile> {
  const print = printOf(file.facts);
  const known = scan.known.get(file.path);
  const { name, path, facts } = file;
  const format =
    known?.print === print
      ? known.format
      : await scan.fs.read(path, (read) => detectRemoteFile({ name, byteLength: facts.size, read }));
  scan.seen.set(path, { print, format });
  return { name, path, facts, format };
}

/** Identity and state of a file without reading it. */
export function printOf(facts: FileFacts): string {
  return `${facts.size},${facts.mtimeMs},${facts.inode}`;
}

function tooMany(folder: string): ServeError {
  return new ServeError(
    "failed_precondition",
    `${basename(folder)} holds more than ${MAX_ENTRIES} files and folders: keep data apart from models`,
    { reason: "model_refused" },
  );
}

async function look(scan: Scan, folder: string, entry: FolderEntry): Promise<Looked> {
  const { name } = entry;
  try {
    const path = entry.kind === "link" ? await scan.fs.resolve(join(folder, name)) : join(folder, name);
    if (entry.kind === "link" && path !== scan.root && !path.startsWith(scan.root + sep)) {
      return hasModelSuffix(name) || isSettingsFile(name)
        ? { what: "refused", name, reason: ESCAPES, unreadable: false }
        : { what: "ignored" };
    }
    if (entry.kind === "folder") return { what: "folder", name };
    const facts = await scan.fs.facts(path);
    if (facts.kind === "folder") return { what: "folder", name };
    if (facts.kind !== "file") return { what: "ignored" };
    if (!hasModelSuffix(name)) return { what: "file", name, path, facts };
    return { what: "model", ...(await inspectFile(scan, { name, path, facts })) };
  } catch (error) {
    if (faultCode(error) === "ENOENT" && !hasModelSuffix(name)) return { what: "ignored" };
    return { what: "refused", name, reason: faultReason(error, name), unreadable: true };
  }
}
