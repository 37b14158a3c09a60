import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { parseDocument } from "yaml";
import { systemClock } from "../../base/clock.ts";
import { loadModelConfig } from "../../config/load-config.ts";
import type { ModelConfig } from "../../config/model-options.ts";
import { createYamlReader } from "../../config/yaml-reader.ts";
import { nodeFileSystem } from "../../models/file-system.ts";
import type { ModelCandidate } from "../../models/model-candidate.ts";
import { hasModelSuffix } from "../../models/model-file.ts";
import { createRepository } from "../../models/repository.ts";
import { usageError } from "../usage-error.ts";
import type { Point } from "./search.ts";
import { TUNED } from "./settings-space.ts";

/** A model on disk, and where its settings are or would be. */
export interface TunedModel {
  readonly name: string;
  /** What is served to try it. */
  readonly path: string;
  /** As it is served now: its own settings over `defaults`. */
  readonly current: Point;
  readonly configFile: string;
  /** Why a model.yaml there would not be its own, and what to do; undefined: it would. */
  readonly misplaced: string | undefined;
}

/** Finds the one model of a file or folder. Throws ServeError `bad_arguments` for none, several or a pipeline. */
export async function tunedModel(path: string, defaults: ModelConfig): Promise<TunedModel> {
  const served = await homeOf(path);
  const { candidates } = await scan(served);
  const names = [...new Set(candidates.map(({ name }) => name))];
  const candidate = candidates.at(-1);
  if (names.length !== 1 || candidate === undefined) {
    const found = names.length === 0 ? "no model is in it" : `it holds several models: ${names.join(", ")}`;
    throw usageError(`${path}: ${found}; name the file or folder of one`);
  }
  if (candidate.format === "pipeline")
    throw usageError(`${path} is a pipeline: tune the models of its steps`);
  const config = loadModelConfig(candidate.settings, defaults);
  const current = Object.fromEntries(TUNED.map((name) => [name, config[name]]));
  return { name: candidate.name, path: served, current, ...(await placeOf(candidate)) };
}

/** A file in a folder of its own is served with the folder, whose model.yaml is its. */
async function homeOf(path: string): Promise<string> {
  const folder = dirname(resolve(path));
  if (!hasModelSuffix(path) || !existsSync(join(folder, "model.yaml"))) return path;
  const { candidates } = await scan(folder);
  return candidates.length === 1 && candidates[0]!.file === resolve(path) ? folder : path;
}

function scan(path: string): ReturnType<ReturnType<typeof createRepository>["scan"]> {
  const yaml = createYamlReader({ clock: systemClock });
  return createRepository({ paths: [{ path }], fileSystem: nodeFileSystem, yaml }).scan();
}

async function placeOf({
  configFile,
  file,
  name,
}: ModelCandidate): Promise<Pick<TunedModel, "configFile" | "misplaced">> {
  if (configFile !== undefined) return { configFile, misplaced: undefined };
  const folder = dirname(file);
  const home = [folder, dirname(folder)].find((place) => basename(place) === name);
  const models = home === undefined ? [] : (await scan(home)).candidates;
  if (home !== undefined && models.every((model) => model.name === name))
    return { configFile: join(home, "model.yaml"), misplaced: undefined };
  const own = join(folder, name);
  return {
    configFile: join(own, "model.yaml"),
    misplaced: `a model.yaml is for a folder of one model: move ${basename(file)} to ${own}/ first`,
  };
}

/** The text of a model.yaml with some keys set; what else it says, and its comments, stay. */
export function patchedYaml(path: string, values: Readonly<Record<string, string | number>>): string {
  const document = parseDocument(existsSync(path) ? readFileSync(path, "utf8") : "");
  for (const [key, value] of Object.entries(values)) document.set(key, value);
  return document.toString({ lineWidth: 0 });
}
