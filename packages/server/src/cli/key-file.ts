import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { ServeError } from "../base/errors.ts";
import { faultCode, faultWords } from "../base/file-fault.ts";
import { createApiKeys, type KeyRecord, readKeyFile } from "../gate/api-keys.ts";

/** Readable by the owner alone: hashes are of no use to others, names and rights may be. */
const MODE = 0o600;

/** The keys in a file; none when there is no such file. Throws as `readKeyFile`, and `failed_precondition` when it cannot be read. */
export function readKeys(path: string): readonly KeyRecord[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    if (faultCode(cause) === "ENOENT") return [];
    throw unusable(path, cause);
  }
  return readKeyFile(text);
}

/** Replaces the file at once: whoever reads it sees the old keys or the new ones. Throws for keys that contradict each other. */
export function writeKeys(path: string, keys: readonly KeyRecord[]): void {
  createApiKeys(keys);
  const draft = `${path}.${process.pid}.new`;
  try {
    const fd = openSync(draft, "wx", MODE);
    try {
      writeSync(fd, `${JSON.stringify({ keys }, null, 2)}\n`);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(draft, path);
  } catch (cause) {
    rmSync(draft, { force: true });
    throw unusable(path, cause);
  }
}

function unusable(path: string, cause: unknown): ServeError {
  return new ServeError("failed_precondition", `${path}: ${faultWords(cause)}`, {
    reason: "unreadable_path",
    cause,
  });
}
