import { readFileSync } from "node:fs";
import { ServeError } from "../base/errors.ts";
import { faultCode, faultWords } from "../base/file-fault.ts";
import { writeWhole } from "../base/write-whole.ts";
import { createApiKeys, type KeyRecord, readKeyFile } from "../gate/api-keys.ts";
import { writeFault } from "./output-draft.ts";

/** The keys in a file; none when there is no such file. Throws as `readKeyFile`, and `failed_precondition` when it cannot be read. */
export function readKeys(path: string): readonly KeyRecord[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    if (faultCode(cause) === "ENOENT") return [];
    throw unusable(path, cause);
  }
  try {
    return readKeyFile(text);
  } catch (cause) {
    if (!(cause instanceof ServeError) || cause.reason !== "bad_key_file") throw cause;
    const message = `${path}: ${cause.message}`;
    throw new ServeError("invalid_argument", message, { reason: "bad_key_file", cause });
  }
}

/** Replaces the file at once: whoever reads it sees the old keys or the new ones. Rejects for keys that contradict each other. */
export async function writeKeys(path: string, keys: readonly KeyRecord[]): Promise<void> {
  createApiKeys(keys);
  try {
    await writeWhole(path, `${JSON.stringify({ keys }, null, 2)}\n`);
  } catch (cause) {
    const message = `${path} cannot be written: ${writeFault(cause, path)}`;
    throw new ServeError("failed_precondition", message, { reason: "unreadable_path", cause });
  }
}

function unusable(path: string, cause: unknown): ServeError {
  return new ServeError("failed_precondition", `${path}: ${faultWords(cause)}`, {
    reason: "unreadable_path",
    cause,
  });
}
