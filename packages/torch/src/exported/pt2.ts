import type { ZipArchive } from "../archive/zip.ts";
import { ModelFileError } from "../errors.ts";
import type { Program, Storage, Weight } from "../graph/ir.ts";
import { elementSize } from "../onnx/dtype.ts";
import { readScalarType } from "./enums.ts";
import { asBool, asInt, asList, asMap, asString, type JsonMap } from "./fields.ts";
import { parseJson } from "./json.ts";
import { readExportedProgram } from "./program-reader.ts";

/** The path of the one model inside a PT2 archive, or undefined when the archive is something else. */
export function findPt2Model(zip: ZipArchive): string | undefined {
  return [...zip.entries.keys()].find((name) => /(^|\/)models\/[^/]+\.json$/.test(name));
}

/**
 * Reads the PT2 archive of torch 2.9 and later: weights lie as raw bytes in stored entries, named by `*_config.json`. Nothing of a
 * weight is read until its bytes are asked for. Throws ModelFileError.
 */
export function readPt2(zip: ZipArchive): Program {
  const path = findPt2Model(zip);
  if (path === undefined) throw notAProgram(zip);
  const model = path.slice(path.lastIndexOf("/") + 1, -".json".length);
  const root = path.slice(0, path.length - `models/${model}.json`.length);
  checkByteOrder(zip, root);
  const tables = {
    weight: readConfig(zip, `${root}data/weights/`, `${model}_weights_config.json`),
    constant: readConfig(zip, `${root}data/constants/`, `${model}_constants_config.json`),
  };
  return readExportedProgram(
    zip.read(path),
    "PT2 archive",
    (kind, name) => tables[kind].get(name) ?? tables.weight.get(name),
  );
}

function notAProgram(zip: ZipArchive): ModelFileError {
  const isCompiled = [...zip.entries.keys()].some((name) => name.includes("data/aotinductor/"));
  return isCompiled
    ? new ModelFileError(
        "unsupported",
        "the file is an AOTInductor package: native code for one machine. Save the program with torch.export.save instead",
      )
    : new ModelFileError("corrupt", "the archive holds no program (models/*.json)");
}

function checkByteOrder(zip: ZipArchive, root: string): void {
  if (!zip.entries.has(`${root}byteorder`)) return;
  const order = new TextDecoder().decode(zip.read(`${root}byteorder`)).trim();
  if (order !== "little") {
    throw new ModelFileError(
      "unsupported",
      `the file has ${order}-endian weights; save it on a little-endian machine`,
    );
  }
}

function readConfig(zip: ZipArchive, folder: string, file: string): Map<string, Weight> {
  const weights = new Map<string, Weight>();
  if (!zip.entries.has(folder + file)) return weights;
  const root = asMap(parseJson(zip.read(folder + file)), file);
  for (const [name, value] of asMap(root.get("config"), `${file}: config`)) {
    const weight = readEntry(zip, folder, { name, entry: asMap(value, name) });
    if (weight !== undefined) weights.set(name, weight);
  }
  return weights;
}

interface ConfigEntry {
  readonly name: string;
  readonly entry: JsonMap;
}

function readEntry(zip: ZipArchive, folder: string, { name, entry }: ConfigEntry): Weight | undefined {
  const path = asString(entry.get("path_name"), `path_name of ${name}`);
  // Objects that are no tensors: the program's inputs say whether they are needed.
  if (entry.get("tensor_meta") === null || path.startsWith("custom_obj") || path.startsWith("opaque_obj"))
    return undefined;
  if (asBool(entry.get("use_pickle") ?? false, `use_pickle of ${name}`)) {
    throw new ModelFileError(
      "unsupported",
      `the weight '${name}' is a tensor subclass (quantized by torchao?); export the model before quantizing and quantize the file here`,
    );
  }
  const meta = asMap(entry.get("tensor_meta"), `tensor_meta of ${name}`);
  const ints = (key: string): number[] =>
    asList(meta.get(key), `${key} of ${name}`).map((size) =>
      asInt(asMap(size, key).get("as_int"), `${key} of ${name}`),
    );
  const weight: Weight = {
    name,
    dtype: readScalarType(meta.get("dtype"), `the weight '${name}'`),
    dims: ints("sizes"),
    strides: ints("strides"),
    offset: asInt(asMap(meta.get("storage_offset"), name).get("as_int"), `storage_offset of ${name}`),
    storage: openStorage(zip, folder + path),
  };
  checkExtent(weight);
  return weight;
}

function openStorage(zip: ZipArchive, path: string): Storage {
  const entry = zip.entries.get(path);
  if (entry === undefined) throw new ModelFileError("corrupt", "the archive lacks the bytes of a weight");
  const location = zip.locate(path);
  return {
    id: path,
    byteLength: entry.byteLength,
    location: location === undefined ? undefined : { offset: location.offset },
    bytes: () => zip.read(path),
  };
}

/** Throws ModelFileError("corrupt") when a weight reaches outside its storage. */
export function checkExtent({ name, dtype, dims, strides, offset, storage }: Weight): void {
  const isBad = (n: number): boolean => n < 0;
  if (dims.length !== strides.length || dims.some(isBad) || strides.some(isBad) || offset < 0) {
    throw new ModelFileError("corrupt", `the weight '${name}' has a negative or mismatched size`);
  }
  if (dims.includes(0)) return;
  const last = dims.reduce((at, dim, i) => at + (dim - 1) * strides[i]!, offset);
  if ((last + 1) * elementSize(dtype) > storage.byteLength) {
    const hint =
      storage.byteLength === 0 ? "was exported without its values" : "reaches past the end of its bytes";
    throw new ModelFileError("corrupt", `the weight '${name}' ${hint}`);
  }
}
