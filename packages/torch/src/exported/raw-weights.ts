import {
  checkExtent,
  rangeStorage,
  type StoredTensor,
  type TensorStorage,
} from "../archive/stored-tensor.ts";
import type { ZipArchive } from "../archive/zip.ts";
import type { Platform } from "../byte-source.ts";
import { readWrappedTensor, refuseWrapped } from "../checkpoint/wrapped-tensor.ts";
import { ModelFileError } from "../errors.ts";
import type { Weight } from "../graph/ir.ts";
import { readScalarType } from "./enums.ts";
import { asBool, asInt, asList, asMap, asString, type JsonMap } from "./fields.ts";
import { parseJson } from "./json.ts";
import type { WeightLookup } from "./program-reader.ts";
import type { WrappedWeight } from "./unwrap-weights.ts";

/**
 * The weights of a PT2 archive of torch 2.9 and later: raw bytes in stored entries, named by `*_config.json`. Nothing of a weight is
 * read until its bytes are asked for. Throws ModelFileError.
 */
export function rawWeights(zip: ZipArchive, platform: Platform, { root, model }: ModelPlace): WeightLookup {
  const storages = new Storages(zip);
  const read = (kind: string): Map<string, Weight | WrappedWeight> =>
    readConfig({ zip, platform, storages, folder: `${root}data/${kind}/` }, `${model}_${kind}_config.json`);
  const tables = { weight: read("weights"), constant: read("constants") };
  return (kind, name) => tables[kind].get(name) ?? tables.weight.get(name);
}

/** Where an archive holds a model. */
export interface ModelPlace {
  /** The folder that all entries lie in, such as `archive/`. */
  readonly root: string;
  readonly model: string;
}

interface ConfigFolder {
  readonly zip: ZipArchive;
  readonly platform: Platform;
  readonly storages: Storages;
  readonly folder: string;
}

function readConfig(place: ConfigFolder, file: string): Map<string, Weight | WrappedWeight> {
  const { zip, folder } = place;
  const weights = new Map<string, Weight | WrappedWeight>();
  if (!zip.entries.has(folder + file)) return weights;
  const root = asMap(parseJson(zip.read(folder + file)), file);
  for (const [name, value] of asMap(root.get("config"), `${file}: config`)) {
    const weight = readEntry(place, { name, entry: asMap(value, name) });
    if (weight !== undefined) weights.set(name, weight);
  }
  return weights;
}

interface ConfigEntry {
  readonly name: string;
  readonly entry: JsonMap;
}

function readEntry(place: ConfigFolder, { name, entry }: ConfigEntry): Weight | WrappedWeight | undefined {
  const { storages, folder } = place;
  const path = asString(entry.get("path_name"), `path_name of ${name}`);
  // Objects that are not tensors: the program's inputs say whether they are needed.
  if (entry.get("tensor_meta") === null || path.startsWith("custom_obj") || path.startsWith("opaque_obj"))
    return undefined;
  if (asBool(entry.get("use_pickle") ?? false, `use_pickle of ${name}`)) return wrapped(place, name, path);
  const meta = asMap(entry.get("tensor_meta"), `tensor_meta of ${name}`);
  const ints = (key: string): number[] =>
    asList(meta.get(key), `${key} of ${name}`).map((size) =>
      asInt(asMap(size, key).get("as_int"), `${key} of ${name}`),
    );
  const tensor: StoredTensor = {
    dtype: readScalarType(meta.get("dtype"), `the weight '${name}'`),
    shape: ints("sizes"),
    strides: ints("strides"),
    storageOffset: asInt(asMap(meta.get("storage_offset"), name).get("as_int"), `storage_offset of ${name}`),
    storage: storages.open(folder + path),
  };
  checkExtent(name, tensor);
  return { name, tensor };
}

function wrapped({ zip, platform, folder }: ConfigFolder, name: string, path: string): WrappedWeight {
  if (!zip.entries.has(folder + path))
    throw new ModelFileError("corrupt", "the archive lacks the bytes of a weight");
  const tensor = readWrappedTensor(zip.open(folder + path), platform);
  return tensor === undefined ? refuseWrapped(name, "of a kind that is not known") : { ...tensor, name };
}

/** Storages by path: tied weights must get the same object. */
class Storages {
  readonly #zip: ZipArchive;
  readonly #open = new Map<string, TensorStorage>();

  constructor(zip: ZipArchive) {
    this.#zip = zip;
  }

  open(path: string): TensorStorage {
    const known = this.#open.get(path);
    if (known !== undefined) return known;
    const entry = this.#zip.entries.get(path);
    if (entry === undefined) throw new ModelFileError("corrupt", "the archive lacks the bytes of a weight");
    const storage = rangeStorage(this.#zip.open(path), { offset: 0, byteLength: entry.byteLength });
    this.#open.set(path, storage);
    return storage;
  }
}
