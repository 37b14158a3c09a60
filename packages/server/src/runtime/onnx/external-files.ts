import { fstatSync, lstatSync } from "node:fs";
import { basename, join } from "node:path";
import { closeRead } from "../../base/close-read.ts";
import { ServeError } from "../../base/errors.ts";
import { onFile } from "../../base/file-fault.ts";
import { type OpenFile, openBelow } from "../../base/open-below.ts";

/**
 * Opens external weights. They must lie beside the model, in `folder`, as plain files with one name each: they are read as they are,
 * whatever they hold, so a model must not get at anything else through a path, a symbolic link or a hard link. Throws ServeError
 * `failed_precondition`.
 */
export function openExternal(folder: string, name: string): OpenFile {
  if (!isPlainName(name)) throw rejected("it must be a file beside the model, named without a path");
  const path = join(folder, name);
  const stats = onFile(path, () => lstatSync(path, { throwIfNoEntry: false }));
  if (stats === undefined) throw rejected(`the file ${name} is missing`);
  if (!stats.isFile()) throw rejected(`${name} must be a plain file without links`);
  const file = openBelow(folder, path);
  try {
    if (file.path === path && onFile(path, () => fstatSync(file.fd)).nlink === 1) return file;
    throw rejected(`${name} must be a plain file without links`);
  } catch (error) {
    closeRead(file.fd);
    throw error;
  }
}

function isPlainName(name: string): boolean {
  if (name === "" || name.startsWith(".")) return false;
  return basename(name) === name && !name.includes("\\") && !name.includes("\0");
}

function rejected(why: string): ServeError {
  return new ServeError("failed_precondition", `the model's external data is rejected: ${why}`, {
    reason: "model_refused",
  });
}
