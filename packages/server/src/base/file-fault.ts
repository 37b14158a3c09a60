import { basename } from "node:path";
import { ServeError } from "./errors.ts";

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: "it does not exist",
  EACCES: "permission denied: let the server's user read it",
  EPERM: "permission denied: let the server's user read it",
  EMFILE: "too many open files: raise the server's limit (ulimit -n)",
  ENFILE: "the machine has too many open files",
  ELOOP: "its links lead in a circle",
  EIO: "the disk reports a read error",
  ENOSPC: "the disk is full",
  ENOMEM: "the machine is out of memory",
  ESTALE: "the network file system lost it",
};

/** What the file system said about a file or folder, in words for the user: its name, never its path. */
export function faultReason(error: unknown, path: string): string {
  return `${basename(path)} cannot be read: ${faultWords(error)}`;
}

/** Why a file could not be read, and what to do where that is known. */
export function faultWords(error: unknown): string {
  const code = faultCode(error) ?? "an unknown error";
  return WORDS[code] ?? `the file system reports ${code}`;
}

/** Node's code of an error of the file system; undefined for any other error. */
export function faultCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return undefined;
  return /^E[A-Z0-9]+$/.test(error.code) ? error.code : undefined;
}

/** The same as an error: `unavailable`, since another try may succeed. Anything else comes back as it is. */
export function fileFault(thrown: unknown, path: string): unknown {
  if (faultCode(thrown) === undefined) return thrown;
  return new ServeError("unavailable", faultReason(thrown, path), {
    reason: "file_unreadable",
    cause: thrown,
  });
}

/** Does something with a file. Throws `unavailable`/`file_unreadable` when the file system does. */
export function onFile<T>(path: string, use: (path: string) => T): T {
  try {
    return use(path);
  } catch (error) {
    throw fileFault(error, path);
  }
}
