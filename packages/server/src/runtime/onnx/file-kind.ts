import { lstatSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { ServeError } from "../../base/errors.ts";
import { onFile } from "../../base/file-fault.ts";
import { REPAIR } from "./model-error.ts";

export type FileKind = "archive" | "onnx";

/**
 * What a model file is, by its first bytes and not by its name: a zip archive (`.pt2`, TorchScript) or ONNX. Throws ServeError
 * `failed_precondition` for anything else, with what to do.
 */
export function fileKind(head: Uint8Array): FileKind {
  if (head[0] === 0x50 && head[1] === 0x4b && head[2] === 0x03 && head[3] === 0x04) return "archive";
  // ModelProto begins with field 1, ir_version, a small number.
  if (head[0] === 0x08 && head[1] !== undefined && head[1] > 0 && head[1] < 0x40) return "onnx";
  const isPickle = head[0] === 0x80 && head[1] !== undefined && head[1] <= 5;
  const isSafetensors = head[8] === 0x7b && head.subarray(4, 8).every((byte) => byte === 0);
  if (isPickle || isSafetensors) {
    throw new ServeError(
      "failed_precondition",
      "the file holds weights only, no program; export the model with torch.export.save, or name the program and give this file as its weights",
      { reason: "weights_only" },
    );
  }
  throw new ServeError("failed_precondition", `the file is neither a PyTorch archive nor ONNX; ${REPAIR}`, {
    reason: "unknown_format",
  });
}

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
