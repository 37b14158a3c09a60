import { realpathSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { ModelFileError, type WeightsSource } from "@sconce/torch";
import { type FileSource, openFileSource } from "@sconce/torch/node";
import { ServeError } from "../../base/errors.ts";
import { faultCode, fileFault, onFile } from "../../base/file-fault.ts";

/** The files of the weights that replace a program's own, open until the translation is done. */
export interface OpenWeights extends WeightsSource {
  close(): void;
}

/**
 * Opens a weights file, and later its shards. Tensors can be mapped from it when it lies in the program's folder, the one place where
 * ONNX Runtime looks for weights; from anywhere else they are copied. Throws ServeError `failed_precondition`.
 */
export function openWeights(
  path: string,
  { programPath, hold }: { readonly programPath: string; readonly hold: (path: string) => void },
): OpenWeights {
  const open: FileSource[] = [];
  const openHeld = (file: string): FileSource => {
    const real = realFile(file);
    hold(real);
    const held = openFileSource(real);
    open.push(held);
    return held;
  };
  const source = openHeld(path);
  const folder = dirname(realOf(path));
  return {
    source,
    isBeside: folder === dirname(programPath),
    openShard(name) {
      const shard = join(folder, name);
      // A shard's name is plain; a link could still lead elsewhere.
      if (dirname(realOf(shard)) !== folder)
        throw new ModelFileError("unsupported", `the shard ${name} is a link to another folder`);
      return openHeld(shard);
    },
    close() {
      for (const file of open) file.close();
    },
  };
}

function realFile(path: string): string {
  const real = realOf(path);
  if (!onFile(real, (file) => statSync(file).isFile())) throw missing(path);
  return real;
}

function realOf(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    throw faultCode(error) === "ENOENT" ? missing(path) : fileFault(error, path);
  }
}

function missing(path: string): ServeError {
  return new ServeError("failed_precondition", `the weights file ${basename(path)} is missing`, {
    reason: "weights_missing",
  });
}
