import { fstatSync } from "node:fs";
import { dirname } from "node:path";
import { env } from "onnxruntime-node";
import { closeRead } from "../../base/close-read.ts";
import { DiskCache } from "../../base/disk-cache.ts";
import type { OpenFile } from "../../base/open-below.ts";
import { changeBetween, stampOf } from "../file-stamp.ts";
import type { LoadOptions } from "../runtime.ts";
import { cpuIdentity } from "./cpu-identity.ts";
import { fileDigest, isDigestWhole } from "./file-digest.ts";
import { decodeKept, encodeKept, type KeptTranslation } from "./kept-translation.ts";
import type { TranslatedProgram } from "./translated-program.ts";

/** Changed with what an entry holds. */
const LAYOUT = 2;

/** A server may be stopped while it optimises; an engine that dies of it does so this often. */
const MOST_TRIES = 3;

/** What was kept of a file's optimised graph. */
export type KeptOptimised =
  /** Nobody has tried, or not to the end. */
  | { readonly kind: "untried" }
  /** It gains nothing for this content; undefined: for none. */
  | { readonly kind: "useless"; readonly digest: string | undefined }
  | { readonly kind: "kept"; readonly kept: KeptTranslation; readonly weights: OpenFile };

/**
 * The translation of one file, kept on disk from start to start. What is found is of whatever content the file had then: whoever finds it compares
 * digests before anybody gets a result of it.
 */
export interface FileTranslation {
  find(): KeptTranslation | undefined;
  keep(kept: KeptTranslation): void;
  /** The graph as ONNX Runtime optimised it for this processor. Its weights are open; the caller closes them. */
  findOptimised(): KeptOptimised;
  /** A folder in which to make one, and what the file of its weights is to be called; undefined: there can be none. */
  optimisedDraft(): { readonly folder: string; readonly weightsName: string } | undefined;
  /** Notes that it is about to be tried. */
  tryOptimised(kept: KeptTranslation): void;
  /** Keeps one whose weights are this file, which is moved; without a file, that there is nothing to be gained. */
  keepOptimised(kept: KeptTranslation, weightsFile: string | undefined): void;
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
  const { translationCache, weightsFile, isOptimised = true, device = "cpu" } = options;
  if (translationCache === undefined || weightsFile !== undefined) return undefined;
  // An engine that crashed over a graph is given nothing but what was made of the file just now.
  if (!isOptimised || !isDigestWhole(fileBytes)) return undefined;
  const entries = new DiskCache(translationCache);
  const key = keyOf(path, options, translationCache.release);
  // Elsewhere a graph is optimised into what that device alone runs.
  const cpu = device === "cpu" ? cpuIdentity() : undefined;
  const optimisedKey = cpu === undefined ? undefined : JSON.stringify([key, options.memory, cpu]);
  return {
    find: () => readKept(entries, key),
    keep: (kept) => void entries.write(key, encodeKept(kept)),
    findOptimised: () =>
      optimisedKey === undefined
        ? { kind: "useless", digest: undefined }
        : findOptimised(entries, optimisedKey),
    optimisedDraft() {
      const folder = optimisedKey && entries.workFolder(optimisedKey);
      return folder && optimisedKey
        ? { folder, weightsName: entries.attachmentName(optimisedKey) }
        : undefined;
    },
    tryOptimised({ digest, program }) {
      if (optimisedKey === undefined) return;
      const before = readKept(entries, optimisedKey);
      const tries = 1 + (before?.digest === digest ? (before.tries ?? 0) : 0);
      entries.write(optimisedKey, encodeKept({ digest, program: withoutModel(program), tries }));
    },
    keepOptimised(kept, file) {
      if (optimisedKey !== undefined) keepOptimised(entries, optimisedKey, { kept, file });
    },
  };
}

/** All that decides what becomes of a file's content. */
function keyOf(
  path: string,
  { precision, inputs, rename, ports, state }: LoadOptions,
  release: string,
): string {
  const options = [precision, inputs ?? null, rename ?? null, ports ?? null, state ?? null];
  return JSON.stringify([LAYOUT, release, env.versions.node ?? "", path, ...options]);
}

function readKept(entries: DiskCache, key: string): KeptTranslation | undefined {
  const entry = entries.read(key);
  return entry === undefined ? undefined : decodeKept(entry);
}

function findOptimised(entries: DiskCache, key: string): KeptOptimised {
  const kept = readKept(entries, key);
  if (kept === undefined) return { kind: "untried" };
  if (kept.program.model.byteLength === 0) {
    const isTried = kept.tries === undefined || kept.tries >= MOST_TRIES;
    return isTried ? { kind: "useless", digest: kept.digest } : { kind: "untried" };
  }
  const weights = entries.attachment(key);
  if (weights !== undefined && isUnchanged(kept, weights)) {
    const program = { ...kept.program, optimisedIn: dirname(weights.path) };
    return { kind: "kept", kept: { ...kept, program }, weights };
  }
  if (weights !== undefined) closeRead(weights.fd);
  entries.remove(key);
  return { kind: "untried" };
}

/** Where the kernel says that nobody wrote into the file since it was put there, it need not be read. */
function isUnchanged({ weights: known }: KeptTranslation, { fd, path }: OpenFile): boolean {
  if (known === undefined) return false;
  const now = stampOf(path, fstatSync(fd));
  const isSame = now.ctimeMs === known.stamp.ctimeMs && changeBetween(known.stamp, now) === "same";
  return isSame || (now.size === known.stamp.size && fileDigest(path) === known.digest);
}

function withoutModel(program: TranslatedProgram): TranslatedProgram {
  return { ...program, model: new Uint8Array(0) };
}

function keepOptimised(
  entries: DiskCache,
  key: string,
  { kept, file }: { readonly kept: KeptTranslation; readonly file: string | undefined },
): void {
  const { program, digest } = kept;
  if (file === undefined) {
    entries.write(key, encodeKept({ digest, program: withoutModel(program) }));
    return;
  }
  const weightsDigest = fileDigest(file);
  const weights = entries.attach(key, file);
  if (weights === undefined) return;
  try {
    const stamp = stampOf(weights.path, fstatSync(weights.fd));
    entries.write(key, encodeKept({ digest, program, weights: { stamp, digest: weightsDigest } }));
  } finally {
    closeRead(weights.fd);
  }
}
