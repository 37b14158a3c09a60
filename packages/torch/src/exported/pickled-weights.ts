import { checkExtent } from "../archive/stored-tensor.ts";
import type { ZipArchive } from "../archive/zip.ts";
import type { Platform } from "../byte-source.ts";
import { type Checkpoint, readCheckpoint } from "../checkpoint/checkpoint.ts";
import { ModelFileError } from "../errors.ts";
import type { Weight } from "../graph/ir.ts";
import type { WeightLookup } from "./program-reader.ts";

/** Where the two files lie that torch 2.1 to 2.8 put into the archive with torch.save: a zip in the zip each. */
export interface PickledPlaces {
  readonly weight: string;
  readonly constant: string;
}

/** Weights by name from state dicts inside the archive. Their bytes are read in place. Throws ModelFileError. */
export function pickledWeights(zip: ZipArchive, platform: Platform, places: PickledPlaces): WeightLookup {
  const read = (name: string): Checkpoint | undefined =>
    (zip.entries.get(name)?.byteLength ?? 0) === 0 ? undefined : readCheckpoint(zip.open(name), platform);
  const tables = { weight: read(places.weight), constant: read(places.constant) };
  const find = (table: Checkpoint | undefined, name: string): Weight | undefined => {
    const reason = table?.skipped.get(name);
    if (reason !== undefined) throw new ModelFileError("unsupported", `the weight '${name}': ${reason}`);
    const tensor = table?.tensors.get(name);
    if (tensor === undefined) return undefined;
    checkExtent(name, tensor);
    return { name, tensor };
  };
  // Buffers that are not saved with the state dict moved between the two over time.
  return (kind, name) =>
    find(tables[kind], name) ?? find(tables[kind === "weight" ? "constant" : "weight"], name);
}
