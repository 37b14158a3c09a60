import { rangeStorage, type TensorStorage } from "../archive/stored-tensor.ts";
import type { ByteSource } from "../byte-source.ts";
import { ModelFileError } from "../errors.ts";
import { type PickleArchive, pickleArchive } from "./pickle-archive.ts";
import type { PickleLimits } from "./pickle-limits.ts";
import { allNodes } from "./pickle-nodes.ts";
import { entryOf, itemsOf, type PickleValue } from "./pickle-value.ts";
import { storageWidth } from "./storage-ref.ts";
import { unpickleAt } from "./unpickle.ts";

/** torch/serialization.py: MAGIC_NUMBER and PROTOCOL_VERSION of the layout before 1.6. */
const MAGIC = 0x1950a86a20f9469cfc6cn;
const PROTOCOL = 1001;

/**
 * Reads the layout of torch.save before 1.6 (`_use_new_zipfile_serialization=False` since): the pickles magic, version, system, object,
 * storage keys, then per key an int64 element count and the raw elements. Throws ModelFileError.
 */
export function readLegacyCheckpoint(source: ByteSource, limits?: Partial<PickleLimits>): PickleArchive {
  const magic = unpickleAt(source, 0, limits);
  if (magic.value !== MAGIC) {
    throw new ModelFileError("unsupported", "the file is a plain pickle; only what torch.save wrote is read");
  }
  const version = unpickleAt(source, magic.end, limits);
  if (version.value !== PROTOCOL) {
    throw new ModelFileError("unsupported", "the file has an unknown version of the old torch.save layout");
  }
  const system = unpickleAt(source, version.end, limits);
  if (entryOf(system.value, "little_endian") !== true) {
    throw new ModelFileError(
      "unsupported",
      "the file was saved on a big-endian machine; save it again on a little-endian one",
    );
  }
  const object = unpickleAt(source, system.end, limits);
  const keys = unpickleAt(source, object.end, limits);
  const storages = readStorages(source, {
    keys: keyList(keys.value),
    widths: storageWidths(object.value),
    at: keys.end,
  });
  return pickleArchive(object.value, ({ key }) => {
    const storage = storages.get(key);
    if (storage === undefined)
      throw new ModelFileError("corrupt", `the file has no storage '${key.slice(0, 80)}'`);
    return storage;
  });
}

interface StorageList {
  readonly keys: readonly string[];
  readonly widths: ReadonlyMap<string, number>;
  readonly at: number;
}

function readStorages(source: ByteSource, list: StorageList): Map<string, TensorStorage> {
  const storages = new Map<string, TensorStorage>();
  let at = list.at;
  for (const key of list.keys) {
    const head = source.read(at, 8);
    const count = Number(new DataView(head.buffer, head.byteOffset, 8).getBigInt64(0, true));
    const width = list.widths.get(key);
    if (width === undefined)
      throw new ModelFileError("corrupt", `the file has a storage '${key.slice(0, 80)}' of no tensor`);
    const byteLength = count * width;
    if (!Number.isSafeInteger(byteLength) || count < 0 || at + 8 + byteLength > source.byteLength) {
      throw new ModelFileError("corrupt", "the file is cut off inside a storage");
    }
    storages.set(key, rangeStorage(source, { offset: at + 8, byteLength }));
    at += 8 + byteLength;
  }
  return storages;
}

function keyList(value: PickleValue): string[] {
  const keys = itemsOf(value)?.filter((key) => typeof key === "string");
  if (keys === undefined || keys.length !== itemsOf(value)?.length) {
    throw new ModelFileError("corrupt", "the file has no list of storages");
  }
  return keys;
}

/** Element widths by storage key. Every node is visited once, so that shared and circular ones cost nothing. */
function storageWidths(root: PickleValue): Map<string, number> {
  const widths = new Map<string, number>();
  for (const node of allNodes(root)) {
    const storage = node.kind === "persistent" ? storageWidth(node) : undefined;
    if (storage !== undefined) widths.set(storage.key, storage.width);
  }
  return widths;
}
