import { existsSync, readdirSync } from "node:fs";
import { basename, isAbsolute, join } from "node:path";
import { ServeError } from "../../base/errors.ts";
import type { StartupModel } from "../../config/torchserve/torchserve-models.ts";
import { isModelName } from "../../models/model-candidate.ts";
import { readArchive } from "./archive-manifest.ts";

/** What TorchServe would have in memory, as paths of `sconce serve`. */
export interface StartupModels {
  /** `PATH` or `NAME=PATH`. */
  readonly paths: readonly string[];
  /** What each is called, in the same order. */
  readonly names: readonly string[];
  /** What is not served as TorchServe would, each in a sentence. */
  readonly notes: readonly string[];
}

const MOST_ENTRIES = 10_000;

/** Which archives of a store are served, and under which names: the one that the configuration gives, else the archive's own. */
export function startupModels(store: string, startup: readonly StartupModel[] | "all"): StartupModels {
  const notes: string[] = [];
  const byName = new Map<string, string>();
  for (const { name, file } of startup === "all" ? everything(store) : startup) {
    const path = isAbsolute(file) ? file : join(store, file);
    if (/^[a-z0-9]+:\/\//i.test(file)) notes.push(`${file} is not fetched: put it into ${store}`);
    else if (!existsSync(path)) notes.push(`${file} is not in ${store}, and is not served`);
    else {
      const wanted = nameOf(path, name, notes);
      if (byName.has(wanted.name) && wanted.fallback !== undefined) {
        notes.push(
          `${file} is ${wanted.version} of ${wanted.name} as well, and is served as ${wanted.fallback}: versions of one model are numbered folders, such as ${wanted.name}/2/${basename(file)}`,
        );
        byName.set(wanted.fallback, path);
      } else byName.set(wanted.name, path);
    }
  }
  return {
    paths: [...byName].map(([name, path]) => (stemOf(path) === name ? path : `${name}=${path}`)),
    names: [...byName.keys()],
    notes,
  };
}

function everything(store: string): StartupModel[] {
  return readdirSync(store, { withFileTypes: true })
    .slice(0, MOST_ENTRIES)
    .filter(
      (entry) =>
        !entry.name.startsWith(".") && (entry.isDirectory() || /\.(mar|pt2|onnx|pt)$/.test(entry.name)),
    )
    .map((entry) => ({ name: undefined, file: entry.name }))
    .sort((a, b) => (a.file < b.file ? -1 : 1));
}

interface Wanted {
  readonly name: string;
  readonly version: string;
  /** What it is called where another one has its name. */
  readonly fallback: string | undefined;
}

function nameOf(path: string, given: string | undefined, notes: string[]): Wanted {
  const stem = stemOf(path);
  const own = path.endsWith(".mar") ? manifestOf(path) : undefined;
  const version =
    own?.modelVersion === undefined || own.modelVersion === "" ? "a version" : `version ${own.modelVersion}`;
  const name = given ?? (own?.modelName || stem);
  const fallback = given === undefined && isModelName(stem) && stem !== name ? stem : undefined;
  if (isModelName(name)) return { name, version, fallback };
  notes.push(
    `${basename(path)} would be called ${JSON.stringify(name.slice(0, 80))}: it is served as ${stem}`,
  );
  return { name: stem, version, fallback: undefined };
}

/** What cannot be read is served under its file's name, where loading it says why it cannot be. */
function manifestOf(path: string): { readonly modelName: string; readonly modelVersion: string } | undefined {
  try {
    return readArchive(path, (manifest) => manifest);
  } catch (error) {
    if (error instanceof ServeError) return undefined;
    throw error;
  }
}

function stemOf(path: string): string {
  return basename(path).replace(/\.(mar|pt2|onnx|pt)$/, "");
}
