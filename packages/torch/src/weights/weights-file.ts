import { readSafetensors } from "../archive/safetensors.ts";
import { type OpenShard, readSharded } from "../archive/safetensors-index.ts";
import type { StoredTensor } from "../archive/stored-tensor.ts";
import type { ByteSource, Platform } from "../byte-source.ts";
import { readCheckpoint } from "../checkpoint/checkpoint.ts";
import { ModelFileError } from "../errors.ts";
import { detectFile } from "../formats/detect-file.ts";
import { type FileFormat, formatError, isProgram, isWeights } from "../formats/file-format.ts";

/** Weights without a program, of any format, by the names of a state dict. */
export interface WeightsFile {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Tensors that cannot be read, with the reason. */
  readonly skipped: ReadonlyMap<string, string>;
  /** The file that holds each tensor. */
  readonly sources: ReadonlyMap<string, ByteSource>;
}

/**
 * Reads a checkpoint, a safetensors file, or the index of a sharded one: names and places only. Every source stays the caller's to close.
 * Throws ModelFileError.
 */
export function readWeightsFile(source: ByteSource, platform: Platform, openShard: OpenShard): WeightsFile {
  if (detectFile(source) === "unknown" && source.read(0, 1)[0] === "{".charCodeAt(0))
    return readShards(source, platform, openShard);
  const { tensors, skipped } = readWhole(source, platform);
  return { tensors, skipped, sources: new Map([...tensors.keys()].map((name) => [name, source])) };
}

function readWhole(source: ByteSource, platform: Platform): Pick<WeightsFile, "tensors" | "skipped"> {
  const format = detectFile(source);
  if (format === "safetensors") return { tensors: readSafetensors(source).tensors, skipped: new Map() };
  // A module that torch.jit.save wrote holds its weights as torch.save does.
  if (format !== "checkpoint" && format !== "torchscript") throw noWeights(format);
  const { tensors, skipped } = readCheckpoint(source, platform);
  if (tensors.size === 0) throw new ModelFileError("unsupported", "the weights file holds no tensors");
  return { tensors, skipped };
}

function readShards(index: ByteSource, platform: Platform, openShard: OpenShard): WeightsFile {
  const sources = new Map<string, ByteSource>();
  const skipped = new Map<string, string>();
  const tensors = readSharded(index, (name) => {
    const shard = openShard(name);
    const read = readWhole(shard, platform);
    for (const tensor of read.tensors.keys()) sources.set(tensor, shard);
    for (const [tensor, reason] of read.skipped) skipped.set(tensor, reason);
    return read.tensors;
  });
  return { tensors, skipped, sources };
}

function noWeights(format: FileFormat): ModelFileError {
  if (!isProgram(format) && !isWeights(format)) return formatError(format);
  return new ModelFileError(
    "unsupported",
    "the weights file holds a program: give a checkpoint or safetensors file",
  );
}
