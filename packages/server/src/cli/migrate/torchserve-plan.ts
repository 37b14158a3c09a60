import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { ServeError } from "../../base/errors.ts";
import { readPropertiesFile } from "../../config/torchserve/properties-file.ts";
import {
  readTorchserveProperties,
  type TorchserveProperties,
} from "../../config/torchserve/torchserve-properties.ts";
import { isModelName } from "../../models/model-candidate.ts";
import { requireFolder } from "../model-path.ts";
import { type ArchiveManifest, readArchive } from "../torchserve/archive-manifest.ts";
import { archiveModel, type ReadModel } from "./archive-model.ts";
import type { MigratedModel, Plan, PlannedFile } from "./plan.ts";
import { yamlText } from "./yaml-text.ts";

export interface PlanQuestion {
  /** The model store; undefined: the one that the configuration names. */
  readonly store: string | undefined;
  /** A config.properties; undefined: there is none. */
  readonly config: string | undefined;
  /** The folder of models that is written. */
  readonly output: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

interface PlacedArchive {
  readonly path: string;
  readonly name: string;
  /** A whole number from 1 on, as folders have it. */
  readonly version: string;
  /** Others have the same name. */
  readonly isOneOfSeveral: boolean;
}

/** What a model store and its config.properties become. Throws `invalid_argument` for what cannot be read. */
export function torchservePlan({ store: given, config, output, env }: PlanQuestion): Plan {
  const name = config === undefined ? "config.properties" : basename(config);
  const text = config === undefined ? "" : readPropertiesFile(config);
  const properties = readTorchserveProperties(text, name, env);
  const store = given ?? properties.modelStore;
  if (store === undefined)
    throw new ServeError("invalid_argument", `${config} names no model_store: give the folder of archives`, {
      reason: "bad_arguments",
    });
  requireFolder(store);
  const { placed, notes } = placeArchives(store, properties);
  const read = placed.map((archive) => ({ ...archive, ...archiveModel(archive.path, archive) }));
  const models = read.map(({ name: called, model }): MigratedModel => {
    const own = properties.rows.filter(({ key }) => key.startsWith(`${called}.`) && !isServerKey(key));
    return { ...model, settings: [...own, ...model.settings] };
  });
  return {
    from: "torchserve",
    store,
    config,
    settings: properties.rows.filter(({ key }) => isServerKey(key)),
    models,
    notes: [...notes, ...otherNotes(store), ...tokenNotes(properties)],
    files: filesOf(read, properties, { output, name }),
    command: `sconce serve ${output} --python venv`,
  };
}

/** Keys of single models have their name before a dot. */
function isServerKey(key: string): boolean {
  return !key.includes(".");
}

function placeArchives(
  store: string,
  { startup, hasModelApi }: TorchserveProperties,
): { readonly placed: readonly PlacedArchive[]; readonly notes: readonly string[] } {
  const notes: string[] = [];
  const files = readdirSync(store)
    .filter((name) => name.endsWith(".mar") && statSync(join(store, name)).isFile())
    .sort();
  const named = startup === undefined || startup === "all" ? [] : startup;
  const isEverything = startup === undefined || startup === "all" || hasModelApi;
  const wanted = [
    ...named,
    ...(isEverything ? files.filter((file) => !named.some((one) => one.file === file)) : []).map((file) => ({
      name: undefined,
      file,
    })),
  ];
  const found = wanted.filter(({ file }) => {
    if (files.includes(file)) return true;
    notes.push(`${file} is not an archive of ${store}`);
    return false;
  });
  const models = found.map(({ name, file }) => {
    const own = manifestOf(join(store, file));
    const stem = basename(file, ".mar");
    const called = name ?? (own?.modelName || stem);
    return {
      path: join(store, file),
      name: isModelName(called) ? called : stem,
      said: own?.modelVersion ?? "",
    };
  });
  const left = files.filter((file) => !found.some((one) => one.file === file));
  if (left.length > 0) notes.push(`load_models leaves out ${left.slice(0, 10).join(", ")}: not served`);
  return { placed: withVersions(models, notes), notes };
}

/** Versions of one model are numbered: as they number themselves, else in their order. */
function withVersions(
  models: readonly { readonly path: string; readonly name: string; readonly said: string }[],
  notes: string[],
): PlacedArchive[] {
  const taken = new Map<string, Set<string>>();
  return models.map(({ path, name, said }) => {
    const own = taken.get(name) ?? new Set<string>();
    taken.set(name, own);
    const number = /^([1-9][0-9]{0,8})(?:\.0)*$/.exec(said)?.[1];
    let version = number ?? "1";
    while (own.has(version)) version = String(Number(version) + 1);
    own.add(version);
    if (said !== "" && number !== version)
      notes.push(
        `version ${said} of ${name} becomes ${version}: versions are whole numbers, in URLs as well`,
      );
    const isOneOfSeveral = models.filter((other) => other.name === name).length > 1;
    return { path, name, version, isOneOfSeveral };
  });
}

function manifestOf(path: string): ArchiveManifest | undefined {
  try {
    return readArchive(path, (manifest) => manifest);
  } catch (error) {
    if (error instanceof ServeError) return undefined;
    throw error;
  }
}

function otherNotes(store: string): string[] {
  const names = readdirSync(store);
  const loose = names.filter((name) => existsSync(join(store, name, "MAR-INF/MANIFEST.json")));
  const packed = names.filter((name) => /\.(tar\.gz|tgz)$/.test(name));
  const flows = names.filter((name) => name.endsWith(".war"));
  return [
    ...[...loose, ...packed].map(
      (name) => `${name} is not read: pack it with torch-model-archiver as a .mar file`,
    ),
    ...flows.map(
      (name) =>
        `${name} is a workflow of TorchServe: POST /workflows registers it, with --model-control explicit`,
    ),
  ];
}

function tokenNotes({ hasTokens }: TorchserveProperties): string[] {
  const how =
    "disable_token_authorization=true, or without torchserve_tokens: in sconce.yaml: they need none";
  return hasTokens ? [`clients need the tokens of key_file.json, as with TorchServe 0.12 (${how})`] : [];
}

function filesOf(
  placed: readonly (PlacedArchive & Pick<ReadModel, "values">)[],
  { values, modelSettings, hasModelApi, hasTokens, startup }: TorchserveProperties,
  { output, name }: { readonly output: string; readonly name: string },
): PlannedFile[] {
  const isManaged = hasModelApi && hasTokens;
  const loads = startup === undefined ? [] : [...new Set(placed.map((archive) => archive.name))];
  const { model_control: _, ...server } = values;
  const files: PlannedFile[] = [
    {
      path: "sconce.yaml",
      text: yamlText(
        { ...server, ...(isManaged && { model_control: "explicit", load_models: loads }) },
        name,
      ),
    },
  ];
  const seen = new Set<string>();
  for (const { path, name: model, version, isOneOfSeveral, values: own } of placed) {
    const folder = join(output, model);
    const settings = {
      ...(isOneOfSeveral && { version_policy: "all" }),
      ...own,
      ...modelSettings.get(model),
    };
    if (!seen.has(model) && Object.keys(settings).length > 0)
      files.push({ path: join(folder, "model.yaml"), text: yamlText(settings, name) });
    seen.add(model);
    const isFirst = version === "1" && !isOneOfSeveral;
    files.push({ path: join(folder, ...(isFirst ? [] : [version]), "model.mar"), sameAs: path });
  }
  return files;
}
