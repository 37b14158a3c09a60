import { basename, dirname, join } from "node:path";
import { ModelFileError, type WeightsSource } from "@sconce/torch";
import { ServeError } from "../../base/errors.ts";
import { faultCode } from "../../base/file-fault.ts";
import { type OpenFile, openBelow } from "../../base/open-below.ts";
import type { OpenContext } from "./opened-model.ts";

/**
 * Opens a weights file that replaces a program's own weights, and later its shards. Tensors can be mapped from it when it lies in the
 * program's folder, the one place where ONNX Runtime looks for weights; from anywhere else they are copied. Throws ServeError
 * `failed_precondition`.
 */
export function openWeights(
  path: string,
  { programPath, root, hold }: Pick<OpenContext, "root" | "hold"> & { readonly programPath: string },
): WeightsSource {
  const index = openPresent(root, path);
  const folder = dirname(index.path);
  return {
    source: hold(index),
    isBeside: folder === dirname(programPath),
    openShard(name) {
      const shard = openPresent(root, join(folder, name));
      const source = hold(shard);
      // A shard's name is plain; a link could still lead elsewhere.
      if (dirname(shard.path) !== folder)
        throw new ModelFileError("unsupported", `the shard ${name} is a link to another folder`);
      return source;
    },
  };
}

function openPresent(root: string, path: string): OpenFile {
  try {
    return openBelow(root, path);
  } catch (error) {
    throw faultCode((error as Error).cause) === "ENOENT" ? missing(path) : error;
  }
}

function missing(path: string): ServeError {
  return new ServeError("failed_precondition", `the weights file ${basename(path)} is missing`, {
    reason: "weights_missing",
  });
}
