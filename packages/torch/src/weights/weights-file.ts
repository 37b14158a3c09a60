import { readSafetensors } from "../archive/safetensors.ts";
import { type OpenShard, readShardedSafetensors, shardNames } from "../archive/safetensors-index.ts";
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
  const whole = (tensors: ReadonlyMap<string, StoredTensor>): WeightsFile["sources"] =>
    new Map([...tensors.keys()].map((name) => [name, source]));
  const format = detectFile(source);
  if (format === "safetensors") {
    const { tensors } = readSafetensors(source);
    return { tensors, skipped: new Map(), sources: whole(tensors) };
  }
  if (format === "unknown" && source.read(0, 1)[0] === "{".charCodeAt(0))
    return readShards(source, openShard);
  // A module that torch.jit.save wrote holds its weights as torch.save does.
  if (format !== "checkpoint" && format !== "torchscript") throw noWeights(format);
  const { tensors, skipped } = readCheckpoint(source, platform);
  if (tensors.size === 0) throw new ModelFileError("unsupported", "the weights file holds no tensors");
  return { tensors, skipped, sources: whole(tensors) };
}

function readShards(index: ByteSource, openShard: OpenShard): WeightsFile {
  const shards = new Map(shardNames(index).map((name) => [name, openShard(name)]));
  const places = new Map<string, ByteSource>();
  const { tensors } = readShardedSafetensors(index, (name) => shards.get(name)!);
  for (const shard of shards.values())
    for (const name of readSafetensors(shard).tensors.keys()) places.set(name, shard);
  return { tensors, skipped: new Map(), sources: places };
}

function noWeights(format: FileFormat): ModelFileError {
  if (!isProgram(format) && !isWeights(format)) return formatError(format);
  return new ModelFileError(
    "unsupported",
    "the weights file holds a program: give a checkpoint or safetensors file",
  );
}
