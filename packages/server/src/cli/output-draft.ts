import {
  accessSync,
  constants,
  existsSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { setImmediate } from "node:timers/promises";
import { ServeError } from "../base/errors.ts";
import { faultCode } from "../base/file-fault.ts";
import { type EndingProcess, undoneAtEnd } from "./undone-at-end.ts";

/** How an output is told of, and what ends the process meanwhile. */
interface DraftOptions {
  /** The option that names it. Default: `-o`. */
  readonly option?: string;
  readonly ending?: EndingProcess;
}

/**
 * Lets `make` write a file `path`, and what lies beside it, under the same names in a folder of their own; they appear in their place
 * together when `make` is done with `keep`. Without that, when it throws or when a signal ends the process, nothing is left behind.
 * Throws `failed_precondition` with the whole path when nothing can be written there.
 */
export async function withOutputDraft<T>(
  path: string,
  make: (draft: string) => Promise<{ readonly keep: boolean; readonly value: T }>,
  { option = "-o", ending = process }: DraftOptions = {},
): Promise<T> {
  const target = resolve(path);
  requireWritable(target, option);
  let folder = "";
  const discard = (): void => {
    if (folder !== "") rmSync(folder, { recursive: true, force: true });
  };
  const forget = undoneAtEnd(discard, ending);
  const onTarget = <R>(use: () => R): R => onOutput(target, option, use);
  try {
    folder = onTarget(() => mkdtempSync(join(dirname(target), `.${basename(target)}.`)));
    const { keep, value } = await make(join(folder, basename(target))).catch((error: unknown) => {
      throw isOfWriting(error) ? unwritable(target, option, error) : error;
    });
    // A signal that came while it was computed is heard now.
    await setImmediate();
    if (keep) onTarget(() => publish(folder, target));
    return value;
  } finally {
    discard();
    forget();
  }
}

/** Writes a text as a file, whole or not at all; what is no file, such as /dev/stdout, it goes into. Throws as `withOutputDraft`. */
export async function writeOutput(path: string, text: string, option = "-o"): Promise<void> {
  if (statSync(path, { throwIfNoEntry: false })?.isFile() === false) {
    onOutput(resolve(path), option, () => writeFileSync(path, text));
    return;
  }
  const make = async (draft: string): Promise<{ keep: true; value: undefined }> => {
    writeFileSync(draft, text);
    return { keep: true, value: undefined };
  };
  await withOutputDraft(path, make, { option });
}

function isOfWriting(error: unknown): boolean {
  return error instanceof Error && "syscall" in error && error.syscall === "write";
}

/** The file itself comes last: whoever sees it has what it points into. */
function publish(folder: string, target: string): void {
  const names = readdirSync(folder).filter((name) => name !== basename(target));
  for (const name of [...names, basename(target)])
    renameSync(join(folder, name), join(dirname(target), name));
}

/** Throws `failed_precondition` when `path` cannot be written, before anything is worked out that would be lost. */
export function requireWritable(path: string, option = "-o"): void {
  const target = resolve(path);
  onOutput(target, option, () => {
    const stats = statSync(target, { throwIfNoEntry: false });
    if (stats?.isDirectory()) throw coded("EISDIR");
    if (stats?.isFile() === false) return accessSync(target, constants.W_OK);
    const folder = dirname(target);
    if (!statSync(folder).isDirectory()) throw coded("ENOTDIR");
    accessSync(folder, constants.W_OK | constants.X_OK);
  });
}

function onOutput<T>(target: string, option: string, use: () => T): T {
  try {
    return use();
  } catch (cause) {
    throw faultCode(cause) === undefined ? cause : unwritable(target, option, cause);
  }
}

function unwritable(target: string, option: string, cause: unknown): ServeError {
  const why = writeFault(cause, target);
  return new ServeError("failed_precondition", `${option}: ${target} cannot be written: ${why}`, { cause });
}

/** Why a file could not be written, in words for whoever named it. */
export function writeFault(cause: unknown, target: string): string {
  const code = faultCode(cause) ?? "an unknown error";
  switch (code) {
    case "ENOENT":
      return existsSync(dirname(target))
        ? `the file system of ${dirname(target)} takes no files`
        : `there is no folder ${dirname(target)}`;
    case "ENOTDIR":
      return `${dirname(target)} is no folder`;
    case "EISDIR":
      return "it is a folder";
    case "EACCES":
    case "EPERM":
      return `this user may not write in ${dirname(target)}`;
    case "EROFS":
      return "the file system is read-only";
    case "ENOSPC":
    case "EDQUOT":
      return "the disk is full";
    case "EFBIG":
      return "it grows larger than this user's files may";
    case "ENAMETOOLONG":
      return "the name is too long";
    default:
      return `the file system reports ${code}`;
  }
}

function coded(code: string): Error {
  return Object.assign(new Error(code), { code });
}
