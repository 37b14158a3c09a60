import { isZip, openZip } from "../archive/zip.ts";
import type { ZipLimits } from "../archive/zip-limits.ts";
import type { ByteSource, Platform } from "../byte-source.ts";
import { ModelFileError } from "../errors.ts";
import { readLegacyCheckpoint } from "./legacy-checkpoint.ts";
import { type PickleArchive, readPickleMember, rootFolder } from "./pickle-archive.ts";
import type { PickleLimits } from "./pickle-limits.ts";
import { findStateDict, type StateDict } from "./state-dict.ts";

/** A file of weights: names and tensors, no program. */
export interface Checkpoint extends StateDict {
  /** Such as "checkpoint, zip layout". */
  readonly detail: string;
}

/** Limits of a checkpoint's reader: those of its zip and of its pickle. */
export type CheckpointLimits = Partial<ZipLimits & PickleLimits>;

/**
 * Reads what `torch.save` wrote (zip layout since 1.6, the older one, state dicts and whole modules) without running any of it: the
 * names and places of its tensors, whose bytes stay in the source until asked for. Throws ModelFileError.
 */
export function readCheckpoint(
  source: ByteSource,
  platform: Platform,
  limits?: CheckpointLimits,
): Checkpoint {
  const isZipped = isZip(source);
  const archive = openPickle(source, platform, limits);
  const dict = findStateDict(archive);
  return { ...dict, detail: `checkpoint, ${isZipped ? "zip" : "old"} layout` };
}

/** The pickle of a file that `torch.save` wrote, as data, with its tensors: for files that hold more than a state dict. */
export function openPickle(source: ByteSource, platform: Platform, limits?: CheckpointLimits): PickleArchive {
  if (isZip(source)) {
    const zip = openZip(source, platform, limits);
    const folder = rootFolder(zip, "data.pkl");
    if (folder === undefined) {
      throw new ModelFileError("unsupported", "the zip has no 'data.pkl': torch.save did not write it");
    }
    return readPickleMember(zip, { folder, member: "data" }, limits);
  }
  return readLegacyCheckpoint(source, limits);
}
