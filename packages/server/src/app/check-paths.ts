import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { ServeError } from "../base/errors.ts";
import { faultCode, faultWords } from "../base/file-fault.ts";

const MISSING: ReadonlySet<string> = new Set(["ENOENT", "ENOTDIR"]);

/**
 * Rejects when a path that was named cannot be served from: with `invalid_argument`/`missing_path` when it does not exist, with
 * `failed_precondition`/`unreadable_path` when it cannot be read.
 */
export async function checkPaths(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    try {
      const isFolder = (await stat(path)).isDirectory();
      await access(path, isFolder ? constants.R_OK | constants.X_OK : constants.R_OK);
    } catch (cause) {
      const isMissing = MISSING.has(faultCode(cause) ?? "");
      const message = `${path}: ${isMissing ? "no such file or folder" : faultWords(cause)}`;
      throw isMissing
        ? new ServeError("invalid_argument", message, { reason: "missing_path", cause })
        : new ServeError("failed_precondition", message, { reason: "unreadable_path", cause });
    }
  }
}
