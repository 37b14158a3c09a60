import { type Dirent, existsSync, lstatSync, readdirSync, readlinkSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { repositoryPath } from "../app/repository-path.ts";
import { ServeError } from "../base/errors.ts";
import { faultCode, faultWords, onFile } from "../base/file-fault.ts";
import { nearestWord } from "../base/nearest-word.ts";
import { isStoreAddress, parseStoreAddress } from "../stores/store-address.ts";
import { usageError } from "./usage-error.ts";

const MODEL_SUFFIX = /\.(pt2|pte?|pth|onnx|mar|safetensors|ckpt|bin)$/i;
const SOURCE_SUFFIX = /\.(py|ipynb)$/i;
/** What a message proposes of a folder. */
const MOST_NAMED = 5;
/** Entries of a folder that are looked at for a message. */
const MOST_LISTED = 200;

/** Whether a text means a file rather than the name of a model on a server. */
export function looksLikePath(text: string): boolean {
  return /[/\\]/.test(text) || MODEL_SUFFIX.test(text);
}

/** Throws ServeError when `path` is no file that can be looked at: `missing_path`, or `bad_arguments` for a folder, with what is near. */
export function requireModelFile(path: string): void {
  if (!statsOf(path).isDirectory()) return;
  const files = listed(path)
    .filter((entry) => !entry.isDirectory() && MODEL_SUFFIX.test(entry.name))
    .map(({ name }) => join(path, name));
  const shown = files.slice(0, MOST_NAMED).join(", ");
  const hint = files.length === 0 ? "" : `: ${shown}${files.length > MOST_NAMED ? ", …" : ""}`;
  throw usageError(`${path} is a folder; name one model file${hint}`);
}

function statsOf(path: string): ReturnType<typeof statSync> & {} {
  try {
    return statSync(path);
  } catch (cause) {
    if (!["ENOENT", "ENOTDIR"].includes(faultCode(cause) ?? "")) {
      throw new ServeError("failed_precondition", `${path} cannot be read: ${faultWords(cause)}`, {
        reason: "unreadable_path",
        cause,
      });
    }
    throw missingFile(path);
  }
}

/**
 * Throws ServeError `missing_path` when one of these is neither there nor the address of a store; of `NAME=PATH` the path counts. Throws
 * `bad_arguments` for a program in place of the model that it makes.
 */
export function requirePaths(texts: readonly string[]): void {
  for (const { path } of texts.map(repositoryPath)) {
    if (isStoreAddress(path)) continue;
    if (!existsSync(path)) throw missingFile(path, "file or folder");
    if (SOURCE_SUFFIX.test(path) && !statsOf(path).isDirectory()) throw programForModel(path);
  }
}

function programForModel(path: string): ServeError {
  if (basename(path) === "model.py")
    return usageError(`${path} is the code of a model: name the folder that it is in, ${dirname(path)}`);
  return usageError(
    `${path} is a program, and no model: run it with the Python that has PyTorch, and name the file that it writes (torch.export.save), or put the class into a model.py and name its folder`,
  );
}

/** Throws ServeError `missing_path` when `--python` names a place at which there is nothing; a bare name is looked for later. */
export function requirePython(python: string | boolean | undefined): void {
  if (typeof python !== "string" || !/[/\\]/.test(python) || existsSync(python)) return;
  throw usageError(`--python: ${missingFile(python, "interpreter or virtual environment").message}`);
}

/** Whether one of these leads to a store, in place of a file or folder. */
export function hasStores(texts: readonly string[]): boolean {
  return texts.some((text) => isStoreAddress(repositoryPath(text).path));
}

/** For a path at which there is nothing: `missing_path`, with a file of a similar name beside it. */
export function missingFile(path: string, what = "file"): ServeError {
  if (isStoreAddress(path)) {
    const message = `${parseStoreAddress(path).display}: only sconce serve and sconce check read addresses; download it first`;
    return new ServeError("invalid_argument", message, { reason: "missing_path" });
  }
  const target = linkTarget(path);
  if (target !== undefined) {
    const message = `${path} is a link to ${target}, and there is nothing`;
    return new ServeError("invalid_argument", message, { reason: "missing_path" });
  }
  const cut = Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1;
  const [folder, name] = [path.slice(0, cut), path.slice(cut)];
  const near = nearestWord(
    name,
    listed(folder === "" ? "." : folder).map((entry) => entry.name),
  );
  const meant = near === undefined ? slashed(path) : `${folder}${near}`;
  const hint = meant === undefined ? tildeHint(path) : `; did you mean ${meant}?`;
  return new ServeError("invalid_argument", `${path}: no such ${what}${hint}`, { reason: "missing_path" });
}

function linkTarget(path: string): string | undefined {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : undefined;
  } catch {
    // There is no link either.
    return undefined;
  }
}

/** A path as Windows has it, where it would lead to something here. */
function slashed(path: string): string | undefined {
  const other = path.replaceAll("\\", "/");
  return other !== path && existsSync(other) ? other : undefined;
}

function tildeHint(path: string): string {
  return path.startsWith("~") ? "; shells know ~ only outside quotation marks" : "";
}

/** Throws `missing_path` where there is no folder at a path. */
export function requireFolder(path: string): void {
  const found = onFile(path, () => statSync(path, { throwIfNoEntry: false }));
  if (found === undefined) throw missingFile(path, "folder");
  if (!found.isDirectory())
    throw new ServeError("invalid_argument", `${path} is no folder`, { reason: "missing_path" });
}

function listed(folder: string): readonly Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).slice(0, MOST_LISTED);
  } catch {
    // What cannot be listed has nothing to propose.
    return [];
  }
}
