import type { ByteSource } from "../byte-source.ts";
import { ModelFileError } from "../errors.ts";
import type { StoredTensor } from "./stored-tensor.ts";

/** Bytes of an index file. */
const MAX_INDEX_BYTES = 16 * 2 ** 20;
const MAX_SHARDS = 1_000;
/** A shard lies beside its index: a plain file name. */
const SHARD_NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]*\.(safetensors|bin|pt|pth)$/;

/** Opens a shard by its name; the caller owns what it opens. */
export type OpenShard = (name: string) => ByteSource;

/** Reads a shard by its name: its tensors. */
export type ReadShard = (name: string) => ReadonlyMap<string, StoredTensor>;

/**
 * Reads tensors spread over files by an index (`*.safetensors.index.json`, `*.bin.index.json`) `{ "weight_map": { tensor: file } }`. Every tensor of the index must lie in its file, and
 * no file may hold another. Throws ModelFileError.
 */
export function readSharded(index: ByteSource, readShard: ReadShard): ReadonlyMap<string, StoredTensor> {
  const places = readIndex(index);
  const shards = new Map([...new Set(places.values())].map((name) => [name, readShard(name)]));
  const tensors = new Map<string, StoredTensor>();
  for (const [name, file] of places) {
    const tensor = shards.get(file)?.get(name);
    if (tensor === undefined) throw new ModelFileError("corrupt", `tensor '${name}' is not in '${file}'`);
    tensors.set(name, tensor);
  }
  for (const [file, shard] of shards) {
    const stray = [...shard.keys()].find((name) => places.get(name) !== file);
    if (stray !== undefined)
      throw new ModelFileError("corrupt", `tensor '${stray}' of '${file}' is not in the index`);
  }
  return tensors;
}

function readIndex(index: ByteSource): Map<string, string> {
  if (index.byteLength > MAX_INDEX_BYTES) {
    throw new ModelFileError(
      "limit",
      `the index has ${index.byteLength} bytes; the limit is ${MAX_INDEX_BYTES}`,
    );
  }
  const map = weightMap(new TextDecoder().decode(index.read(0, index.byteLength)));
  const places = new Map<string, string>();
  for (const [name, file] of Object.entries(map)) {
    if (typeof file !== "string" || !SHARD_NAME.test(file)) {
      throw new ModelFileError(
        "corrupt",
        `the index places tensor '${name.slice(0, 120)}' in no plain file name`,
      );
    }
    places.set(name, file);
  }
  if (new Set(places.values()).size > MAX_SHARDS) {
    throw new ModelFileError("limit", `the index names more than ${MAX_SHARDS} files`);
  }
  return places;
}

function weightMap(text: string): object {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ModelFileError("corrupt", "the index is not JSON", { cause: error });
  }
  const map =
    typeof value === "object" && value !== null ? (value as { weight_map?: unknown }).weight_map : undefined;
  if (typeof map === "object" && map !== null && !Array.isArray(map)) return map;
  throw new ModelFileError("corrupt", "the index has no 'weight_map'");
}
