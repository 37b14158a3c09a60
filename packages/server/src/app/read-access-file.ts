import { stat } from "node:fs/promises";
import { ServeError } from "../base/errors.ts";
import { readAtMost } from "../base/read-at-most.ts";

const WRITABLE_BY_ALL = 0o002;

/**
 * Reads a file that says who may come in; undefined: it is larger than `maxBytes`. Rejects with `failed_precondition`/`unreadable_path` for one that every user of
 * the machine may write, and with what the file system throws.
 */
export async function readAccessFile(path: string, maxBytes: number): Promise<Buffer | undefined> {
  const file = await stat(path);
  if (process.platform !== "win32" && file.isFile() && (file.mode & WRITABLE_BY_ALL) !== 0)
    throw new ServeError(
      "failed_precondition",
      `${path}: every user of this machine may write it, and so let anybody in: chmod o-w it`,
      { reason: "unreadable_path" },
    );
  return await readAtMost(path, maxBytes);
}
