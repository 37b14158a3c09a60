import { env } from "onnxruntime-node";
import { DiskCache } from "../../base/disk-cache.ts";
import type { LoadOptions } from "../runtime.ts";
import { isDigestWhole } from "./file-digest.ts";
import { decodeKept, encodeKept, type KeptTranslation } from "./kept-translation.ts";

/** Changed with what an entry holds. */
const LAYOUT = 1;

/** The translation of one file, kept on disk from start to start. */
export interface FileTranslation {
  /** Of whatever content the file had then: whoever finds one compares digests before anybody gets a result of it. */
  find(): KeptTranslation | undefined;
  keep(kept: KeptTranslation): void;
}

/**
 * Where the translation of a file is kept, for these options; undefined: nowhere, since nothing is kept at all, or too little is known of what it is
 * made of: of weights in a second file, and of files too large to be read whole for a digest.
 */
export function keptTranslationOf(
  path: string,
  fileBytes: number,
  options: LoadOptions,
): FileTranslation | undefined {
  const { translationCache, weightsFile, isOptimised = true } = options;
  if (translationCache === undefined || weightsFile !== undefined) return undefined;
  // An engine that crashed over a graph is given nothing but what was made of the file just now.
  if (!isOptimised || !isDigestWhole(fileBytes)) return undefined;
  const entries = new DiskCache(translationCache);
  const key = keyOf(path, options, translationCache.release);
  return {
    find() {
      const entry = entries.read(key);
      return entry === undefined ? undefined : decodeKept(entry);
    },
    keep(kept) {
      entries.write(key, encodeKept(kept));
    },
  };
}

/** All that decides what becomes of a file's content. */
function keyOf(path: string, { precision, inputs, rename, ports }: LoadOptions, release: string): string {
  const options = [precision, inputs ?? null, rename ?? null, ports ?? null];
  return JSON.stringify([LAYOUT, release, env.versions.node ?? "", path, ...options]);
}
