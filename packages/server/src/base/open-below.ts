import { constants, fstatSync, openSync, realpathSync, statSync } from "node:fs";
import { basename, sep } from "node:path";
import { closeRead } from "./close-read.ts";
import { ServeError } from "./errors.ts";
import { onFile } from "./file-fault.ts";

/** A file that is open for reading; whoever opened it closes `fd`. */
export interface OpenFile {
  readonly fd: number;
  /** Without links. */
  readonly path: string;
}

/** Opens without waiting for the other end of a pipe, and without following a link that took the place of the file since its path was resolved. */
export const OPEN_FLAGS: number = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * Opens a plain file that lies below `root`, a folder named without links. Links inside the root are followed, as Kubernetes' `..data` is;
 * one that leads out of it is rejected, and so is a pipe, a device or a folder. What was opened is compared with what was checked, so that
 * nobody swaps them in between. Throws ServeError: `failed_precondition`/`outside_repository` or `model_refused`,
 * `unavailable`/`file_unreadable`.
 */
export function openBelow(root: string, path: string): OpenFile {
  const real = onFile(path, (name) => realpathSync(name));
  if (!isBelow(root, real)) throw outside(path);
  const isFile = onFile(path, () => statSync(real).isFile());
  if (!isFile) throw noPlainFile(path);
  const fd = onFile(path, () => openSync(real, OPEN_FLAGS));
  try {
    const opened = onFile(path, () => fstatSync(fd));
    if (!opened.isFile()) throw noPlainFile(path);
    const now = onFile(path, () => realpathSync(path));
    const there = onFile(path, () => statSync(now));
    if (now !== real || there.dev !== opened.dev || there.ino !== opened.ino) throw replaced(path);
    return { fd, path: real };
  } catch (error) {
    closeRead(fd);
    throw error;
  }
}

/** `openBelow` with the path alone as its result: for those who may only open a file by its name. */
export function resolveBelow(root: string, path: string): string {
  const file = openBelow(root, path);
  closeRead(file.fd);
  return file.path;
}

/** Whether a path without links lies below a folder without links. */
export function isBelow(root: string, path: string): boolean {
  return path.startsWith(root.endsWith(sep) ? root : root + sep);
}

function outside(path: string): ServeError {
  return new ServeError(
    "failed_precondition",
    `${basename(path)} is a link that leads out of the repository: copy the file here, or serve the folder it lies in`,
    { reason: "outside_repository" },
  );
}

function noPlainFile(path: string): ServeError {
  return new ServeError(
    "failed_precondition",
    `${basename(path)} is a folder, a pipe or a device: put a plain file there`,
    {
      reason: "model_refused",
    },
  );
}

function replaced(path: string): ServeError {
  return new ServeError("unavailable", `${basename(path)} was replaced while it was opened`, {
    reason: "file_unreadable",
  });
}
