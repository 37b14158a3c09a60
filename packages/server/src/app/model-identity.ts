import { createHash } from "node:crypto";
import type { Dirent } from "node:fs";
import { open, readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { ModelConfig } from "../config/model-options.ts";
import { changeBetween, type FileStamp, stampOf } from "../runtime/file-stamp.ts";
import type { LoadedModel, LoadSpec } from "../runtime/runtime.ts";
import { VERSION } from "./version.ts";

/** Little enough that nobody waits for the digest of a piece. */
const PIECE_BYTES = 1 << 18;
/** Files beside a model's code. */
const MAX_CODE_FILES = 1000;
const MAX_DEPTH = 8;
/** With it, keys are no longer than they must be. */
const IDENTITY_CHARACTERS = 32;

/**
 * What answers depend on beside requests, as a short text that is the same on every server: the content of all files of the model (not their
 * names, places and times), the options that change answers, and this release. Of a model that Python code makes, all files in the code's folder
 * count. Undefined: a file is not the one any more that was loaded, or there are too many.
 */
export async function modelIdentity({
  loaded,
  spec,
  config,
}: {
  readonly loaded: LoadedModel;
  readonly spec: LoadSpec;
  readonly config: ModelConfig;
}): Promise<string | undefined> {
  const files = loaded.files?.() ?? [];
  if (files.length === 0) return undefined;
  const beside = spec.codeFile === undefined ? [] : await filesBelow(dirname(spec.codeFile), MAX_DEPTH);
  if (beside === undefined || beside.length > MAX_CODE_FILES) return undefined;
  const contents: string[] = [];
  for (const file of [...files, ...beside]) {
    const digest = await contentDigest(file);
    if (digest === undefined) return undefined;
    contents.push(`${basename(file.path)} ${digest}`);
  }
  const { signature, platform, runtime, runtimeReason, computesOn = "cpu" } = loaded.description;
  const facts = [
    VERSION,
    [...new Set(contents)].sort(),
    { signature, platform, runtime, pythonsOwn: runtime === "python" ? runtimeReason : "", computesOn },
    options(spec, config),
  ];
  const hash = createHash("sha256").update(JSON.stringify(facts));
  return `sconce:${hash.digest("base64url").slice(0, IDENTITY_CHARACTERS)}`;
}

function options(
  { options: { precision, mayMixRows, inputs, rename, ports, python, device } }: LoadSpec,
  { padSymbol, padValue, padBuckets }: ModelConfig,
): readonly unknown[] {
  const { class: name, arguments: given, outputs, compile, envelope } = python ?? {};
  return [
    { precision, mayMixRows, inputs, rename, ports },
    { name, given, outputs, device, compile, envelope },
    { padSymbol, padValue, padBuckets },
  ];
}

/** Links to files are followed. Undefined: there are folders too deep or behind links, or too many files. */
async function filesBelow(folder: string, depth: number): Promise<FileStamp[] | undefined> {
  if (depth === 0) return undefined;
  const found: FileStamp[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (isLeftOut(entry)) continue;
    const stats = await stat(path);
    if (stats.isFile()) found.push(stampOf(path, stats));
    if (stats.isDirectory()) {
      if (entry.isSymbolicLink()) return undefined;
      const below = await filesBelow(path, depth - 1);
      if (below === undefined) return undefined;
      found.push(...below);
    }
    if (found.length > MAX_CODE_FILES) return undefined;
  }
  return found;
}

/** What Python makes of the code has times in it; Kubernetes keeps what its links lead to in `..data` and its like. */
function isLeftOut({ name }: Dirent): boolean {
  return name === "__pycache__" || name.startsWith("..");
}

/** Hex SHA-256 of all of a file, however large. Undefined: it is not as it was stamped. */
async function contentDigest(stamp: FileStamp): Promise<string | undefined> {
  const file = await open(stamp.path, "r");
  try {
    const isSame = async (): Promise<boolean> =>
      changeBetween(stamp, stampOf(stamp.path, await file.stat())) === "same";
    if (!(await isSame())) return undefined;
    const hash = createHash("sha256");
    const pieces = file.createReadStream({ highWaterMark: PIECE_BYTES, autoClose: false });
    for await (const piece of pieces as AsyncIterable<Buffer>) hash.update(piece);
    return (await isSame()) ? hash.digest("hex") : undefined;
  } finally {
    await file.close();
  }
}
