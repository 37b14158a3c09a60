import { existsSync } from "node:fs";
import { basename } from "node:path";
import { ServeError } from "../../base/errors.ts";
import { readPropertiesFile } from "../../config/torchserve/properties-file.ts";
import {
  readTorchserveProperties,
  type TorchserveProperties,
} from "../../config/torchserve/torchserve-properties.ts";
import { missingFile, requireFolder } from "../model-path.ts";
import { startupModels } from "./startup-models.ts";
import type { TorchserveWishes } from "./torchserve-wishes.ts";

export interface StartQuestion {
  /** What is to be served; none: the model store. */
  readonly paths: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Somebody will have the right to change models. */
  readonly canAdminister: boolean;
}

/** What a config.properties asks a server for. Throws `invalid_argument` when it cannot be read or followed. */
export function readTorchserveStart(file: string, question: StartQuestion): TorchserveWishes {
  if (!existsSync(file)) throw missingFile(file);
  const name = basename(file);
  const properties = readTorchserveProperties(readPropertiesFile(file), name, question.env);
  const { paths, notes, values } = modelsOf(properties, question, name);
  const tokens = properties.hasTokens ? [TOKENS] : [];
  return {
    base: { name, values: { ...properties.values, ...values }, modelSettings: properties.modelSettings },
    paths,
    notes: [...notesOf(properties, name), ...tokens, ...notes],
  };
}

/** What does something else than there, or nothing. */
function notesOf({ rows }: TorchserveProperties, name: string): string[] {
  return rows
    .filter(({ outcome }) => outcome === "other" || outcome === "none")
    .map(
      ({ key, note, outcome }) =>
        `${name}: ${key} ${outcome === "none" ? "is not followed" : "is followed in another way"}: ${note}`,
    );
}

interface Served {
  readonly paths: readonly string[];
  readonly notes: readonly string[];
  readonly values: Readonly<Record<string, unknown>>;
}

function modelsOf(
  properties: TorchserveProperties,
  { paths: given, canAdminister }: StartQuestion,
  name: string,
): Served {
  const store = given[0] ?? properties.modelStore;
  if (store === undefined) {
    const message = `${name} names no model_store: say what is to be served, as sconce serve PATH --ts-config FILE`;
    throw new ServeError("invalid_argument", message, { reason: "bad_arguments" });
  }
  if (given.length > 1) return { paths: given, notes: [], values: { model_control: "none" } };
  requireFolder(store);
  const { startup, hasModelApi, hasTokens } = properties;
  const isManaged = hasModelApi && (canAdminister || hasTokens);
  const notes = hasModelApi && !isManaged ? [NO_ADMINISTRATOR] : [];
  if (startup === undefined) {
    if (isManaged) return { paths: [store], notes, values: {} };
    return {
      ...everythingOf(store),
      notes: [...notes, `${name} says no load_models: every archive of ${store} is served`],
    };
  }
  const found = startupModels(store, startup);
  if (!isManaged)
    return { paths: found.paths, notes: [...notes, ...found.notes], values: { model_control: "none" } };
  const renamed = found.paths.filter((path, index) => path.startsWith(`${found.names[index]}=`));
  return { paths: [store, ...renamed], notes: found.notes, values: { load_models: found.names } };
}

const TOKENS =
  "clients need TorchServe's tokens, which are in key_file.json of this folder (disable_token_authorization=true: they do not)";
const NO_ADMINISTRATOR =
  "enable_model_api=true: nobody can register models, since nobody could prove to be allowed to: set SCONCE_ADMIN_TOKEN, and send it as Authorization: Bearer";

function everythingOf(store: string): Omit<Served, "notes"> {
  return { paths: startupModels(store, "all").paths, values: { model_control: "none" } };
}
