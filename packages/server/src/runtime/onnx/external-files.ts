import { lstatSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { ServeError } from "../../base/errors.ts";
import { onFile } from "../../base/file-fault.ts";

/**
 * External weights must lie beside the model as plain files with one name each: a model must not be able to read anything else through
 * a path, a symbolic link or a hard link. Throws ServeError `failed_precondition`.
 */
export function checkExternalFiles(modelPath: string, names: readonly string[]): void {
  for (const name of names) {
    const reject = (why: string): ServeError =>
      new ServeError("failed_precondition", `the model's external data is rejected: ${why}`, {
        reason: "model_refused",
      });
    if (
      name === "" ||
      name.startsWith(".") ||
      basename(name) !== name ||
      name.includes("\\") ||
      name.includes("\0")
    ) {
      throw reject("it must be a file beside the model, named without a path");
    }
    const stats = onFile(join(dirname(modelPath), name), (path) =>
      lstatSync(path, { throwIfNoEntry: false }),
    );
    if (stats === undefined) throw reject(`the file ${name} is missing`);
    if (!stats.isFile() || stats.nlink !== 1) throw reject(`${name} must be a plain file without links`);
  }
}
