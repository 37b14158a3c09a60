import { fstatSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { closeRead } from "../base/close-read.ts";
import { ServeError } from "../base/errors.ts";
import { onFile } from "../base/file-fault.ts";
import { openBelow } from "../base/open-below.ts";

const MAX_BYTES = 2 ** 20;

/**
 * Reads the names of classes, one a line, from a file below `root`. Empty lines count, but for those at the end. At most 1 MiB. Throws
 * `failed_precondition`/`model_refused`, and what `openBelow` throws.
 */
export function readLabels(root: string, path: string): readonly string[] {
  const { fd } = openBelow(root, path);
  try {
    if (onFile(path, () => fstatSync(fd)).size > MAX_BYTES) {
      throw new ServeError("failed_precondition", `${basename(path)}: larger than ${MAX_BYTES} bytes`, {
        reason: "model_refused",
      });
    }
    const text = onFile(path, () => readFileSync(fd, "utf8"));
    return text.trimEnd().split(/\r?\n/);
  } finally {
    closeRead(fd);
  }
}
