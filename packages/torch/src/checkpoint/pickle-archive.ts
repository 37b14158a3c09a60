import type { StoredTensor, TensorStorage } from "../archive/stored-tensor.ts";
import type { ZipArchive } from "../archive/zip.ts";
import { ModelFileError } from "../errors.ts";
import { PICKLE_LIMITS, type PickleLimits } from "./pickle-limits.ts";
import type { PickleValue } from "./pickle-value.ts";
import { rebuildTensor } from "./rebuild-tensor.ts";
import type { StorageTable } from "./storage-ref.ts";
import { unpickle } from "./unpickle.ts";

/** A pickle with its storages: what `torch.save` wrote, as data. */
export interface PickleArchive {
  readonly root: PickleValue;
  /**
   * The tensor behind a value; undefined when the value is not a tensor. Tensors on one storage share its object. Throws ModelFileError:
   * "unsupported" for tensors that only PyTorch's own code can make, "corrupt".
   */
  tensor(value: PickleValue | undefined): StoredTensor | undefined;
}

/** Joins a pickle's value and its storages. */
export function pickleArchive(root: PickleValue, storages: StorageTable): PickleArchive {
  return { root, tensor: (value) => rebuildTensor(value, storages) };
}

/**
 * The folder that all entries of a PyTorch zip lie in, such as `model/`, found by a member of it; undefined when no folder has that
 * member. The archives of `torch.save`, TorchScript and `torch.export` all name it after the file.
 */
export function rootFolder(zip: ZipArchive, member: string): string | undefined {
  for (const name of zip.entries.keys()) {
    const folder = name.slice(0, name.length - member.length);
    if (name.endsWith(member) && (folder === "" || folder.indexOf("/") === folder.length - 1)) return folder;
  }
  return undefined;
}

/**
 * Reads `<folder><member>.pkl` of a zip with its storages `<folder><member>/<key>`: `data` of torch.save and TorchScript, `constants` and
 * `traced_inputs` of TorchScript. Throws ModelFileError.
 */
export function readPickleMember(
  zip: ZipArchive,
  { folder, member }: { readonly folder: string; readonly member: string },
  limits?: Partial<PickleLimits>,
): PickleArchive {
  checkByteOrder(zip, folder);
  const name = `${folder}${member}.pkl`;
  const maxBytes = limits?.maxBytes ?? PICKLE_LIMITS.maxBytes;
  const size = zip.entries.get(name)?.byteLength ?? 0;
  if (size > maxBytes) {
    throw new ModelFileError("limit", `the pickle '${name}' has ${size} bytes; the limit is ${maxBytes}`);
  }
  return pickleArchive(unpickle(zip.read(name), limits), zipStorages(zip, `${folder}${member}/`));
}

function checkByteOrder(zip: ZipArchive, folder: string): void {
  const name = `${folder}byteorder`;
  if ((zip.entries.get(name)?.byteLength ?? 0) > 16) {
    throw new ModelFileError("corrupt", "the archive's byte order is not known");
  }
  if (zip.entries.has(name) && new TextDecoder().decode(zip.read(name)).trim() !== "little") {
    throw new ModelFileError(
      "unsupported",
      "the file was saved on a big-endian machine; save it again on a little-endian one",
    );
  }
}

function zipStorages(zip: ZipArchive, folder: string): StorageTable {
  const known = new Map<string, TensorStorage>();
  return ({ key }) => {
    const name = `${folder}${key}`;
    const storage = known.get(name) ?? zipStorage(zip, name);
    known.set(name, storage);
    return storage;
  };
}

function zipStorage(zip: ZipArchive, name: string): TensorStorage {
  const entry = zip.entries.get(name);
  if (entry === undefined) throw new ModelFileError("corrupt", `the archive has no storage '${name}'`);
  const { byteLength } = entry;
  return { byteLength, locate: () => zip.locate(name), read: () => zip.read(name) };
}
