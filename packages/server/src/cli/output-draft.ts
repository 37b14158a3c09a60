import {
  accessSync,
  constants,
  existsSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { constants as os } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { ServeError } from "../base/errors.ts";
import { faultCode } from "../base/file-fault.ts";

/** The process as far as its end goes. */
export interface EndingProcess {
  on(event: NodeJS.Signals, listener: () => void): unknown;
  off(event: NodeJS.Signals, listener: () => void): unknown;
  exit(code: number): void;
}

const ENDING = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Lets `make` write a file `path`, and what lies beside it, under the same names in a folder of their own; they appear in their place
 * together when `make` is done with `keep`. Without that, when it throws or when a signal ends the process, nothing is left behind.
 * Throws `failed_precondition` with the whole path when nothing can be written there.
 */
export async function withOutputDraft<T>(
  path: string,
  make: (draft: string) => Promise<{ readonly keep: boolean; readonly value: T }>,
  ending: EndingProcess = process,
): Promise<T> {
  const target = resolve(path);
  requireWritable(target);
  let folder = "";
  const discard = (): void => {
    if (folder !== "") rmSync(folder, { recursive: true, force: true });
  };
  const listeners = ENDING.map((signal) => {
    const listener = (): void => {
      discard();
      ending.exit(128 + os.signals[signal]);
    };
    ending.on(signal, listener);
    return { signal, listener };
  });
  try {
    folder = onOutput(target, () => mkdtempSync(join(dirname(target), `.${basename(target)}.`)));
    const { keep, value } = await make(join(folder, basename(target)));
    if (keep) onOutput(target, () => publish(folder, target));
    return value;
  } finally {
    discard();
    for (const { signal, listener } of listeners) ending.off(signal, listener);
  }
}

/** The file itself comes last: whoever sees it has what it points into. */
function publish(folder: string, target: string): void {
  const names = readdirSync(folder).filter((name) => name !== basename(target));
  for (const name of [...names, basename(target)])
    renameSync(join(folder, name), join(dirname(target), name));
}

/** Throws `failed_precondition` when `path` cannot be written, before anything is worked out that would be lost. */
export function requireWritable(path: string): void {
  const target = resolve(path);
  onOutput(target, () => {
    if (statSync(target, { throwIfNoEntry: false })?.isDirectory()) throw coded("EISDIR");
    const folder = dirname(target);
    if (!statSync(folder).isDirectory()) throw coded("ENOTDIR");
    accessSync(folder, constants.W_OK | constants.X_OK);
  });
}

function onOutput<T>(target: string, use: () => T): T {
  try {
    return use();
  } catch (cause) {
    const code = faultCode(cause);
    if (code === undefined) throw cause;
    throw new ServeError("failed_precondition", `-o: ${target} cannot be written: ${words(code, target)}`, {
      cause,
    });
  }
}

function words(code: string, target: string): string {
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
    case "ENAMETOOLONG":
      return "the name is too long";
    default:
      return `the file system reports ${code}`;
  }
}

function coded(code: string): Error {
  return Object.assign(new Error(code), { code });
}
